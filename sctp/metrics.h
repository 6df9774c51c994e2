#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "sctp/message.h"
namespace jsp::sctp {

enum class DropReason : uint8_t {
  kTooShort,
  kBadPort,
  kBadChecksum,
  kBadVerificationTag,
  kBadChunk,
  kOutOfState,
  kBadCookie,
  kStaleCookie,
  kBadNonce,
  kBadSack,
  kReceiveWindowFull,
  kDuplicateData,
  kUnknownChunk,
  kUnexpectedForwardTsn,
  kUnexpectedReconfig,
  kBadEcne,
  kOutOfBlue,
  kClosed,
  kCount,
};
const char* ToString(DropReason reason);

// RFC 8899 §5.2.
enum class PathMtuState : uint8_t { kDisabled, kBase, kSearching, kSearchComplete, kError };
const char* ToString(PathMtuState state);

// Path MTU discovery, RFC 8899.
struct PathMtuMetrics {
  size_t packet_size = 0;  // PLPMTU: octets that an SCTP packet may have now
  PathMtuState path_mtu_state = PathMtuState::kDisabled;
  bool path_stalled = false;  // small packets pass and none of a useful size does
  uint64_t path_probes_sent = 0;
  uint64_t packet_too_big_hints = 0;
  uint64_t large_repetitions_lost = 0;  // chunks in packets above the base size that were lost more than once
  uint64_t fragmentable_packets = 0;    // sent larger than the path may carry, for IP to cut (RFC 9260 §6.9)
};

// The sender's view of the path now (RFC 9260 §6.1, §6.3.1, §7.2); octets and microseconds.
struct PathGauges {
  size_t cwnd = 0;
  size_t ssthresh = 0;
  size_t peer_rwnd = 0;
  size_t outstanding_bytes = 0;
  size_t flight_limit = 0;  // below cwnd, while bulk keeps the queue short for small messages; 0: none
  uint64_t srtt_us = 0;
  uint64_t rto_us = 0;
};

// Messages given up: before any part of them was sent, or after (RFC 7496 §4.3).
struct AbandonedMessages {
  uint64_t unsent = 0;
  uint64_t sent = 0;
};
// By the policy that allowed it.
struct AbandonedByPolicy {
  std::array<AbandonedMessages, static_cast<size_t>(AbandonPolicy::kCount)> counts{};
  AbandonedMessages& operator[](AbandonPolicy policy) { return counts[static_cast<size_t>(policy)]; }
  const AbandonedMessages& operator[](AbandonPolicy policy) const { return counts[static_cast<size_t>(policy)]; }
  uint64_t total() const {
    uint64_t messages = 0;
    for (const AbandonedMessages& count : counts) messages += count.unsent + count.sent;
    return messages;
  }
};

// Explicit Congestion Notification; docs/sctp.md#ecn.
struct EcnMetrics {
  uint64_t ce_received = 0;     // packets with new DATA that a router had marked
  uint64_t ecne_received = 0;   // echoes of such marks on packets of ours
  uint64_t ecn_reductions = 0;  // of the congestion window, for them
};

// User messages, a message in pieces as one.
struct MessageMetrics {
  uint64_t messages_sent = 0;
  uint64_t messages_received = 0;
  uint64_t messages_aborted = 0;    // received in part, and then given up by the peer
  uint64_t messages_abandoned = 0;  // sent by us: all of them
  AbandonedByPolicy abandoned;      // of the whole association (RFC 7496 §4.4)
};

struct Metrics : PathGauges, PathMtuMetrics, MessageMetrics, EcnMetrics {
  uint64_t packets_sent = 0;
  uint64_t packets_received = 0;
  uint64_t chunks_sent = 0;  // DATA, first transmissions
  uint64_t retransmitted_chunks = 0;
  uint64_t fast_retransmits = 0;
  uint64_t t3_expiries = 0;
  uint64_t tail_probes = 0;          // RFC 8985 §7.3
  uint64_t spurious_recoveries = 0;  // undone: nothing had been lost (RFC 9438 §4.9)
  uint64_t bytes_sent = 0;           // user payload
  uint64_t bytes_received = 0;
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};
};

}  // namespace jsp::sctp
