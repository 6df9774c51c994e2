#include "bench/natlab/report.h"

#include <algorithm>
#include <cmath>

namespace jsp::natlab {

namespace {

constexpr double kTail = 0.025;   // on either side of an interval
constexpr double kNormal = 1.96;  // what leaves that tail of a normal distribution

// By order statistics: with K ~ Binomial(n, share) runs below the true quantile, it is between the ranks l and u with
// the probability P(l <= K < u). The tightest ranks that leave a tail of at most kTail on either side.
std::optional<Interval> QuantileInterval(const std::vector<double>& sorted, double share) {
  const auto n = sorted.size();
  const auto size = static_cast<double>(n);
  size_t low = 0, high = 0;  // ranks from 1; 0: none
  double below = 0;          // P(K < k)
  for (size_t k = 0; k <= n; ++k) {
    if (below <= kTail && k >= 1) low = k;
    if (below >= 1 - kTail && high == 0) high = k;
    const auto hits = static_cast<double>(k);
    below += std::exp(std::lgamma(size + 1) - std::lgamma(hits + 1) - std::lgamma(size - hits + 1) +
                      hits * std::log(share) + (size - hits) * std::log(1 - share));
  }
  if (low == 0 || high == 0) return std::nullopt;
  return Interval{sorted[low - 1], sorted[high - 1]};
}

}  // namespace

// Wilson's score interval: unlike the usual one it is not empty when all runs are alike.
Interval ShareInterval(size_t hits, size_t count) {
  if (count == 0) return {0, 1};
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(hits) / n;
  const double square = kNormal * kNormal;
  const double middle = (share + square / (2 * n)) / (1 + square / n);
  const double half = kNormal / (1 + square / n) * std::sqrt(share * (1 - share) / n + square / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

// Nearest rank: a value that really occurred.
Distribution Distribution::Of(std::vector<double> sample) {
  if (sample.empty()) return {};
  std::ranges::sort(sample);
  const auto at = [&](double share) {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sample.size())));
    return sample[std::clamp<size_t>(rank, 1, sample.size()) - 1];
  };
  return {
      at(0.50), at(0.95), sample.back(), sample.size(), QuantileInterval(sample, 0.50), QuantileInterval(sample, 0.95)};
}

size_t Report::mismatches() const {
  size_t sum = 0;
  for (const auto& cell : cells) sum += cell.mismatches;
  for (const auto& cell : kernel.cells) sum += cell.mismatches;
  return sum;
}

}  // namespace jsp::natlab
