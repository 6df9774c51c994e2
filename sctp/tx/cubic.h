#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sctp/tx/congestion_controller.h"
#include "sctp/tx/hystart.h"
namespace jsp::sctp {

// CUBIC (RFC 9438) with HyStart++ (RFC 9406): the window grows with the time since the last reduction, not with the
// round trip. The default. See CongestionController for who calls it.
class Cubic {
 public:
  // As NewReno's.
  Cubic(size_t pmdcs, size_t initial_cwnd, size_t initial_ssthresh);

  void HandleAck(const AckSample& ack);
  void HandleLoss(UnwrappedTsn highest_outstanding);
  void HandleCongestionExperienced(UnwrappedTsn highest_outstanding);
  void HandleTimeout();
  void HandleIdle(Duration idle, Duration rto);
  void Undo(const Cubic& before);

  void SetPmdcs(size_t pmdcs);
  bool in_fast_recovery() const { return recovery_exit_.has_value(); }
  size_t cwnd() const { return cwnd_; }
  size_t ssthresh() const { return ssthresh_; }
  // While slow start is conservative the window no longer doubles; twice its rate would fill the queue meanwhile.
  uint64_t pacing_rate(Duration srtt) const {
    return WindowPacingRate(cwnd_, hystart_.is_conservative() ? cwnd_ : ssthresh_, srtt);
  }

 private:
  // RFC 9438 §4.2: the curve since the reduction that began it. Windows in packets of pmdcs.
  struct Epoch {
    Timestamp start;
    double k = 0;  // seconds until the curve is back at w_max
    double w_max = 0;
    double w_est = 0;  // what Reno would have (RFC 9438 §4.3)
    double cwnd_at_start = 0;
  };

  size_t Floor() const { return 2 * pmdcs_; }
  double Packets(size_t octets) const { return static_cast<double>(octets) / static_cast<double>(pmdcs_); }
  void SlowStart(const AckSample& ack);
  void AvoidCongestion(const AckSample& ack);
  void StartEpoch(Timestamp now);
  void Reduce();

  size_t pmdcs_;
  size_t cwnd_;
  size_t ssthresh_;
  double w_max_ = 0;       // packets, RFC 9438 §4.1.2
  double cwnd_prior_ = 0;  // packets, RFC 9438 §4.1.2
  std::optional<Epoch> epoch_;
  double growth_ = 0;  // packets of growth not yet in cwnd_
  HyStart hystart_;
  Timestamp now_ = Timestamp::FromEpoch(Duration::zero());
  std::optional<UnwrappedTsn> recovery_exit_;
};
static_assert(CongestionController<Cubic>);

}  // namespace jsp::sctp
