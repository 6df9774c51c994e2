#include "bench/natlab/merge.h"

#include <algorithm>
#include <tuple>

#include "bench/natlab/mixes.h"

namespace jsp::natlab {
namespace {

// Cells in the order of a matrix: by family, then as the types come.
auto PlaceOf(const CellReport& cell, const std::vector<netsim::NatType>& types) {
  const auto index = [&](netsim::NatType type) { return std::ranges::find(types, type) - types.begin(); };
  return std::tuple(cell.family, index(cell.a), index(cell.b), cell.relay);
}

std::string NameOf(const CellReport& cell) {
  return std::string(netsim::ToString(cell.a)) + " - " + std::string(netsim::ToString(cell.b)) + " over " +
         FamilyName(cell.family);
}

std::string Difference(const Report& first, const Report& part) {
  const auto differ = [](const char* what, const auto& a, const auto& b) {
    return std::string(what) + " '" + a + "' and '" + b + "'";
  };
  if (first.engine != part.engine) return differ("the engines", first.engine, part.engine);
  if (first.scenario != part.scenario) return differ("the scenarios", first.scenario, part.scenario);
  if (first.ways != part.ways) return differ("the options", first.ways, part.ways);
  if (first.seed != part.seed) return differ("the seeds", std::to_string(first.seed), std::to_string(part.seed));
  if (first.runs != part.runs) return differ("the runs", std::to_string(first.runs), std::to_string(part.runs));
  return {};
}

}  // namespace

Expected<Report, std::string> Merge(const std::vector<Report>& parts) {
  if (parts.empty()) return Unexpected<std::string>("there is nothing to merge");
  Report merged = parts.front();
  merged.cells.clear();
  merged.changes.clear();
  for (const Report& part : parts) {
    if (const auto difference = Difference(parts.front(), part); !difference.empty()) {
      return Unexpected(difference + " do not go together");
    }
    for (const auto type : part.types) {
      if (std::ranges::find(merged.types, type) == merged.types.end()) merged.types.push_back(type);
    }
    merged.cells.insert(merged.cells.end(), part.cells.begin(), part.cells.end());
    merged.interrupted = merged.interrupted || part.interrupted;
    if (merged.paths.empty()) merged.paths = part.paths;
  }
  const auto place = [&](const CellReport& cell) { return PlaceOf(cell, merged.types); };
  std::ranges::stable_sort(merged.cells, {}, place);
  const auto twice = std::ranges::adjacent_find(merged.cells, {}, place);
  if (twice != merged.cells.end()) return Unexpected("two reports have the cell " + NameOf(*twice));
  merged.mixes.clear();
  for (const Mix& mix : BuiltInMixes()) {
    if (auto weighed = Weigh(mix, merged)) merged.mixes.push_back(*std::move(weighed));
  }
  return merged;
}

}  // namespace jsp::natlab
