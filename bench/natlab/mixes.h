#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "bench/natlab/report.h"
namespace jsp::natlab {

// How often a host sits behind which kind of NAT; the weights add up to 1.
struct Mix {
  std::string name;
  std::string about;
  std::vector<std::string> sources;
  std::vector<std::pair<netsim::NatType, double>> weights;
};

// The mixes of bench/natlab/mixes.json, or of a file like it. The error names the mix and what is wrong with it.
Expected<std::vector<Mix>, std::string> ParseMixes(std::string_view json);
const std::vector<Mix>& BuiltInMixes();

// What becomes of a connection between two hosts of the mix, drawn independently; over IPv4. nullopt when the report
// lacks a cell.
std::optional<MixReport> Weigh(const Mix& mix, const Report& report);

}  // namespace jsp::natlab
