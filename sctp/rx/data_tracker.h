#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sctp/packet/chunk/sack.h"
#include "sctp/types.h"
namespace jsp::sctp {

// What a TSN means to what was received before it.
enum class Arrival : uint8_t {
  kNext,       // the Cumulative TSN Ack moves
  kFillsGap,   // below the highest TSN received, above the next one
  kAhead,      // above the highest TSN received, and not the next one
  kDuplicate,  // received, or skipped by a FORWARD TSN
  kTooFar,     // beyond what a SACK can report: to be dropped, never recorded
};

enum class SackDecision : uint8_t {
  kNone,     // nothing new to acknowledge
  kDelayed,  // within Options::delayed_ack: the owner arms its timer unless it runs already
  kNow,      // with the next packet
};

// The I bit of DATA, RFC 9260 §6.2.
enum class AckRequest : uint8_t { kNormal, kImmediate };

// Records which TSNs arrived, decides when to acknowledge, and composes the SACK. Owns the Cumulative TSN Ack, the gaps
// and the list of duplicates; does not own the payload (ReassemblyQueue), the receive window or the delayed-ack timer
// (both Association's). Every operation is O(1) amortised per packet; a SACK costs at most kMaxDistance / 64 steps.
class DataTracker {
 public:
  // How far above the Cumulative TSN Ack a TSN may be: the offsets of RFC 9260 §3.3.4 have 16 bits. Bounds the bitmap.
  static constexpr int64_t kMaxDistance = 0xffff;
  // Duplicates listed in one SACK; RFC 9260 §6.2 makes the list a SHOULD, and nobody needs it complete.
  static constexpr size_t kMaxDuplicates = 16;
  // Gap Ack Blocks in one SACK, however large its packet is: 4 octets each here and on the wire.
  static constexpr size_t kMaxGapAckBlocks = 1024;

  explicit DataTracker(Tsn peer_initial_tsn);

  // Lifts a TSN off the wire, relative to the Cumulative TSN Ack. Changes nothing.
  UnwrappedTsn Unwrap(Tsn tsn) const;
  // What Observe would answer. Changes nothing: ask, verify window and payload, then Observe.
  Arrival Classify(UnwrappedTsn tsn) const;

  // A DATA chunk that was accepted, or a duplicate. kTooFar changes nothing.
  Arrival Observe(UnwrappedTsn tsn, AckRequest request = AckRequest::kNormal);
  // RFC 3758 §3.6. False and only a SACK due when it is out of date; false and no effect when it is further than
  // kMaxDistance, which no sender can have outstanding.
  bool HandleForwardTsn(UnwrappedTsn new_cumulative);
  // A DATA chunk was dropped for want of window, the window opened, or anything else that RFC 9260 §6.2 wants told at
  // once: with the next packet.
  void RequestSack();

  // Call once after each packet that had DATA or FORWARD TSN: at once on a gap, a duplicate, or the I bit, else for
  // every second packet (RFC 9260 §6.2, §6.7).
  SackDecision HandlePacketEnd();
  // The owner's delayed-ack timer fired.
  void HandleDelayedAckTimeout();
  // Something is unacknowledged: a SACK may be bundled with what is sent anyway.
  bool has_unacknowledged() const { return unacknowledged_packets_ > 0 || sack_now_; }
  bool sack_now() const { return sack_now_; }

  // Composes a SACK of at most `max_size` octets, chunk header included, with the lowest gaps first (RFC 9260 §6.7).
  // `max_size` >= SackChunk::kHeaderSize. The chunk views this tracker: write it before the next call that is not
  // const.
  SackChunk MakeSack(uint32_t a_rwnd, size_t max_size);
  // That SACK was put into a packet: its duplicates are reported and nothing is unacknowledged any more.
  void HandleSackSent();

  UnwrappedTsn cumulative() const { return cumulative_; }
  // The highest TSN received; equals cumulative() when there is no gap.
  UnwrappedTsn highest() const { return highest_; }
  bool has_gaps() const { return highest_ > cumulative_; }
  // For tests and fuzzing: the invariants hold. O(kMaxDistance).
  bool IsConsistent() const;

 private:
  void Mark(UnwrappedTsn tsn);
  void MoveTo(UnwrappedTsn cumulative);
  void AdvanceOverReceived();
  UnwrappedTsn NextReceived(UnwrappedTsn from) const;
  UnwrappedTsn NextMissing(UnwrappedTsn from) const;

  UnwrappedTsn cumulative_;
  UnwrappedTsn highest_;
  // One bit per TSN in (cumulative_, cumulative_ + kMaxDistance], at TSN modulo 2^16. Empty until the first gap.
  std::vector<uint64_t> received_;
  std::vector<Tsn> duplicates_;          // since the last SACK, at most kMaxDuplicates
  std::vector<GapAckBlock> gap_blocks_;  // what the last MakeSack views, at most kMaxGapAckBlocks
  uint32_t unacknowledged_packets_ = 0;
  bool packet_has_data_ = false;
  bool packet_forces_sack_ = false;
  bool sack_now_ = false;
};

}  // namespace jsp::sctp
