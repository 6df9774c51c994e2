#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_data.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/tx/fragmenter.h"
#include "sctp/tx/send_queue.h"
#include "sctp/tx/skipped_streams.h"
#include "sctp/types.h"
namespace jsp::sctp {

// What a SACK is worth, decided before any of it is applied.
enum class SackVerdict : uint8_t {
  kValid,
  kOutOfOrder,  // RFC 9260 §6.2.1 D i: older than the cumulative TSN ack point
  kMalformed,   // blocks that are empty, inverted, or not ascending (RFC 9260 §3.3.4)
  kAcksUnsent,  // RFC 9260 §12.4: acknowledges a TSN that was never sent
};

// Every TSN from the cumulative TSN ack point to the last one assigned, in a ring indexed by TSN: what it carried and
// what became of it. Applies SACKs, counts miss indications, abandons messages, builds FORWARD TSN. It sends nothing
// and knows no window and no timer: RetransmissionQueue owns it and calls it. O(1) amortised per TSN, plus the gap
// blocks of a SACK.
class OutstandingData {
 public:
  struct Chunk {
    enum class State : uint8_t { kInFlight, kAcknowledged, kLost, kAbandoned };

    MessageHandle message;
    uint32_t offset;
    uint16_t length;  // octets of user data; 0 for a TSN that only stands for the rest of an abandoned message
    uint16_t transmissions = 1;
    uint8_t misses = 0;
    State state = State::kInFlight;
    bool begins;
    bool ends;
    bool presumed_lost = false;       // by a timeout, and by nothing else
    bool fast_retransmitted = false;  // RFC 9260 §7.2.4 item 5
    bool credited = false;            // acknowledged before; a second time does not open the window
    uint32_t transmission = 0;        // the latest, in TransmissionLog's numbers
    uint32_t fsn = 0;                 // which fragment of its message (RFC 8260 §2.1)
    uint32_t to_previous = 0;         // TSNs back to the fragment before; 0: there is none
    uint8_t header_size = DataChunk::kHeaderSize;

    // RFC 9260 §7.2: "the length of the DATA chunk, including the padding".
    size_t size() const { return PaddedSize(size_t{header_size} + length); }
  };

  struct AckResult {
    size_t octets_acknowledged = 0;                          // for the first time
    std::optional<UnwrappedTsn> highest_newly_acknowledged;  // the HTNA of RFC 9260 §7.2.4
    size_t newly_lost = 0;                                   // chunks that got their third miss indication
    size_t octets_lost = 0;                                  // theirs
    // For loss detection by time (RFC 8985 §6.2): the newest transmission among what was acknowledged.
    std::optional<uint32_t> newest_transmission;
    bool newest_was_repeated = false;
    bool out_of_order = false;        // a first transmission below what an earlier SACK acknowledged
    size_t largest_acknowledged = 0;  // octets of the largest chunk acknowledged now, with header
    bool cumulative_advanced = false;
    bool reneged = false;  // RFC 9260 §6.2.1 D iii
  };

  // `messages` keeps what the fragments refer to. The first TSN will be `initial_tsn`.
  OutstandingData(Tsn initial_tsn, SendQueue& messages);

  void SetReliability(Reliability reliability) { mode_.reliability = reliability; }
  // Before the first Add.
  void SetFraming(Framing framing) { mode_.framing = framing; }

  // A fragment goes out for the first time, with the next TSN.
  UnwrappedTsn Add(const Fragment& fragment);
  const Chunk& at(UnwrappedTsn tsn) const { return ring_[Index(tsn)]; }
  // Names the transmission that Add or MarkRetransmitted was for.
  void NoteTransmission(UnwrappedTsn tsn, uint32_t number) { ring_[Index(tsn)].transmission = number; }
  // That transmission is the latest of a chunk that is unanswered.
  bool IsInFlight(UnwrappedTsn tsn, uint32_t transmission) const;
  // Whether the last SACK can have told about `tsn`. One with many gap blocks is likely to be cut short by the size of
  // its packet, which holds about 290; what lies above its last block may have arrived then.
  bool IsReported(UnwrappedTsn tsn) const { return !is_sack_cut_short() || tsn <= acknowledged_.back().second; }
  bool is_sack_cut_short() const { return acknowledged_.size() >= 128; }
  // The highest TSN in flight whose message may be sent once more; what a tail loss probe repeats (RFC 8985 §7.3).
  std::optional<UnwrappedTsn> LastRepeatable(Timestamp now) const;

  // RFC 6525 §5.1.4, §5.2.7 H5: from now on the peer may acknowledge TSNs of the other side of a leap; such a SACK is
  // an old one or comes early, and means nothing. RestartAt leaps, while nothing is outstanding.
  void ExpectRestart() { mode_.leaps = true; }
  void RestartAt(Tsn next_tsn);

  // RFC 9260 §6.2.1, §7.2.4. Apply only what Validate calls valid.
  SackVerdict Validate(const SackChunk& sack) const;
  // kReordering: the path reorders, so miss indications mean little and losses are found by time (RFC 8985 §3.3.2).
  enum class RecoveryPhase : uint8_t { kNone, kFastRecovery, kReordering };
  AckResult Apply(Timestamp now, const SackChunk& sack, RecoveryPhase phase);
  // The same for the cumulative TSN ack of a SHUTDOWN, which says nothing about gaps (RFC 9260 §6.2).
  AckResult ApplyCumulative(Tsn cumulative_tsn_ack);

