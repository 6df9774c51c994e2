#include "sctp/tx/rto_estimator.h"

#include <algorithm>

namespace jsp::sctp {
namespace {

// RFC 9260 §6.3.1 G1: the clock's granularity. We are told microseconds, but owners wake up at milliseconds.
constexpr Duration kGranularity = std::chrono::milliseconds(1);

}  // namespace

RtoEstimator::RtoEstimator(const Limits& limits) : limits_(limits), rto_(limits.initial) {}

void RtoEstimator::Measure(Duration rtt) {
  if (!srtt_) {
    // RFC 9260 §6.3.1 C2.
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {
    // RFC 9260 §6.3.1 C3 with RTO.Alpha 1/8 and RTO.Beta 1/4 (RFC 9260 §16).
    const Duration deviation = *srtt_ > rtt ? *srtt_ - rtt : rtt - *srtt_;
    rttvar_ += (deviation - rttvar_) / 4;
    *srtt_ += (rtt - *srtt_) / 8;
  }
  // RFC 9260 §6.3.1 G1.
  rttvar_ = std::max(rttvar_, kGranularity);
  UndoBackOff();
}

void RtoEstimator::BackOff() { Set(rto_ * 2); }
void RtoEstimator::UndoBackOff() { Set(srtt_ ? *srtt_ + 4 * rttvar_ : limits_.initial); }

// RFC 9260 §6.3.1 C6, C7.
void RtoEstimator::Set(Duration rto) { rto_ = std::clamp(rto, limits_.min, limits_.max); }

}  // namespace jsp::sctp
