#include "bench/natlab/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace jsp::natlab {
namespace {

constexpr double kShare = 0.1;
constexpr double kMilliseconds = 5;

std::string Number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

std::string Outcomes(const CellReport& cell) {
  return std::to_string(cell.direct) + " direct, " + std::to_string(cell.relayed) + " relayed, " +
         std::to_string(cell.none) + " none";
}

bool DiffersByShare(double before, double now) { return std::abs(now - before) > kShare * std::abs(before); }

std::string Change(double before, double now, const std::string& unit) {
  std::string text = Number(before) + " to " + Number(now) + " " + unit;
  if (before != 0) text += " (" + std::string(now > before ? "+" : "") + Number((now - before) / before * 100) + " %)";
  return text;
}

void CompareCells(const CellReport& before, const CellReport& now, std::vector<std::string>& changes) {
  const std::string name = std::string(netsim::ToString(now.a)) + " - " + std::string(netsim::ToString(now.b)) +
                           (now.family == IpAddress::Family::kV6 ? " over IPv6" : "");
  if (before.expected != now.expected) {
    changes.push_back(name + ": expected was " + ToString(before.expected) + ", is " + ToString(now.expected));
  }
  const auto share = [](const CellReport& cell, size_t count) {
    const size_t runs = cell.direct + cell.relayed + cell.none;
    return runs == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(runs);
  };
  if (share(before, before.direct) != share(now, now.direct) || share(before, before.none) != share(now, now.none)) {
    changes.push_back(name + ": " + Outcomes(before) + "; now " + Outcomes(now));
  }
  const double was = Distribution::Of(before.times_ms).p50;
  const double is = Distribution::Of(now.times_ms).p50;
  if (was != 0 && is != 0 && DiffersByShare(was, is) && std::abs(is - was) > kMilliseconds) {
    changes.push_back(name + ": first message " + Change(was, is, "ms"));
  }
}

void ComparePaths(const PathReport& before, const PathReport& now, std::vector<std::string>& changes) {
  const auto compare = [&](const char* what, double was, double is, const char* unit) {
    const bool is_time = unit[0] == 'm';
    if (!DiffersByShare(was, is) || (is_time && std::abs(is - was) <= kMilliseconds)) return;
    const char* family = now.family == IpAddress::Family::kV4 ? "" : " over ipv6";
    changes.push_back("path " + now.path + family + ": " + what + " " + Change(was, is, unit));
  };
  compare("connect", before.connect_ms.p50, now.connect_ms.p50, "ms");
  compare("round trip", before.rtt_ms.p50, now.rtt_ms.p50, "ms");
  compare("loaded round trip", before.loaded_rtt_ms.p50, now.loaded_rtt_ms.p50, "ms");
  compare("throughput", before.mbytes_per_s, now.mbytes_per_s, "MB/s");
}

}  // namespace

std::vector<std::string> Compare(const Report& before, const Report& now) {
  std::vector<std::string> changes;
  size_t missing = 0;
  for (const CellReport& cell : now.cells) {
    const auto same = [&](const CellReport& c) {
      return c.a == cell.a && c.b == cell.b && c.family == cell.family && c.relay == cell.relay;
    };
    const auto found = std::ranges::find_if(before.cells, same);
    if (found == before.cells.end()) {
      ++missing;
    } else {
      CompareCells(*found, cell, changes);
    }
  }
  if (missing > 0) changes.push_back(std::to_string(missing) + " cells are not in the old report");
  for (const PathReport& path : now.paths) {
    const auto found = std::ranges::find_if(
        before.paths, [&](const PathReport& other) { return other.path == path.path && other.family == path.family; });
    if (found != before.paths.end()) ComparePaths(*found, path, changes);
  }
  return changes;
}

}  // namespace jsp::natlab
