// The program of jsp_natlab_test (defs.bzl): runs a scenario in virtual time and fails when its demands are not met.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include "bench/natlab/demands.h"
#include "bench/natlab/matrix_processes.h"
#include "bench/natlab/scenario.h"

namespace jsp::natlab {
namespace {

struct Arguments {
  std::string scenario;
  Demands demands;
  uint64_t seed = 1;
  size_t runs = 0;
  size_t shard = 0;
  size_t shards = 1;
  std::string json;
};

int Run(const Arguments& arguments) {
  auto scenario = LoadScenario(arguments.scenario);
  if (!scenario) {
    std::fprintf(stderr, "error: %s\n", scenario.error().c_str());
    return 2;
  }
  MatrixOptions& options = scenario->matrix;
  options.seed = arguments.seed;
  options.shard = {arguments.shard, arguments.shards};
  if (arguments.runs > 0) options.runs = arguments.runs;
  // More shards than cells: this one has nothing to do.
  if (PlanMatrix(options).empty() && arguments.shards > 1) return 0;
  const Report report = RunMatrixInProcesses(options, {.jobs = 1});
  if (!arguments.json.empty() && !(std::ofstream(arguments.json) << ToJson(report))) {
    std::fprintf(stderr, "error: cannot write %s\n", arguments.json.c_str());
    return 1;
  }
  const auto& mixes = BuiltInMixes();
  const auto mix = std::ranges::find(mixes, scenario->mix, &Mix::name);
  const Mix* weights = mix == mixes.end() ? nullptr : &*mix;
  const MixReport rates = Rates(report, weights);
  std::printf("%s: %zu cells, %zu runs each: %.1f %% direct, %.1f %% relayed, %.1f %% none\n", scenario->name.c_str(),
              report.cells.size(), report.runs, rates.direct * 100, rates.relay * 100, rates.none * 100);
  const auto unmet = Unmet(arguments.demands, report, weights);
  for (const std::string& sentence : unmet) std::printf("! %s\n", sentence.c_str());
  return unmet.empty() ? 0 : 1;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App program("runs a NAT lab scenario and holds it to demands", "check");
  program.add_option("--scenario", arguments.scenario, "a preset's name or a JSON file")->required();
  program.add_option("--max-none", arguments.demands.max_none, "share of connections that may fail")
      ->check(CLI::Range(0.0, 1.0));
  program.add_option("--min-direct", arguments.demands.min_direct, "share of connections that have to be direct")
      ->check(CLI::Range(0.0, 1.0));
  program.add_option("--p95-connect-ms", arguments.demands.p95_connect_ms, "until the first message, 95 % of the runs")
      ->check(CLI::PositiveNumber);
  program.add_option("--seed", arguments.seed, "the same seed gives the same report");
  program.add_option("--runs", arguments.runs, "of each cell; 0: as the scenario says");
  program.add_option("--shard", arguments.shard, "which slice of the cells, from 0");
  program.add_option("--shards", arguments.shards, "how many slices there are")->check(CLI::Range(1, 1000000));
  program.add_option("--json", arguments.json, "where the report goes, for jsp natlab merge");
  CLI11_PARSE(program, argc, argv);
  if (arguments.shard >= arguments.shards) {
    std::fprintf(stderr, "error: --shard has to be less than --shards\n");
    return 2;
  }
  return Run(arguments);
}

}  // namespace
}  // namespace jsp::natlab

int main(int argc, char** argv) { return jsp::natlab::Main(argc, argv); }
