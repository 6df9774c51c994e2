#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "sctp/types.h"
namespace jsp::sctp {

// What one SACK says to congestion control. Octets count DATA chunks with header and padding (RFC 9260 §7.2).
struct AckSample {
  size_t octets_acknowledged = 0;  // for the first time; abandoned chunks do not count (RFC 3758 §3.5 A2)
  // RFC 9260 §7.2.1: "only if the current congestion window is being fully utilized": the window, or the pacing that
  // follows from it, was what held back data. Not the flight just before this SACK: an owner that hands over a batch of
  // SACKs before it polls would see its window grow by the first of them only.
  bool window_was_full = false;
  UnwrappedTsn cumulative_tsn{0};
  bool all_acknowledged = false;  // nothing is outstanding any more

  // The rest is for controllers that look at time.
  Timestamp now = Timestamp::FromEpoch(Duration::zero());
  size_t octets_lost = 0;                      // found lost since the last sample
  size_t flight = 0;                           // after this SACK
  std::optional<Duration> rtt = std::nullopt;  // newest, unambiguous
  Duration min_rtt{};                          // of the last 10 to 20 s; zero: unknown
  uint64_t delivered = 0;                      // octets ever acknowledged
  uint64_t prior_delivered = 0;                // when what was acknowledged newest had left; 0: unknown
  uint64_t octets_per_second = 0;              // delivery rate; 0: unknown
  bool app_limited = false;                    // the rate is the application's, not the path's
};

// A congestion controller: values in, a window and a pacing rate out. It owns no timer and no packet;
// RetransmissionQueue detects losses and calls it.
template <class C>
concept CongestionController = requires(C c, const C cc, const AckSample& ack, UnwrappedTsn tsn, Duration d) {
  // The path MTU is another one. The window stays, in octets (RFC 8899 §3 item 7).
  { c.SetPmdcs(size_t{}) } -> std::same_as<void>;
  { c.HandleAck(ack) } -> std::same_as<void>;
  // Losses were found; `highest_outstanding` ends the episode (RFC 9260 §7.2.4).
  { c.HandleLoss(tsn) } -> std::same_as<void>;
  // A packet was marked instead of dropped: as for a loss (RFC 3168 §6.1.2). The window never grows by it.
  { c.HandleCongestionExperienced(tsn) } -> std::same_as<void>;
  // T3-rtx expired (RFC 9260 §7.2.3).
  { c.HandleTimeout() } -> std::same_as<void>;
  // Nothing was sent for `idle` (RFC 9260 §7.2.1).
  { c.HandleIdle(d, d) } -> std::same_as<void>;
  // The reduction since `cc` was copied was for nothing: what it took comes back (RFC 9438 §4.9).
  { c.Undo(cc) } -> std::same_as<void>;
  { cc.in_fast_recovery() } -> std::same_as<bool>;
  { cc.cwnd() } -> std::same_as<size_t>;
  { cc.ssthresh() } -> std::same_as<size_t>;
  // Octets a second, given the smoothed round trip; 0: not paced.
  { cc.pacing_rate(d) } -> std::same_as<uint64_t>;
};

// The rate of a controller that only knows a window: faster than the window's turnover, so that pacing never becomes
// the limit; twice as fast while the window doubles every round trip.
constexpr uint64_t WindowPacingRate(size_t cwnd, size_t ssthresh, Duration srtt) {
  if (srtt <= Duration::zero()) return 0;
  const uint64_t per_second = cwnd * 1'000'000 / static_cast<uint64_t>(srtt.count());
  return cwnd < ssthresh ? per_second * 2 : per_second * 5 / 4;
}

}  // namespace jsp::sctp
