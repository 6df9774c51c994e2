#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "sctp/metrics.h"
#include "sctp/options.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/tx/congestion_control.h"
#include "sctp/tx/loss_detector.h"
#include "sctp/tx/outstanding_data.h"
#include "sctp/tx/pacer.h"
#include "sctp/tx/queue_limiter.h"
#include "sctp/tx/rto_estimator.h"
#include "sctp/tx/send_queue.h"
#include "sctp/tx/spurious_recovery.h"
#include "sctp/types.h"
namespace jsp::sctp {

// The sending half of an established association: decides which DATA chunks may go into the next packet and what a SACK
// or the T3-rtx timer changes. Owns the outstanding TSNs, the congestion window, the RTO and T3-rtx; takes new data
// from the SendQueue, which outlives it. association/data_transfer drives it. O(1) per packet.
class RetransmissionQueue {
 public:
  // What the handshake negotiated.
  struct Start {
    Tsn initial_tsn;
    uint32_t peer_a_rwnd = 0;
    Reliability reliability = Reliability::kFull;
    Framing framing = Framing::kData;
  };
  RetransmissionQueue(const Options& options, const Start& start, SendQueue& messages, Metrics& metrics);
  // A second INIT ACK or cookie of the same handshake (RFC 9260 §5.2.4 B): the TSNs stay.
  void UpdatePeer(uint32_t peer_a_rwnd, Reliability reliability);

  // RFC 6525 §5.1.4: an SSN/TSN reset was asked for; RFC 6525 §5.2.7 H5: the next TSN, while is_idle().
  void ExpectRestart() { outstanding_.ExpectRestart(); }
  void RestartAt(Tsn next_tsn);

  // ---- input.
  struct SackOutcome {
    SackVerdict verdict;
    bool progress = false;            // DATA was acknowledged: error counters start anew (RFC 9260 §8.1)
    bool large_acknowledged = false;  // a chunk that only a large packet carries; see SetPacketSize
  };
  SackOutcome HandleSack(Timestamp now, const SackChunk& sack);
  // The Cumulative TSN Ack of a SHUTDOWN (RFC 9260 §9.2).
  SackOutcome HandleCumulativeAck(Timestamp now, Tsn cumulative_tsn_ack);
  // What an echo of a mark led to; docs/sctp.md#ecn.
  enum class EchoOutcome : uint8_t {
    kReduced,    // the window is smaller now
    kKnown,      // it was reduced after that packet had left
    kLater,      // what left before it is still being repaired; echoes go on until they are answered
    kNeverSent,  // no TSN of ours
  };
  EchoOutcome HandleEcnEcho(Tsn lowest_tsn);
  // Whether the send buffer has room for a message of `octets`, if need be because others give way (RFC 7496 §3.2).
  bool MakeRoom(Timestamp now, size_t octets, const SendOptions& options);
  // Anything happened that may allow sending: a new opportunity for Max.Burst (RFC 9260 §6.1 D).
  void AllowBurst();
  enum class Expiry : uint8_t {
    kNone,         // not due
    kWindowProbe,  // no error: the peer answers but its window is closed (RFC 9260 §6.1 A)
    kLoss,         // counts against Association.Max.Retrans
  };
  Expiry HandleTimeout(Timestamp now);
  // No message will follow what is queued: a shutdown waits for the last acknowledgement (RFC 9260 §9.2).
  void SetEnding() { permission_.ending = true; }
  Timestamp NextTimeout() const;
  // Octets that packets may have from now on (RFC 9260 §7.3). The window stays what it is in octets (RFC 8899 §3 item
  // 7). Chunks of packets above `large` are those whose losses may mean that the path does not carry them.
  void SetPacketSize(size_t packet, size_t large);
  // The application gives up the message that is open on `stream` (RFC 3758 §3.5 A). Only with Reliability::kPartial.
  void AbandonOpenMessage(Timestamp now, StreamId stream);
  // RFC 8261 §6.1: another path, of which nothing is known: window and pacing begin anew, and what the silence of the
  // old one added to the timeout is undone.
  void ResetPath(Timestamp now);
  // A round trip that the handshake or a HEARTBEAT measured (RFC 9260 §8.3).
  void MeasureRoundTrip(Duration rtt);

  // ---- output. BeginPacket, NextChunk until nullopt, EndPacket. A chunk's payload views the queued message.
  bool BeginPacket(Timestamp now);
  // `room`: octets left in the packet for one chunk with its header, that of framing().
  std::optional<DataChunk> NextChunk(Timestamp now, size_t room);
  void EndPacket(Timestamp now);
  // After EndPacket: the packet may be sent as ECT(0), as all of its DATA is new and it is no window probe (RFC 3168
  // §6.1.5, §6.1.6).
  bool is_packet_markable() const { return packet_.has_new && !packet_.has_repeated; }
  // After BeginPacket: octets of the chunk that is next to be sent again, when the packet size has become smaller than
  // it (RFC 9260 §6.9: it cannot be cut once more); else 0.
  size_t OversizedRepetition(Timestamp now);
  // RFC 3758 §3.5 C3, when due and at least its header fits. Its list lives until the next call.
  std::optional<ForwardTsnChunk> TakeForwardTsn(Timestamp now, size_t room);
  // Instead, with I-DATA (RFC 8260 §2.3.1).
  std::optional<IForwardTsnChunk> TakeIForwardTsn(Timestamp now, size_t room);
  Framing framing() const { return limits_.framing; }

  // Idle: gives back what the largest window took.
  void Trim() {
    outstanding_.Trim();
    losses_.Trim();
    spurious_.Trim();
  }

