#include "bench/natlab/demands.h"

#include <cstdio>

namespace jsp::natlab {
namespace {

std::string Sentence(const char* format, double is, double demanded) {
  char text[160];
  std::snprintf(text, sizeof(text), format, is, demanded);
  return text;
}

}  // namespace

// A slice of a matrix lacks cells of the mix; its own cells then count alike.
MixReport Rates(const Report& report, const Mix* mix) {
  if (mix != nullptr) {
    if (auto weighed = Weigh(*mix, report)) return *std::move(weighed);
  }
  MixReport rates{.name = "every cell alike", .about = {}, .sources = {}};
  for (const CellReport& cell : report.cells) {
    const auto runs = static_cast<double>(cell.direct + cell.relayed + cell.none);
    const double share = 1 / (runs * static_cast<double>(report.cells.size()));
    rates.direct += share * static_cast<double>(cell.direct);
    rates.relay += share * static_cast<double>(cell.relayed);
    rates.none += share * static_cast<double>(cell.none);
  }
  return rates;
}

std::vector<std::string> Unmet(const Demands& demands, const Report& report, const Mix* mix) {
  std::vector<std::string> unmet;
  if (report.cells.empty()) return {"there is no cell"};
  for (const CellReport& cell : report.cells) {
    if (cell.mismatches == 0) continue;
    unmet.push_back(std::string(netsim::ToString(cell.a)) + " - " + std::string(netsim::ToString(cell.b)) + " over " +
                    FamilyName(cell.family) + ": " + cell.why);
  }
  const MixReport rates = Rates(report, mix);
  if (demands.max_none && rates.none > *demands.max_none) {
    unmet.push_back(
        Sentence("%.4f of the connections do not come about; at most %.4f may", rates.none, *demands.max_none));
  }
  if (demands.min_direct && rates.direct < *demands.min_direct) {
    unmet.push_back(
        Sentence("%.4f of the connections are direct; at least %.4f have to be", rates.direct, *demands.min_direct));
  }
  std::vector<double> times;
  for (const CellReport& cell : report.cells) times.insert(times.end(), cell.times_ms.begin(), cell.times_ms.end());
  const auto distribution = Distribution::Of(times);
  if (demands.p95_connect_ms && (times.empty() || distribution.p95 > *demands.p95_connect_ms)) {
    unmet.push_back(Sentence("95 %% of the runs had the first message within %.1f ms, not within %.1f",
                             distribution.p95, *demands.p95_connect_ms));
  }
  return unmet;
}

}  // namespace jsp::natlab
