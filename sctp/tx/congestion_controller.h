#pragma once
#include <concepts>
#include <cstddef>

#include "base/time.h"
#include "sctp/types.h"
namespace jsp::sctp {

// What one SACK says to congestion control. Octets count DATA chunks with header and padding (RFC 9260 §7.2).
struct AckSample {
  size_t octets_acknowledged = 0;  // for the first time; abandoned chunks do not count (RFC 3758 §3.5 A2)
  // RFC 9260 §7.2.1: "only if the current congestion window is being fully utilized": when something was last sent, no
  // further full-sized chunk would have fitted. Not the flight just before this SACK: an owner that hands over a batch
  // of SACKs before it polls would see its window grow by the first of them only.
  bool window_was_full = false;
  UnwrappedTsn cumulative_tsn{0};
  bool all_acknowledged = false;  // nothing is outstanding any more
};

// A window-based congestion controller: values in, a window out. It owns no timer and no packet; RetransmissionQueue
// detects losses and calls it. RFC 9260 §7.2: "An SCTP sender MUST NOT be more aggressive than the following".
template <class C>
concept CongestionController = requires(C c, const C cc, const AckSample& ack, UnwrappedTsn tsn, Duration d) {
  { c.HandleAck(ack) } -> std::same_as<void>;
  // Losses were found; `highest_outstanding` ends the episode (RFC 9260 §7.2.4).
  { c.HandleLoss(tsn) } -> std::same_as<void>;
  // T3-rtx expired (RFC 9260 §7.2.3).
  { c.HandleTimeout() } -> std::same_as<void>;
  // Nothing was sent for `idle` (RFC 9260 §7.2.1).
  { c.HandleIdle(d, d) } -> std::same_as<void>;
  { cc.in_fast_recovery() } -> std::same_as<bool>;
  { cc.cwnd() } -> std::same_as<size_t>;
  { cc.ssthresh() } -> std::same_as<size_t>;
};

}  // namespace jsp::sctp
