#pragma once
#include <optional>
#include <string>
#include <vector>

#include "bench/natlab/mixes.h"
#include "bench/natlab/report.h"
namespace jsp::natlab {

// What a network has to give, so that a build may fail when it does not. Shares of 1; nullopt: no demand.
struct Demands {
  std::optional<double> max_none{};        // connections that do not come about
  std::optional<double> min_direct{};      // without a relay
  std::optional<double> p95_connect_ms{};  // until the first message, of the runs that connected
};

// How often each outcome is, weighted by the mix, or with the same weight for every cell.
MixReport Rates(const Report& report, const Mix* mix);

// A sentence for each demand that is not met, and for each cell with a mismatch.
std::vector<std::string> Unmet(const Demands& demands, const Report& report, const Mix* mix);

}  // namespace jsp::natlab
