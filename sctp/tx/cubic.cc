#include "sctp/tx/cubic.h"

#include <algorithm>
#include <cmath>
namespace jsp::sctp {
namespace {

constexpr double kC = 0.4;     // RFC 9438 §5.1
constexpr double kBeta = 0.7;  // RFC 9438 §4.6
// RFC 9438 §4.3: Reno-friendly additive increase.
constexpr double kAlpha = 3 * (1 - kBeta) / (1 + kBeta);

}  // namespace

Cubic::Cubic(size_t pmdcs, size_t initial_cwnd, size_t initial_ssthresh)
    : pmdcs_(pmdcs), cwnd_(initial_cwnd), ssthresh_(std::max(initial_ssthresh, initial_cwnd)) {}

void Cubic::HandleAck(const AckSample& ack) {
  now_ = std::max(now_, ack.now);
  if (!in_fast_recovery() && ack.octets_acknowledged > 0 && ack.window_was_full) {
    if (cwnd_ < ssthresh_) {
      SlowStart(ack);
    } else {
      AvoidCongestion(ack);
    }
  } else if (!ack.window_was_full && epoch_) {
    // RFC 9438 §4.2: time in which the application did not use the window does not count.
    epoch_.reset();
  }
  if (recovery_exit_ && ack.cumulative_tsn >= *recovery_exit_) recovery_exit_.reset();
}

// Windows are kept in packets: the same octets are now another number of them, and the curve begins anew.
void Cubic::SetPmdcs(size_t pmdcs) {
  const double ratio = static_cast<double>(pmdcs_) / static_cast<double>(pmdcs);
  w_max_ *= ratio;
  cwnd_prior_ *= ratio;
  growth_ *= ratio;
  epoch_.reset();
  pmdcs_ = pmdcs;
}

void Cubic::SlowStart(const AckSample& ack) {
  const auto verdict = hystart_.HandleAck(ack.delivered, ack.prior_delivered, ack.rtt);
  if (verdict == HyStart::Verdict::kLeave) {
    ssthresh_ = cwnd_;
    return;
  }
  // RFC 9406 §4.2: with pacing there is no limit L to what one SACK may add.
  const size_t divisor = verdict == HyStart::Verdict::kConservative ? HyStart::kGrowthDivisor : 1;
  cwnd_ = std::min(cwnd_ + ack.octets_acknowledged / divisor, ssthresh_);
}

void Cubic::StartEpoch(Timestamp now) {
  const double cwnd = Packets(cwnd_);
  Epoch epoch{.start = now, .w_max = std::max(w_max_, cwnd), .w_est = cwnd, .cwnd_at_start = cwnd};
  // RFC 9438 §4.2 figure 2.
  epoch.k = std::cbrt((epoch.w_max - cwnd) / kC);
  epoch_ = epoch;
}

void Cubic::AvoidCongestion(const AckSample& ack) {
  if (!epoch_) StartEpoch(ack.now);
  Epoch& epoch = *epoch_;
  const double cwnd = Packets(cwnd_);
  const double acknowledged = Packets(ack.octets_acknowledged);
  // RFC 9438 §4.2: where the curve will be one round trip from now, at most half a window more.
  const double seconds = static_cast<double>((ack.now - epoch.start + ack.min_rtt).count()) / 1e6;
  const double offset = seconds - epoch.k;
  const double target = std::clamp(kC * offset * offset * offset + epoch.w_max, cwnd, 1.5 * cwnd);
  // RFC 9438 §4.3: Reno's own increase once it has passed the window before the reduction, which fast convergence does
  // not lower.
  const double alpha = epoch.w_est >= cwnd_prior_ ? 1.0 : kAlpha;
  epoch.w_est += alpha * acknowledged / cwnd;
  const double growth = std::max((target - cwnd) / cwnd * acknowledged, 0.0);
  const double friendly = std::max(epoch.w_est - cwnd - growth_, 0.0);
  growth_ += std::max(growth, std::min(friendly, acknowledged));
  const auto octets = static_cast<size_t>(growth_ * static_cast<double>(pmdcs_));
  cwnd_ += octets;
  growth_ -= Packets(octets);
}

void Cubic::Reduce() {
  const double cwnd = Packets(cwnd_);
  // RFC 9438 §4.7: fast convergence.
  cwnd_prior_ = cwnd;
  w_max_ = cwnd < w_max_ ? cwnd * (1 + kBeta) / 2 : cwnd;
  ssthresh_ = std::max(static_cast<size_t>(static_cast<double>(cwnd_) * kBeta), Floor());
  growth_ = 0;
  epoch_.reset();
}

void Cubic::HandleLoss(UnwrappedTsn highest_outstanding) {
  // One reduction per episode, as RFC 9260 §7.2.4 item 6.
  if (in_fast_recovery()) return;
  recovery_exit_ = highest_outstanding;
  Reduce();
  cwnd_ = ssthresh_;
}

void Cubic::HandleCongestionExperienced(UnwrappedTsn highest_outstanding) {
  // RFC 3168 §6.1.2. After a timeout the window is below what a reduction leaves.
  const size_t before = cwnd_;
  HandleLoss(highest_outstanding);
  cwnd_ = std::min(cwnd_, before);
}

void Cubic::HandleTimeout() {
  // RFC 9438 §4.8.
  Reduce();
  cwnd_ = pmdcs_;
  recovery_exit_.reset();
}

void Cubic::HandleIdle(Duration idle, Duration rto) {
  // RFC 9260 §7.2.1, with the window itself kept as the threshold.
  const size_t floor = 4 * pmdcs_;
  if (rto <= Duration::zero() || idle < rto || cwnd_ <= floor) return;
  ssthresh_ = std::max(ssthresh_ == SIZE_MAX ? cwnd_ : ssthresh_, cwnd_);
  for (auto periods = idle / rto; periods > 0 && cwnd_ > floor; --periods) cwnd_ = std::max(cwnd_ / 2, floor);
  epoch_.reset();
}

void Cubic::Undo(const Cubic& before) {
  recovery_exit_.reset();
  // RFC 9438 §4.9.2: "if cwnd < cwnd_prior".
  if (cwnd_ >= before.cwnd_) return;
  cwnd_ = before.cwnd_;
  ssthresh_ = before.ssthresh_;
  w_max_ = before.w_max_;
  cwnd_prior_ = before.cwnd_prior_;
  epoch_ = before.epoch_;
  growth_ = before.growth_;
}

}  // namespace jsp::sctp
