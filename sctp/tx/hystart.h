#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
namespace jsp::sctp {

// HyStart++ (RFC 9406 §4): ends slow start when the round trip grows, before the queue overflows. Rounds are counted by
// delivered octets. Owned by a controller, which asks how much of what was acknowledged the window may grow by.
// RFC 9406 §4.2 declined: it looks at the smallest of a whole round, which sees a queue one round, that is one
// doubling, after it began. Here eight samples in a row do. Nor does it stay conservative for five rounds when the
// queue is as long as half the round trip: that is no spurious growth, and the rest of a short queue would overflow
// meanwhile.
class HyStart {
 public:
  enum class Verdict : uint8_t { kSlowStart, kConservative, kLeave };

  // One SACK during slow start.
  Verdict HandleAck(uint64_t delivered, uint64_t prior_delivered, std::optional<Duration> rtt) {
    if (prior_delivered >= round_end_) StartRound(delivered);
    if (!rtt) return verdict();
    min_ = std::min(min_, *rtt);
    const Duration threshold = min_ + std::clamp<Duration>(min_ / kDivisor, kMinThreshold, kMaxThreshold);
    above_ = *rtt >= threshold ? above_ + 1 : 0;
    below_ = *rtt < threshold ? below_ + 1 : 0;
    long_ = *rtt >= min_ + std::max(min_ / 2, kMaxThreshold) ? long_ + 1 : 0;
    if (phase_ == Phase::kSlowStart && above_ >= kSamples) {
      phase_ = Phase::kConservative;
      conservative_rounds_ = 0;
    } else if (phase_ == Phase::kConservative && below_ >= kSamples) {
      // RFC 9406 §4.2: the growth was spurious.
      phase_ = Phase::kSlowStart;
    }
    if (phase_ == Phase::kConservative && long_ >= kSamples) phase_ = Phase::kLeft;
    return verdict();
  }
  // The round trip has grown; for a controller that draws its own conclusion.
  bool has_queue() const { return above_ >= kSamples; }
  bool is_conservative() const { return phase_ == Phase::kConservative; }
  // Growth while Conservative: RFC 9406 §4.2, CSS_GROWTH_DIVISOR.
  static constexpr size_t kGrowthDivisor = 4;

 private:
  enum class Phase : uint8_t { kSlowStart, kConservative, kLeft };
  static constexpr int kDivisor = 8;  // RFC 9406 §4.3, as the other constants
  static constexpr size_t kSamples = 8;
  static constexpr Duration kMinThreshold = std::chrono::milliseconds(4);
  static constexpr Duration kMaxThreshold = std::chrono::milliseconds(16);
  static constexpr int kConservativeRounds = 5;

  void StartRound(uint64_t delivered) {
    round_end_ = delivered;
    if (phase_ == Phase::kConservative && ++conservative_rounds_ > kConservativeRounds) phase_ = Phase::kLeft;
  }
  Verdict verdict() const {
    switch (phase_) {
      case Phase::kSlowStart:
        return Verdict::kSlowStart;
      case Phase::kConservative:
        return Verdict::kConservative;
      case Phase::kLeft:
        break;
    }
    return Verdict::kLeave;
  }

  Phase phase_ = Phase::kSlowStart;
  uint64_t round_end_ = 0;
  Duration min_ = Duration::max();
  size_t above_ = 0;  // samples in a row
  size_t below_ = 0;
  size_t long_ = 0;
  int conservative_rounds_ = 0;
};

}  // namespace jsp::sctp
