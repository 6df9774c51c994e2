#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sctp/tx/congestion_controller.h"
namespace jsp::sctp {

// RFC 9260 §7.2: slow start, congestion avoidance by counted octets, fast recovery. See CongestionController for who
// calls it.
class NewReno {
 public:
  // `pmdcs`: octets of the largest DATA chunk of a packet (RFC 9260 §1.3 PMDCS). `initial_cwnd` in octets.
  // `initial_ssthresh` is the peer's first a_rwnd: "arbitrarily high" (RFC 9260 §7.2.1), for either role.
  NewReno(size_t pmdcs, size_t initial_cwnd, size_t initial_ssthresh);

  void HandleAck(const AckSample& ack);
  void HandleLoss(UnwrappedTsn highest_outstanding);
  void HandleCongestionExperienced(UnwrappedTsn highest_outstanding);
  void HandleTimeout();
  // Nothing was sent for `idle`: the window decays once per `rto`.
  void HandleIdle(Duration idle, Duration rto);
  void Undo(const NewReno& before);

  void SetPmdcs(size_t pmdcs) { pmdcs_ = pmdcs; }
  bool in_fast_recovery() const { return recovery_exit_.has_value(); }
  size_t cwnd() const { return cwnd_; }
  size_t ssthresh() const { return ssthresh_; }
  uint64_t pacing_rate(Duration srtt) const { return WindowPacingRate(cwnd_, ssthresh_, srtt); }

 private:
  // RFC 9260 §7.2.1: L "SHOULD be 1 and MAY be larger". A receiver that handles a batch of packets acknowledges all of
  // them by one SACK; L of 1 would starve such a path, and the octets acknowledged bound the growth anyway. After a
  // timeout L is 1, because a SACK then covers octets that left the network long ago.
  static constexpr size_t kL = 8;
  static constexpr size_t kLAfterTimeout = 1;

  size_t Floor() const { return 4 * pmdcs_; }
  void SlowStart(const AckSample& ack);
  void AvoidCongestion(const AckSample& ack);

  size_t pmdcs_;
  size_t cwnd_;
  size_t ssthresh_;
  size_t partial_bytes_acked_ = 0;
  size_t l_ = kL;
  std::optional<UnwrappedTsn> recovery_exit_;
};
static_assert(CongestionController<NewReno>);

}  // namespace jsp::sctp
