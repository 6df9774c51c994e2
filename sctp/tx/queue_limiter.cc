#include "sctp/tx/queue_limiter.h"

#include <algorithm>
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What our own bulk may queue: little for a ping, enough to keep the bottleneck busy between two SACKs.
constexpr Duration kAllowance = milliseconds(8);
constexpr size_t kAllowancePackets = 3;  // RFC 9260 §6.2: one SACK for every second packet
constexpr size_t kFloorPackets = 4;
// A conversation goes on within a minute, and draining a full queue takes longer than keeping it short.
constexpr Duration kThinLifetime = seconds(60);
constexpr Duration kBaseLifetime = seconds(10);
constexpr uint64_t kRateRounds = 4;  // of each of the two windows; a drain is shorter
// Longer than the rate's windows: a path that became slower shortens its queue by then.
constexpr int kLongRounds = 10;
constexpr int kShortRounds = 3;
constexpr double kGrowthGain = 1.25;
// A rate below three quarters of the best is asked for its reason. Half as much again in flight makes our share of a
// rate that others share larger, also when it is four fifths; a rate that is the path's own stays what it is.
constexpr int kPushRounds = 8;
constexpr double kPushGain = 1.5;
constexpr int kLongSamples = 8;                          // in a row, as in HyStart
constexpr Duration kLongInSlowStart = milliseconds(16);  // and half a round trip, as there
constexpr double kDrainGain = 0.75;
// Where the round trip without a queue is a guess, which may contain one.
constexpr double kDeepDrainGain = 0.5;
constexpr Duration kFirstYield = seconds(10);
constexpr Duration kLongestYield = seconds(80);

}  // namespace

void QueueLimiter::HandleAck(const AckSample& ack, const Use& use) {
  const Round last = round_;
  UpdateRound(ack);
  UpdateRate(ack);
  UpdateBase(ack);
  if (use.last_thin == Timestamp::Never() || ack.now - use.last_thin > kThinLifetime) {
    phase_ = Phase::kOpen;
    limit_ = SIZE_MAX;
    return;
  }
  if (rate_.Get() == 0 || base_.rtt == Duration::zero()) return;
  switch (phase_) {
    case Phase::kOpen:
      HandleOpen(ack, use);
      break;
    case Phase::kDraining:
      HandleDraining(ack);
      break;
    case Phase::kHolding:
      HandleHolding(ack, last);
      break;
    case Phase::kPushing:
      HandlePushing(ack.now);
      break;
    case Phase::kYielding:
      if (ack.now >= yield_.until) StartDrain(kDeepDrainGain);
      break;
  }
  UpdateLimit();
}

void QueueLimiter::UpdateRound(const AckSample& ack) {
  round_.started = ack.octets_acknowledged > 0 && ack.prior_delivered >= round_.end;
  if (round_.started) {
    round_.end = ack.delivered;
    ++round_.count;
    round_.min_rtt = Duration::max();
    round_.held_back = false;
  }
  if (ack.rtt) round_.min_rtt = std::min(round_.min_rtt, *ack.rtt);
}

void QueueLimiter::UpdateRate(const AckSample& ack) {
  if (round_.count >= rate_.window_start + kRateRounds && rate_.maxima[1] > 0) {
    rate_.maxima = {rate_.maxima[1], 0};
    rate_.window_start = round_.count;
  }
  // An application that sends little says nothing about the path, unless it shows that it is faster.
  if (ack.app_limited && ack.octets_per_second < rate_.Get()) return;
  rate_.maxima[1] = std::max(rate_.maxima[1], ack.octets_per_second);
}

void QueueLimiter::UpdateBase(const AckSample& ack) {
  if (!ack.rtt) return;
  const Duration rtt = std::max(*ack.rtt, Duration(1));
  if (base_.rtt != Duration::zero() && rtt > base_.rtt) return;
  base_ = {.rtt = rtt, .seen_at = ack.now};
}

void QueueLimiter::HandleOpen(const AckSample& ack, const Use& use) {
  if (!ack.rtt) return;
  // A doubling window fills the queue in bursts before it fills the path.
  const Duration queue = use.is_starting ? std::max(base_.rtt / 2, kLongInSlowStart) : Allowance();
  long_samples_ = *ack.rtt >= base_.rtt + queue ? long_samples_ + 1 : 0;
  if (long_samples_ < kLongSamples) return;
  long_samples_ = 0;
  if (ack.now - base_.seen_at > kBaseLifetime) return StartDrain(kDrainGain);
  StartHolding();
}

void QueueLimiter::StartHolding() {
  // What was the path's before a drain is still expected.
  hold_ = {.best_rate = hold_.best_rate};
  phase_ = Phase::kHolding;
}

