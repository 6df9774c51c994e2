#include "sctp/tx/model_based.h"

#include <algorithm>
namespace jsp::sctp {
namespace {

constexpr double kStartupGain = 2.77;  // 4 ln 2: doubles the rate every round trip
constexpr double kDrainGain = 0.35;
constexpr double kWindowGain = 2.0;
// One round of more, one of less, six of just the measured rate.
constexpr std::array<double, 8> kCycleGains{1.2, 0.8, 1, 1, 1, 1, 1, 1};
constexpr uint64_t kBandwidthRounds = 5;  // of each of the two windows
constexpr Duration kMinRttLifetime = std::chrono::seconds(10);
constexpr Duration kProbeRttTime = std::chrono::milliseconds(200);
// A round that lost more than this share met a full queue. Random loss on paths that people use is below.
constexpr double kLossThreshold = 0.08;
constexpr size_t kLostPackets = 16;  // fewer in a round may be chance
constexpr double kLossBeta = 0.7;
constexpr double kLongQueue = 1.15;
constexpr Duration kLongQueueAtLeast = std::chrono::milliseconds(5);

}  // namespace

ModelBased::ModelBased(size_t pmdcs, size_t initial_cwnd)
    : pmdcs_(pmdcs), initial_cwnd_(initial_cwnd), cwnd_(initial_cwnd) {}

void ModelBased::HandleAck(const AckSample& ack) {
  now_ = std::max(now_, ack.now);
  UpdateRound(ack);
  UpdateBandwidth(ack);
  UpdateMinRtt(ack);
  UpdateLossBound(ack);
  UpdatePhase(ack);
  UpdateWindow(ack);
  if (recovery_exit_ && ack.cumulative_tsn >= *recovery_exit_) recovery_exit_.reset();
}

void ModelBased::UpdateRound(const AckSample& ack) {
  round_.started = ack.octets_acknowledged > 0 && ack.prior_delivered >= round_.end;
  if (round_.started) {
    round_.end = ack.delivered;
    ++round_.count;
  }
}

void ModelBased::UpdateBandwidth(const AckSample& ack) {
  // A window without any sample, while gaps hide what arrives, does not make the model forget.
  if (round_.count >= bandwidth_.window_start + kBandwidthRounds && bandwidth_.maxima[1] > 0) {
    bandwidth_.maxima = {bandwidth_.maxima[1], 0};
    bandwidth_.window_start = round_.count;
  }
  if (ack.octets_per_second == 0) return;
  // An application that sends little says nothing about the path, unless it shows that it is faster.
  if (ack.app_limited && ack.octets_per_second < bandwidth_.Get()) return;
  bandwidth_.maxima[1] = std::max(bandwidth_.maxima[1], ack.octets_per_second);
}

void ModelBased::UpdateMinRtt(const AckSample& ack) {
  if (!ack.rtt) return;
  const Duration rtt = std::max(*ack.rtt, Duration(1));
  rtt_.latest = rtt;
  const bool expired = rtt_.min != Duration::zero() && now_ - rtt_.measured_at > kMinRttLifetime;
  if (rtt_.min == Duration::zero() || rtt <= rtt_.min) {
    rtt_.min = rtt;
    rtt_.measured_at = now_;
  } else if (expired && phase_ == Phase::kProbeBandwidth) {
    phase_ = Phase::kProbeRtt;
    rtt_.done_at = Timestamp::Never();
    rtt_.min = rtt;
  }
}

void ModelBased::UpdateLossBound(const AckSample& ack) {
  round_.acknowledged += ack.octets_acknowledged;
  round_.lost += ack.octets_lost;
  if (!round_.started) return;
  const double share =
      static_cast<double>(round_.lost) / static_cast<double>(std::max<size_t>(round_.lost + round_.acknowledged, 1));
  const bool too_much = share > kLossThreshold && round_.lost >= kLostPackets * pmdcs_;
  // A loss while the round trip is long comes from the queue, which others fill too; one while it is short does not.
  const bool queue_is_long =
      static_cast<double>(rtt_.latest.count()) > static_cast<double>(rtt_.min.count()) * kLongQueue &&
      rtt_.latest > rtt_.min + kLongQueueAtLeast;
  const bool met_queue = round_.marked || (round_.lost > 0 && queue_is_long && phase_ == Phase::kProbeBandwidth);
  if ((too_much || met_queue) && round_.count > round_.cut_at + 1) {
    // Not below what the bottleneck carries without a queue: if the path got slower, the measured rate follows by
    // itself. What a cut leads to is seen a round later.
    const size_t seen = met_queue ? ack.flight + ack.octets_acknowledged : cwnd_;
    const auto cut = static_cast<size_t>(static_cast<double>(std::min(seen, inflight_bound_)) * kLossBeta);
    inflight_bound_ = std::max({cut, Bdp(1), Floor()});
    round_.cut_at = round_.count;
    if (phase_ == Phase::kStartup) phase_ = Phase::kDrain;
  } else if (inflight_bound_ != SIZE_MAX && phase_ == Phase::kProbeBandwidth) {
    // Probing upwards: slowly while others may share the queue, by an eighth a round where there is none.
    inflight_bound_ += queue_is_long ? pmdcs_ : std::max(inflight_bound_ / 8, pmdcs_);
    if (inflight_bound_ > 2 * Bdp(kWindowGain)) inflight_bound_ = SIZE_MAX;
  }
  round_.acknowledged = round_.lost = 0;
  round_.marked = false;
}

void ModelBased::UpdatePhase(const AckSample& ack) {
  switch (phase_) {
    case Phase::kStartup: {
      (void)startup_.hystart.HandleAck(ack.delivered, ack.prior_delivered, ack.rtt);
      if (!round_.started || ack.app_limited) return;
      const uint64_t bandwidth = bandwidth_.Get();
      if (bandwidth >= startup_.full_bandwidth + startup_.full_bandwidth / 4) {
        startup_.full_bandwidth = bandwidth;
        startup_.rounds_without_growth = 0;
        return;
      }
      ++startup_.rounds_without_growth;
      // Three rounds without growth of the rate; one is enough when a queue is seen to build.
      if (startup_.rounds_without_growth >= 3 || startup_.hystart.has_queue()) phase_ = Phase::kDrain;
      return;
    }
    case Phase::kDrain:
      if (ack.flight > Bdp(1)) return;
      phase_ = Phase::kProbeBandwidth;
      cycle_ = {.index = 2, .since = now_};
      return;
    case Phase::kProbeBandwidth:
      AdvanceCycle(ack);
      return;
    case Phase::kProbeRtt:
      if (rtt_.done_at == Timestamp::Never()) {
        if (ack.flight <= std::max(Bdp(0.5), Floor()) + pmdcs_) rtt_.done_at = now_ + kProbeRttTime;
        return;
      }
      if (now_ < rtt_.done_at) return;
      rtt_.measured_at = now_;
      phase_ = Phase::kProbeBandwidth;
      cycle_ = {.index = 2, .since = now_};
      return;
  }
}

void ModelBased::AdvanceCycle(const AckSample& ack) {
  const bool full_length = now_ - cycle_.since > rtt_.min;
  const double gain = kCycleGains[cycle_.index];
  bool next = full_length;
  // Stay above until it shows, or hurts; leave the lower rate as soon as the queue is gone.
  if (gain > 1) next = full_length && (ack.octets_lost > 0 || ack.flight >= std::min(Bdp(gain), inflight_bound_));
  if (gain < 1) next = full_length || ack.flight <= Bdp(1);
  if (next) cycle_ = {.index = (cycle_.index + 1) % kCycleGains.size(), .since = now_};
}

void ModelBased::UpdateWindow(const AckSample& ack) {
  if (phase_ == Phase::kProbeRtt) {
    cwnd_ = std::max(Bdp(0.5), Floor());
    return;
  }
  const bool is_starting = phase_ == Phase::kStartup && !startup_.hystart.has_queue();
  const double gain = is_starting ? kStartupGain : kWindowGain;
  const size_t target = bandwidth_.Get() == 0 || rtt_.min == Duration::zero()
                            ? initial_cwnd_
                            : std::min(Bdp(gain) + 3 * pmdcs_, inflight_bound_);
  // Grows by what is acknowledged, so that a first large sample makes no burst.
  if (cwnd_ < target || phase_ == Phase::kStartup) {
    cwnd_ = phase_ == Phase::kStartup && cwnd_ >= target ? cwnd_ : std::min(cwnd_ + ack.octets_acknowledged, target);
  } else {
    cwnd_ = target;
  }
  cwnd_ = std::max(cwnd_, Floor());
}

size_t ModelBased::Bdp(double gain) const {
  const double octets = static_cast<double>(bandwidth_.Get()) * static_cast<double>(rtt_.min.count()) / 1e6;
  return static_cast<size_t>(octets * gain);
}

double ModelBased::PacingGain() const {
  switch (phase_) {
    case Phase::kStartup:
      // A queue builds, so the rate is all but found: what is missing is little.
      return startup_.hystart.has_queue() ? kCycleGains[0] : kStartupGain;
    case Phase::kDrain:
      return kDrainGain;
    case Phase::kProbeBandwidth:
      return kCycleGains[cycle_.index];
    case Phase::kProbeRtt:
      break;
  }
  return 1;
}

uint64_t ModelBased::pacing_rate(Duration srtt) const {
  const uint64_t by_window = WindowPacingRate(cwnd_, SIZE_MAX, srtt);
  if (bandwidth_.Get() == 0) return by_window;
  const auto by_model = static_cast<uint64_t>(static_cast<double>(bandwidth_.Get()) * PacingGain());
  // A measured rate is that of the round trip before; while the window doubles, the window knows better.
  const bool is_doubling = phase_ == Phase::kStartup && !startup_.hystart.has_queue();
  return std::max<uint64_t>(is_doubling ? std::max(by_model, by_window) : by_model, 1000);
}

// Losses act through UpdateLossBound; this only bounds the episode.
void ModelBased::HandleLoss(UnwrappedTsn highest_outstanding) {
  if (!in_fast_recovery()) recovery_exit_ = highest_outstanding;
}

// RFC 3168 §6.1.2. What a mark says is what a loss may say: there is a queue, and it is too long.
void ModelBased::HandleCongestionExperienced(UnwrappedTsn highest_outstanding) {
  round_.marked = true;
  HandleLoss(highest_outstanding);
}

void ModelBased::HandleTimeout() {
  // RFC 9260 §7.2.3: one packet; the model, which is not to blame, brings the window back as acknowledgements come.
  cwnd_ = pmdcs_;
  recovery_exit_.reset();
}

// The rate stays what it was; pacing sees to it that no burst follows (RFC 9260 §7.2.1).
void ModelBased::HandleIdle(Duration, Duration) {}

void ModelBased::Undo(const ModelBased& before) {
  recovery_exit_.reset();
  cwnd_ = std::max(cwnd_, before.cwnd_);
  inflight_bound_ = std::max(inflight_bound_, before.inflight_bound_);
}

}  // namespace jsp::sctp
