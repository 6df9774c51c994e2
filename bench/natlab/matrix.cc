#include "bench/natlab/matrix.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "bench/natlab/cell_runner.h"
#include "bench/natlab/chance.h"

namespace jsp::natlab {
namespace {

// Cells and runs get seeds of their own, so that one more cell does not change the others.
uint64_t SeedFor(uint64_t seed, const CellPlan& plan, size_t run) {
  const uint64_t family = plan.family == IpAddress::Family::kV4 ? 0 : 1;
  const uint64_t cell = family * 65536 + static_cast<uint64_t>(plan.a) * 256 + static_cast<uint64_t>(plan.b);
  return seed * 1'000'003 + cell * 10'007 + run;
}

double Milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

// "DIR/port-sym-ipv4-1": the first run has 1.
std::string CaptureOf(const MatrixOptions& options, const CellPlan& plan, size_t run) {
  if (options.captures.empty()) return {};
  return options.captures + "/" + std::string(netsim::ToString(plan.a)) + "-" + std::string(netsim::ToString(plan.b)) +
         "-" + FamilyName(plan.family) + "-" + std::to_string(run + 1);
}

// What the oracle says of a cell, for runs of it.
struct Verdict {
  HardNats hard;
  Outcome without_luck;                 // where a cell is won by chance
  std::optional<double> luck_chance{};  // of a run that is direct as a link lost what takes the direct way away
  size_t misses = 0;                    // of a cell that is won by chance
  size_t lucks = 0;
  uint64_t first_miss = 0;
};

void Count(CellReport& cell, const RunResult& run, uint64_t seed, Verdict& verdict) {
  cell.direct += run.outcome == Outcome::kDirect ? 1 : 0;
  cell.relayed += run.outcome == Outcome::kRelay ? 1 : 0;
  cell.none += run.outcome == Outcome::kNone ? 1 : 0;
  if (!run.pair_type.empty()) ++cell.pair_types[run.pair_type];
  if (!run.relay_protocol.empty()) ++cell.relay_protocols[run.relay_protocol];
  const auto add = [](std::vector<double>& sample, const std::optional<Duration>& time) {
    if (time) sample.push_back(Milliseconds(*time));
  };
  add(cell.samples.first_valid_ms, run.to_first_valid);
  add(cell.samples.nominated_ms, run.to_nominated);
  add(cell.samples.dtls_ms, run.to_dtls);
  add(cell.samples.upgrades_ms, run.to_upgrade);
  add(cell.samples.recovery_ms, run.to_recovery);
  if (run.to_recovery) cell.samples.restarts.push_back(static_cast<double>(run.restarts));
  if (run.to_recovery) cell.samples.reconnects.push_back(static_cast<double>(run.reconnects));
  if (run.to_first_message) cell.times_ms.push_back(Milliseconds(*run.to_first_message));
  cell.samples.checks_sent.push_back(static_cast<double>(run.checks_sent));
  cell.samples.bytes_sent.push_back(static_cast<double>(run.bytes_sent));
  const bool is_spared = verdict.luck_chance && run.outcome == Outcome::kDirect;
  verdict.lucks += is_spared ? 1 : 0;
  // A probe may come through before what opened the mapping is rejected; about one run in twenty.
  const bool is_lucky = is_spared || (verdict.hard == HardNats::kCrossed && run.outcome == Outcome::kDirect);
  const bool is_miss = cell.miss_chance && run.outcome == verdict.without_luck;
  if (is_miss && verdict.misses++ == 0) verdict.first_miss = seed;
  // What was asked for and is not there makes the command fail, like an outcome that may not be.
  const bool has_problem = !run.capture_problem.empty();
  const bool mismatch = has_problem || (run.outcome != cell.expected && !is_lucky && !is_miss);
  if (mismatch && cell.mismatches == 0 && has_problem) {
    cell.why = run.capture_problem;
  } else if (mismatch && cell.mismatches == 0) {
    cell.why = std::string("expected ") + ToString(cell.expected) + ", observed " + ToString(run.outcome) + " (seed " +
               std::to_string(seed) + ")" + (run.why.empty() ? "" : ": " + run.why);
  }
  cell.mismatches += mismatch ? 1 : 0;
  if (cell.why.empty()) cell.why = run.why;
}

// Too many misses are a bug in the stack or in the lab.
void BlameMisses(CellReport& cell, const Verdict& verdict, size_t runs) {
  if (!cell.miss_chance) return;
  const size_t most = MostMisses(runs, *cell.miss_chance);
  if (verdict.misses <= most) return;
  if (cell.mismatches == 0) {
    char chance[32];
    std::snprintf(chance, sizeof(chance), "%.2g", *cell.miss_chance);
    cell.why = "probes missed in " + std::to_string(verdict.misses) + " runs, the first of seed " +
               std::to_string(verdict.first_miss) + "; by chance, " + chance + " for each, it is at most " +
               std::to_string(most) + " of " + std::to_string(runs) + (cell.why.empty() ? "" : ": " + cell.why);
  }
  cell.mismatches += verdict.misses;
}

// More runs that are direct than links lose checks are one, too.
void BlameLuck(CellReport& cell, const Verdict& verdict, size_t runs) {
  if (!verdict.luck_chance) return;
  const size_t most = MostMisses(runs, *verdict.luck_chance);
  if (verdict.lucks <= most) return;
  cell.why = "direct in " + std::to_string(verdict.lucks) + " runs, as if b's early check had been lost; of " +
             std::to_string(runs) + ", links lose it in at most " + std::to_string(most);
  cell.mismatches += verdict.lucks;
}

}  // namespace

std::string WaysOf(const Network& network) {
  std::string ways = network.joint.ice_tcp ? "--ice-tcp" : "";
  if (network.hard == HardNats::kCrossed) ways += ways.empty() ? "--prediction" : " --prediction";
  return ways;
}

std::vector<CellPlan> PlanMatrix(const MatrixOptions& options) {
  std::vector<CellPlan> plans;
  size_t index = 0;
  for (const auto family : options.families) {
    for (const auto a : options.types) {
      for (const auto b : options.types) {
        if (a != b && options.network.joint.site == netsim::Site::kSameLan) continue;
        if (index++ % options.shard.count == options.shard.index) plans.push_back({a, b, family});
      }
    }
  }
  return plans;
}

CellReport RunPlan(const MatrixOptions& options, const CellPlan& plan) {
  CellReport cell;
  cell.a = plan.a;
  cell.b = plan.b;
  cell.family = plan.family;
  cell.relay = options.relay == RelayService::kPresent;
  cell.expected = ExpectedOutcome(plan.a, plan.b, options.relay, options.network.joint, options.network.hard);
  cell.won = cell.expected == Outcome::kDirect &&
             ExpectedOutcome(plan.a, plan.b, options.relay, options.network.joint) != Outcome::kDirect;
  Verdict verdict{.hard = options.network.hard,
                  .without_luck = ExpectedOutcome(plan.a, plan.b, options.relay, options.network.joint)};
  if (IsWonByChance(plan.a, plan.b, options.relay, options.network.joint, options.network.hard)) {
    cell.miss_chance = MissChance(options.network);
  }
  const bool crosses = options.network.hard == HardNats::kCrossed;  // where luck is no mismatch, however often it comes
  if (!crosses && IsLostToEarlyCheck(plan.a, plan.b, options.relay, options.network.joint)) {
    verdict.luck_chance = LossChance(options.network);
  }
  for (size_t run = 0; run < options.runs; ++run) {
    const uint64_t seed = SeedFor(options.seed, plan, run);
    const CellOptions cell_options{
        plan.a, plan.b, options.relay, plan.family, seed, options.network, CaptureOf(options, plan, run)};
    const Engine& engine = options.engine;
    const RunResult result = engine.run != nullptr ? engine.run(engine.context, cell_options) : RunCell(cell_options);
    Count(cell, result, seed, verdict);
  }
  BlameMisses(cell, verdict, options.runs);
  BlameLuck(cell, verdict, options.runs);
  return cell;
}

Report RunMatrix(const MatrixOptions& options, const Progress& progress) {
  Report report;
  report.seed = options.seed;
  report.runs = options.runs;
  report.types = options.types;
  report.scenario = options.scenario;
  report.ways = WaysOf(options.network);
  report.engine = options.engine.name;
  const auto plans = PlanMatrix(options);
  for (const CellPlan& plan : plans) {
    report.cells.push_back(RunPlan(options, plan));
    if (progress.cell_done != nullptr) {
      progress.cell_done(progress.context, report.cells.back(), report.cells.size(), plans.size());
    }
  }
  return report;
}

}  // namespace jsp::natlab