  // RFC 9260 §6.3.3: everything in flight is lost, or abandoned where its message allows no more.
  void MarkAllLost(Timestamp now);
  void MarkLost(Timestamp now, UnwrappedTsn tsn);
  // The timeout was for nothing: what it alone took for lost, and was not sent again yet, is in flight.
  void RestorePresumedLost();
  // The lowest TSN to send again, if any: lost, and its message not past its lifetime.
  std::optional<UnwrappedTsn> NextLost(Timestamp now);
  void MarkRetransmitted(UnwrappedTsn tsn);

  // RFC 3758 §3.5 A2, A3: the whole user message with all its pieces, also what of it is not sent yet.
  void AbandonMessage(MessageHandle message);
  // RFC 3758 §3.5 C2: moves Advanced.Peer.Ack.Point over what is abandoned. True when a FORWARD TSN is due at all.
  bool AdvancePeerAckPoint();
  // RFC 3758 §3.5 C4, as much as `max_size` octets of chunk can hold. The lists live until the next call.
  ForwardTsnChunk BuildForwardTsn(size_t max_size);
  // The same with message identifiers, for unordered messages too (RFC 8260 §2.3.1).
  IForwardTsnChunk BuildIForwardTsn(size_t max_size);

  // Gives the storage back when nothing is outstanding.
  void Trim() {
    if (ring_.empty()) ring_.set_capacity(0);
  }
  bool empty() const { return ring_.empty(); }
  size_t size() const { return ring_.size(); }
  UnwrappedTsn Lift(Tsn tsn) const;                  // off the wire, relative to first_tsn()
  UnwrappedTsn first_tsn() const { return first_; }  // the cumulative TSN ack point plus one
  UnwrappedTsn next_tsn() const { return At(ring_.size()); }
  UnwrappedTsn peer_ack_point() const { return peer_ack_point_; }
  // In flight: neither acknowledged, lost nor abandoned. Chunks with header and padding.
  size_t flight_octets() const { return flight_octets_; }
  // The same in octets of user data, as a_rwnd counts.
  size_t flight_payload() const { return flight_payload_; }
  bool has_gaps() const { return !acknowledged_.empty(); }
  bool has_lost() const { return lost_ > 0; }
  bool IsAcknowledged(UnwrappedTsn tsn) const;
  // TSNs that SACKs and FORWARD TSNs made us look at so far: their cost beyond their gap blocks and lists.
  uint64_t tsns_visited() const { return tsns_visited_; }
  // For tests and debug checks: the counters agree with the ring. O(n).
  bool IsConsistent() const;

 private:
  using State = Chunk::State;
  using Range = std::pair<UnwrappedTsn, UnwrappedTsn>;  // both included

  size_t Index(UnwrappedTsn tsn) const { return static_cast<size_t>(tsn.DistanceFrom(first_)); }
  UnwrappedTsn At(size_t index) const { return Offset(first_, static_cast<int64_t>(index)); }
  static UnwrappedTsn Offset(UnwrappedTsn tsn, int64_t by) {
    return UnwrappedTsn(tsn.DistanceFrom(UnwrappedTsn(0)) + by);
  }
  // The one within half the number space of what is outstanding.
  bool IsPastLimits(Timestamp now, const Chunk& chunk) const;
  void Push(const Chunk& chunk);
  void AbandonFragments(MessageHandle message);
  static void Link(OutgoingMessage& message, UnwrappedTsn tsn, Chunk& chunk);
  // Every change of state goes through here: it keeps the counters.
  void SetState(Chunk& chunk, State state);
  void Acknowledge(UnwrappedTsn tsn, AckResult& result);
  void NoteNewest(UnwrappedTsn tsn, const Chunk& chunk, AckResult& result) const;
  void AcknowledgeUpTo(UnwrappedTsn cumulative, AckResult& result);
  void AcknowledgeBlocks(UnwrappedTsn cumulative, const SackChunk& sack, AckResult& result);
  bool NoteSkipped(UnwrappedTsn tsn, size_t max_items);
  void LimitSkipped(size_t max_items);
  void CountMisses(Timestamp now, UnwrappedTsn limit, AckResult& result);
  void PopFront();

  SendQueue& messages_;
  boost::circular_buffer<Chunk> ring_;
  UnwrappedTsn first_;
  UnwrappedTsn peer_ack_point_;
  size_t flight_octets_ = 0;
  size_t flight_payload_ = 0;
  size_t lost_ = 0;
  uint64_t tsns_visited_ = 0;
  // No chunk below is lost; no chunk below can collect another miss indication.
  UnwrappedTsn lost_floor_;
  UnwrappedTsn miss_floor_;
  // What the last SACK's gap blocks acknowledged; the next SACK is compared with it, so that only changes cost time.
  std::vector<Range> acknowledged_;
  std::vector<Range> reported_;
  SkippedStreams skipped_;  // up to peer_ack_point_
  struct Mode {
    Reliability reliability = Reliability::kFull;
    Framing framing = Framing::kData;
    bool leaps = false;
  };
  Mode mode_;
};

}  // namespace jsp::sctp