  // Nothing is outstanding and nothing is queued.
  bool is_idle() const { return outstanding_.empty() && messages_.empty(); }
  Tsn next_tsn() const { return outstanding_.next_tsn().Wrap(); }
  Duration rto() const { return rto_.rto(); }
  const OutstandingData& outstanding() const { return outstanding_; }
  const CongestionControl& congestion() const { return congestion_; }
  // For tests and debug checks. O(n).
  bool IsConsistent() const;

 private:
  struct Limits {
    size_t max_chunk;    // PMDCS: the largest DATA chunk of a packet, with header and padding
    size_t large_chunk;  // above it, losses may be due to the path MTU
    CongestionAlgorithm algorithm;
    size_t initial_packets;
    size_t max_burst;  // packets
    bool pacing;
    bool rack_tlp;
    bool limit_queue;
    Framing framing;
    size_t chunk_header;
  };
  // What the peer said about itself.
  struct Peer {
    uint32_t a_rwnd;
    Reliability reliability;
  };
  // T3-rtx, and the one TSN that is timed: one measurement per round trip (RFC 9260 §6.3.1 C4).
  struct Timed {
    UnwrappedTsn tsn;
    Timestamp sent_at;
  };
  struct T3 {
    Timestamp at;
    std::optional<Timed> timed;
    std::optional<Timed> suspended;    // by its expiry, until that turns out to have been for nothing
    std::optional<Duration> late_rtt;  // what that would have measured
    // What the last expiry took for lost ends here, while any of it is unanswered.
    std::optional<UnwrappedTsn> recovery_exit;
  };
  struct WindowProbe {
    bool allowed = false;             // the timer ran out; one chunk may ignore the peer's window
    bool answered = false;            // a SACK came since the timer last expired
    std::optional<UnwrappedTsn> tsn;  // in flight
  };
  struct Forward {
    bool due = false;
    std::optional<UnwrappedTsn> sent_point;
    Timestamp sent_at;
  };
  struct Permission {
    size_t burst = 0;              // packets with new data that may still go out at this opportunity
    bool fast_retransmit = false;  // RFC 9260 §7.2.4 item 3: one packet regardless of cwnd
    bool only_one_packet = false;  // RFC 9260 §7.2.3: after T3-rtx, until something is acknowledged
    bool window_was_full = false;  // cwnd held back data, and the application did not run dry since
    bool tail_probe = false;       // RFC 8985 §7.3: one packet beyond cwnd
    bool ending = false;           // nothing follows what is queued
    size_t unpaced = 0;            // packets of the first flight that may leave at once
    bool paced = false;            // data waits for the pacer and for nothing else
  };
  struct Pace {
    Pacer pacer;
    Timestamp last_sent;
    std::optional<QueueLimiter> limiter;
    bool last_was_full = false;  // of DATA, the last packet
  };
  struct Losses {
    size_t chunks = 0;
    size_t octets = 0;
    bool by_misses = false;  // RFC 9260 §7.2.4 found some of them, not time alone
  };
  // The packet being composed.
  struct Packet {
    bool has_chunk = false;
    bool has_new = false;
    bool has_repeated = false;  // or probes the peer's window
    bool has_lowest = false;    // the earliest outstanding TSN is in it: T3-rtx restarts (RFC 9260 §6.1)
    bool only_lost = false;
    bool is_full = false;
    Follows follows = Follows::kNothing;
    size_t octets = 0;  // of DATA chunks
  };

  SackOutcome HandleAcknowledgement(Timestamp now, const SackChunk& sack, const OutstandingData::AckResult& result);
  UnwrappedTsn HighestSent() const { return UnwrappedTsn(outstanding_.next_tsn().DistanceFrom(UnwrappedTsn(1))); }
  void MaybeUndo(Timestamp now, const SackChunk& sack, const OutstandingData::AckResult& result);
  void UndoReduction();
  OutstandingData::RecoveryPhase Phase() const;
  void UpdateRoundTrip(Timestamp now);
  Losses FindLosses(Timestamp now, Losses losses);
  void ReportLosses(const Losses& losses);
  AckSample SampleNow(Timestamp now, const Losses& losses) const;
  void HandleLossDeadlines(Timestamp now);
  void ArmTailProbe(Timestamp now);
  void NoteSent(Timestamp now, UnwrappedTsn tsn, size_t flight_before);
  bool IsPaced() const { return limits_.pacing && rto_.srtt() > Duration::zero(); }
  void NoteWindow();
  bool IsWindowFull();
  uint64_t PacingRate() const;
  void NoteForwardTsn(Timestamp now);
  bool MaySendNew(Timestamp now);
  void UpdateProbe(Timestamp now);
  void UpdateForwardTsn(Timestamp now);
  // Asked several times a packet, nearly always in vain.
  std::optional<UnwrappedTsn> NextLost(Timestamp now) { return outstanding_.has_lost() ? FindLost(now) : std::nullopt; }
  std::optional<UnwrappedTsn> FindLost(Timestamp now);
  std::optional<DataChunk> NextNewChunk(Timestamp now, size_t room);
  bool WindowAllows(Timestamp now, size_t length);
  DataChunk Compose(UnwrappedTsn tsn) const;
  bool WantsSackNow() const;
  void NoteRepeated(Timestamp now, UnwrappedTsn tsn);
  void DecayWhenIdle(Timestamp now);
  void PublishMetrics();

  Limits limits_;
  SendQueue& messages_;
  Metrics& metrics_;
  OutstandingData outstanding_;
  RtoEstimator rto_;
  CongestionControl congestion_;
  LossDetector losses_;
  SpuriousRecovery spurious_;
  Pace pace_;
  Peer peer_;
  T3 t3_;
  WindowProbe probe_;
  Forward forward_;
  Permission permission_;
  Packet packet_;
};

}  // namespace jsp::sctp