void QueueLimiter::HandleDraining(const AckSample& ack) {
  if (drain_.sent_from == 0) {
    if (ack.flight <= limit_ + pmdcs_) drain_.sent_from = ack.delivered;
    return;
  }
  if (ack.prior_delivered < drain_.sent_from || ack.octets_acknowledged == 0) return;
  if (ack.rtt) drain_.min_rtt = std::min(drain_.min_rtt, *ack.rtt);
  if (drain_.round_end == 0) drain_.round_end = ack.delivered;
  if (ack.prior_delivered >= drain_.round_end && drain_.min_rtt != Duration::max()) FinishDrain(ack.now);
}

void QueueLimiter::FinishDrain(Timestamp now) {
  const Duration measured = std::max(drain_.min_rtt, Duration(1));
  if (measured > base_.rtt + Margin()) return StartYielding(now);
  base_ = {.rtt = measured, .seen_at = now};
  // The guess contained a queue of ours: what is left may contain one, too.
  if (measured < drain_.rtt_before - drain_.rtt_before / 8) return StartDrain(drain_.gain);
  StartHolding();
}

void QueueLimiter::HandleHolding(const AckSample& ack, const Round& last) {
  if (ack.now - base_.seen_at > kBaseLifetime) {
    yield_.next = kFirstYield;
    return StartDrain(kDrainGain);
  }
  if (!round_.started || !last.held_back || last.min_rtt == Duration::max()) return;
  const Duration queue = last.min_rtt - base_.rtt;
  const bool is_long = queue > Allowance() + Margin();
  hold_.rounds_long = is_long ? hold_.rounds_long + 1 : 0;
  hold_.rounds_short = queue < Allowance() / 2 ? hold_.rounds_short + 1 : 0;
  if (hold_.rounds_long >= kLongRounds) return StartYielding(ack.now);
  hold_.best_rate = std::max(hold_.best_rate, rate_.Get());
  // Without a queue it is ours to send more, see UpdateLimit.
  if (is_long || hold_.rounds_short > 0 || rate_.Get() >= hold_.best_rate - hold_.best_rate / 4) return;
  phase_ = Phase::kPushing;
  push_ = {.rate = rate_.Get()};
}

void QueueLimiter::HandlePushing(Timestamp now) {
  if (!round_.started || ++push_.rounds < kPushRounds) return;
  if (rate_.Get() > push_.rate + push_.rate / 20) return StartYielding(now);
  hold_ = {};
  StartHolding();
}

void QueueLimiter::StartDrain(double gain) {
  phase_ = Phase::kDraining;
  drain_ = {.gain = gain, .rtt_before = base_.rtt};
}

void QueueLimiter::StartYielding(Timestamp now) {
  phase_ = Phase::kYielding;
  yield_.next = std::clamp(yield_.next, kFirstYield, kLongestYield);
  yield_.until = now + yield_.next;
  yield_.next *= 2;
  base_ = {};
  hold_ = {};
}

void QueueLimiter::UpdateLimit() {
  switch (phase_) {
    case Phase::kOpen:
    case Phase::kYielding:
      limit_ = SIZE_MAX;
      return;
    case Phase::kDraining:
      limit_ = static_cast<size_t>(static_cast<double>(PathHolds(drain_.rtt_before)) * drain_.gain);
      break;
    case Phase::kHolding: {
      const auto octets = static_cast<double>(PathHolds(base_.rtt + Allowance()));
      limit_ = static_cast<size_t>(octets * (hold_.rounds_short >= kShortRounds ? kGrowthGain : 1));
      break;
    }
    case Phase::kPushing:
      limit_ = static_cast<size_t>(static_cast<double>(push_.rate * static_cast<uint64_t>(base_.rtt.count())) / 1e6 *
                                   kPushGain);
      break;
  }
  limit_ = std::max(limit_, kFloorPackets * pmdcs_);
}

uint64_t QueueLimiter::pacing_rate() const {
  if (limit_ == SIZE_MAX) return UINT64_MAX;
  const double gain = phase_ == Phase::kDraining ? drain_.gain : kGrowthGain;
  return std::max<uint64_t>(static_cast<uint64_t>(static_cast<double>(rate_.Get()) * gain), pmdcs_);
}

size_t QueueLimiter::PathHolds(Duration rtt) const {
  return static_cast<size_t>(rate_.Get() * static_cast<uint64_t>(rtt.count()) / 1'000'000);
}

Duration QueueLimiter::SendingTime(size_t packets) const {
  return Duration(static_cast<int64_t>(packets * pmdcs_ * 1'000'000 / rate_.Get()));
}

Duration QueueLimiter::Allowance() const { return std::max(kAllowance, SendingTime(kAllowancePackets)); }

// What the round trip may be longer by without meaning anything: the rate is not exact, and of what a drain leaves in
// flight all may be in the queue.
Duration QueueLimiter::Margin() const {
  return std::max<Duration>(base_.rtt / 8, milliseconds(4)) + SendingTime(kFloorPackets);
}

}  // namespace jsp::sctp
