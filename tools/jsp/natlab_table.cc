#include "tools/jsp/natlab_table.h"

#include <algorithm>

#include "bench/natlab/chance.h"
#include "tools/jsp/output.h"

namespace jsp::tool {
namespace {

using natlab::CellReport;
using natlab::Distribution;
using natlab::Outcome;

constexpr int kWidth = 9;
constexpr const char* kGreen = "\033[32m";
constexpr const char* kYellow = "\033[33m";
constexpr const char* kGray = "\033[90m";
constexpr const char* kMismatch = "\033[1;97;41m";
constexpr const char* kReset = "\033[0m";

Outcome MostFrequent(const CellReport& cell) {
  const size_t best = std::max({cell.direct, cell.relayed, cell.none});
  if (best == cell.direct) return Outcome::kDirect;
  return best == cell.relayed ? Outcome::kRelay : Outcome::kNone;
}

std::string CellText(const CellReport& cell) {
  const Outcome outcome = MostFrequent(cell);
  const char* mark = cell.mismatches > 0 ? "!" : cell.won ? "+" : "";
  if (outcome == Outcome::kNone) return std::string(mark) + "none";
  return Format("%s%c %.0f", mark, outcome == Outcome::kDirect ? 'D' : 'R', Distribution::Of(cell.times_ms).p50);
}

const char* CellColor(const CellReport& cell) {
  if (cell.mismatches > 0) return kMismatch;
  switch (MostFrequent(cell)) {
    case Outcome::kDirect:
      return kGreen;
    case Outcome::kRelay:
      return kYellow;
    case Outcome::kNone:
      return kGray;
  }
  return kGray;
}

void AppendColored(std::string& text, const CellReport& cell, Color color) {
  const std::string padded = Format("%*s", kWidth, CellText(cell).c_str());
  if (color == Color::kOff) {
    text += padded;
  } else {
    text += CellColor(cell) + padded + kReset;
  }
}

std::string Name(netsim::NatType type) { return std::string(netsim::ToString(type)); }

std::string FormatFamily(const natlab::Report& report, IpAddress::Family family, Color color) {
  std::string text = family == IpAddress::Family::kV4 ? "\n" : "\nthe same over IPv6\n\n";
  text += Format("%-*s", kWidth, "a \\ b");
  for (const auto type : report.types) text += Format("%*s", kWidth, Name(type).c_str());
  text += '\n';
  for (const auto a : report.types) {
    text += Format("%-*s", kWidth, Name(a).c_str());
    for (const auto b : report.types) {
      const auto cell =
          std::ranges::find_if(report.cells, [&](const auto& c) { return c.a == a && c.b == b && c.family == family; });
      if (cell != report.cells.end()) AppendColored(text, *cell, color);
    }
    text += '\n';
  }
  return text;
}

// What bad luck was taken for, where a cell is won by chance.
std::string FormatMisses(const natlab::Report& report) {
  std::string text;
  for (const auto& cell : report.cells) {
    const size_t misses = cell.relayed + cell.none;
    if (!cell.miss_chance || misses == 0 || cell.mismatches > 0) continue;
    text += Format("~ %s - %s: no probe met a mapping in %zu of %zu runs, as happens to one of %.0f; %zu may\n",
                   Name(cell.a).c_str(), Name(cell.b).c_str(), misses, report.runs, 1 / *cell.miss_chance,
                   natlab::MostMisses(report.runs, *cell.miss_chance));
  }
  return text;
}

// How long connections were gone after events, over all cells; empty where there were none.
std::string FormatGaps(const natlab::Report& report) {
  std::vector<double> gaps;
  double restarts = 0, reconnects = 0;
  for (const auto& cell : report.cells) {
    gaps.insert(gaps.end(), cell.samples.recovery_ms.begin(), cell.samples.recovery_ms.end());
    for (const double count : cell.samples.restarts) restarts += count;
    for (const double count : cell.samples.reconnects) reconnects += count;
  }
  if (gaps.empty()) return {};
  const auto gap = Distribution::Of(gaps);
  return Format(
      "Gap after events: median %.0f ms, 95 %% within %.0f ms, at most %.0f ms; %.0f restarts of ICE, %.0f "
      "connections made anew in %zu runs\n",
      gap.p50, gap.p95, gap.max, restarts, reconnects, gap.count);
}

}  // namespace

std::string FormatMatrix(const natlab::Report& report, Color color) {
  std::string text = Format("NAT matrix, engine %s, seed %llu, %zu run%s of each cell, %s time\n",
                            report.engine.c_str(), static_cast<unsigned long long>(report.seed), report.runs,
                            report.runs == 1 ? "" : "s", report.engine == "sim" ? "virtual" : "real");
  for (const auto family : {IpAddress::Family::kV4, IpAddress::Family::kV6}) {
    const bool has_cells = std::ranges::any_of(report.cells, [&](const auto& c) { return c.family == family; });
    if (has_cells) text += FormatFamily(report, family, color);
  }
  text += "\nD direct, R relayed, none no connection; the number is the median time to the first message in ms.\n";
  const auto won = std::ranges::count_if(report.cells, [](const auto& c) { return c.won && c.mismatches == 0; });
  if (won > 0) text += Format("+ direct by prediction, probes or fresh sockets only: %td cells\n", won);
  text += FormatMisses(report);
  text += FormatGaps(report);
  for (const auto& cell : report.cells) {
    if (cell.mismatches == 0) continue;
    text += Format("! %s - %s: expected %s in %s run, but %zu of %zu differ: %s\n", Name(cell.a).c_str(),
                   Name(cell.b).c_str(), ToString(cell.expected), cell.miss_chance ? "almost every" : "every",
                   cell.mismatches, report.runs, cell.why.c_str());
  }
  text += Format("%zu cells, %zu mismatch%s with what the NAT types allow\n", report.cells.size(), report.mismatches(),
                 report.mismatches() == 1 ? "" : "es");
  return text;
}

std::string FormatMixes(const natlab::Report& report) {
  if (report.mixes.empty()) return {};
  std::string text = "\nWeighted by how common the NATs are (assumptions; sources in the JSON)\n\n";
  for (const auto& mix : report.mixes) {
    text += Format("%-12sdirect %5.1f %%   relay %5.1f %%   none %5.1f %%\n", mix.name.c_str(), mix.direct * 100,
                   mix.relay * 100, mix.none * 100);
  }
  return text;
}

// Also what is not as the simulation has it, a line each.
std::string FormatKernel(const natlab::Report& report) {
  const natlab::KernelCheck& kernel = report.kernel;
  if (!kernel.not_run.empty()) return "\nWith a kernel's NATs: not run, " + kernel.not_run + "\n";
  if (kernel.cells.empty()) return {};
  size_t agree = 0;
  std::string others;
  for (const auto& cell : kernel.cells) {
    agree += cell.mismatches == 0 ? 1 : 0;
    if (cell.mismatches == 0) continue;
    others +=
        std::string(netsim::ToString(cell.a)) + " - " + std::string(netsim::ToString(cell.b)) + ": " + cell.why + "\n";
  }
  return Format("\nWith a kernel's NATs and real sockets: %zu of %zu cells end as in the simulation\n", agree,
                kernel.cells.size()) +
         others;
}

std::string FormatChanges(const natlab::Report& report) {
  if (report.changes.empty()) return "\nNothing has changed.\n";
  std::string text = "\nWhat changed\n\n";
  for (const auto& change : report.changes) text += change + "\n";
  return text;
}

std::string FormatPaths(const natlab::Report& report) {
  if (report.paths.empty()) return {};
  const bool is_real = report.engine != "sim";
  std::string text =
      Format("\nPaths: access links of 50 Mbit/s and 10 ms at both ends, %s time\n\n", is_real ? "real" : "virtual");
  const bool has_cpu =
      std::ranges::any_of(report.paths, [](const auto& path) { return path.cpu_ms_per_mb.has_value(); });
  text += "path             connect ms p50     p95    round trip ms p50     p95   loaded p50      MB/s";
  text += has_cpu ? "   CPU ms/MB\n" : "\n";
  for (const auto& path : report.paths) {
    text += Format("%-12s%s%14.1f %7.1f %20.1f %7.1f %12.1f %9.2f", path.path.c_str(),
                   path.family == IpAddress::Family::kV4 ? "IPv4 " : "IPv6 ", path.connect_ms.p50, path.connect_ms.p95,
                   path.rtt_ms.p50, path.rtt_ms.p95, path.loaded_rtt_ms.p50, path.mbytes_per_s);
    text += path.cpu_ms_per_mb ? Format("%12.1f\n", *path.cpu_ms_per_mb) : std::string("\n");
  }
  if (!has_cpu) return text;
  text += is_real ? "CPU: processor time of both peers' processes for the bulk, with the kernel's work for them\n"
                  : "CPU: processor time of this process for the bulk, both peers, server and simulated network\n";
  return text;
}

}  // namespace jsp::tool
