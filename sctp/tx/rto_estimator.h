#pragma once
#include <optional>

#include "base/time.h"
namespace jsp::sctp {

// The retransmission timeout of RFC 9260 §6.3.1. Values only; RetransmissionQueue measures and owns the timer.
class RtoEstimator {
 public:
  struct Limits {
    Duration initial;
    Duration min;
    Duration max;
  };
  explicit RtoEstimator(const Limits& limits);

  // A round trip that was not ambiguous (Karn's rule, RFC 9260 §6.3.1 C5, is the caller's).
  void Measure(Duration rtt);
  // RFC 9260 §6.3.3 E2.
  void BackOff();
  // To what was measured, or the initial value (RFC 9260 §6.3.1 C1).
  void UndoBackOff();

  Duration rto() const { return rto_; }
  // Zero before the first measurement.
  Duration srtt() const { return srtt_.value_or(Duration::zero()); }

 private:
  void Set(Duration rto);

  Limits limits_;
  std::optional<Duration> srtt_;
  Duration rttvar_{};
  Duration rto_;
};

}  // namespace jsp::sctp
