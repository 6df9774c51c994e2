#include "bench/natlab/report.h"

#include <algorithm>
#include <cmath>

namespace jsp::natlab {

// Nearest rank: a value that really occurred.
Distribution Distribution::Of(std::vector<double> sample) {
  if (sample.empty()) return {};
  std::ranges::sort(sample);
  const auto at = [&](double share) {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sample.size())));
    return sample[std::clamp<size_t>(rank, 1, sample.size()) - 1];
  };
  return {at(0.50), at(0.95), sample.back(), sample.size()};
}

size_t Report::mismatches() const {
  size_t sum = 0;
  for (const auto& cell : cells) sum += cell.mismatches;
  return sum;
}

}  // namespace jsp::natlab
