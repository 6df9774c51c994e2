#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/natlab/compare.h"
#include "bench/natlab/matrix_processes.h"
#include "bench/natlab/mixes.h"
#include "bench/natlab/net_namespace.h"
#include "bench/natlab/netns_runner.h"
#include "bench/natlab/path_netns.h"
#include "bench/natlab/path_runner.h"
#include "bench/natlab/scenario.h"
#include "tools/jsp/commands.h"
#include "tools/jsp/natlab_subcommands.h"
#include "tools/jsp/natlab_table.h"
#include "tools/jsp/output.h"

namespace jsp::tool {
namespace {

constexpr size_t kManyRuns = 20;                              // for a distribution, where they take virtual time
constexpr size_t kWaitingRuns = 6;                            // on one processor
constexpr Duration kRunDeadline = std::chrono::seconds(100);  // of the netns engine, with all that a run starts

// What is written where; - is standard output.
struct ReportFiles {
  std::string json;
  std::string html;
  std::string csv;
  std::string captures;  // a directory
};

// Commands that speak the contract of bench/natlab/README.md; empty: our own.
struct PeerCommands {
  std::string a;
  std::string b;
};

// By whom and where cells are run.
struct Execution {
  std::string engine = "sim";
  size_t jobs = 0;    // 0: as many as there are processors
  std::string shard;  // "I/N", from 1
};

// What the peers may do.
struct WaysAcross {
  bool no_relay = false;
  bool ice_tcp = false;
  bool prediction = false;
};

struct NatlabArguments {
  bool quick = false;
  bool full = false;
  bool paths = false;
  WaysAcross ways;
  Execution execution;
  std::string scenario;
  std::vector<std::string> types;
  std::vector<std::string> families;
  size_t runs = 0;  // 0: as quick or full say
  uint64_t seed = 1;
  ReportFiles files;
  PeerCommands peers;
  std::string mix;
  std::string compare;
};

Expected<std::vector<netsim::NatType>, std::string> ParseTypes(const std::vector<std::string>& names) {
  std::vector<netsim::NatType> types;
  for (const auto& name : names) {
    const auto type = netsim::ParseNatType(name);
    if (!type) {
      return Unexpected("--types: unknown NAT type '" + name + "'; it is one of " + netsim::NatTypeNames());
    }
    // Who names it twice means the cell with itself.
    if (std::ranges::find(types, *type) == types.end()) types.push_back(*type);
  }
  return types;
}

Expected<natlab::Shard, std::string> ParseShard(const std::string& text) {
  if (text.empty()) return natlab::Shard{};
  size_t index = 0, count = 0;
  int end = 0;
  const bool is_read = std::sscanf(text.c_str(), "%5zu/%5zu%n", &index, &count, &end) == 2;
  if (!is_read || static_cast<size_t>(end) != text.size() || index < 1 || index > count) {
    return Unexpected("--shard " + text + ": write I/N, such as 1/4 for the first quarter");
  }
  return natlab::Shard{index - 1, count};
}

std::vector<netsim::NatType> UsualTypes(bool quick) {
  if (!quick) return {netsim::AllNatTypes().begin(), netsim::AllNatTypes().end()};
  return {netsim::NatType::kPublic, netsim::NatType::kFirewall,  netsim::NatType::kFullCone,  netsim::NatType::kAddress,
          netsim::NatType::kPort,   netsim::NatType::kSymmetric, netsim::NatType::kUdpBlocked};
}

// The scenario, if there is one; what else is typed has its way over it.
Expected<natlab::Scenario, std::string> ToScenario(const NatlabArguments& arguments) {
  natlab::Scenario scenario;
  natlab::MatrixOptions& options = scenario.matrix;
  if (!arguments.scenario.empty()) {
    auto loaded = natlab::LoadScenario(arguments.scenario);
    if (!loaded) return Unexpected("--scenario: " + loaded.error());
    scenario = *std::move(loaded);
  } else {
    const bool has_many = arguments.full || (arguments.quick && arguments.execution.engine == "sim");
    options.runs = has_many ? kManyRuns : 1;
    if (arguments.full) options.families.push_back(IpAddress::Family::kV6);
  }
  options.seed = arguments.seed;
  if (arguments.ways.no_relay) options.relay = natlab::RelayService::kNone;
  if (arguments.ways.ice_tcp) options.network.joint.ice_tcp = true;
  if (arguments.ways.prediction) options.network.hard = natlab::HardNats::kCrossed;
  if (arguments.runs > 0) options.runs = arguments.runs;
  if (!arguments.families.empty()) options.families.clear();
  for (const auto& name : arguments.families) {
    options.families.push_back(name == "ipv6" ? IpAddress::Family::kV6 : IpAddress::Family::kV4);
  }
  auto types = ParseTypes(arguments.types);
  if (!types) return Unexpected(types.error());
  if (!types->empty()) options.types = *std::move(types);
  if (options.types.empty()) options.types = UsualTypes(arguments.quick);
  const auto shard = ParseShard(arguments.execution.shard);
  if (!shard) return Unexpected(shard.error());
  options.shard = *shard;
  if (const auto fit = natlab::CheckFit(options); !fit) {
    return Unexpected((fit.error().key == "families" ? "--" : "") + fit.error().key + ": " + fit.error().what);
  }
  return scenario;
}

// Set by SIGINT and SIGTERM, once cells run: what is done is then reported.
volatile std::sig_atomic_t stop_asked = 0;

natlab::Report RunWithProgress(const natlab::MatrixOptions& options, size_t jobs) {
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stop_asked = 1; });
  ProgressLine line("natlab:");
  natlab::Progress progress;
  progress.context = &line;
  progress.cell_done = [](void* context, const natlab::CellReport& cell, size_t done, size_t total) {
    static_cast<ProgressLine*>(context)->Show(Format("%zu of %zu cells (%s - %s)", done, total,
                                                     std::string(netsim::ToString(cell.a)).c_str(),
                                                     std::string(netsim::ToString(cell.b)).c_str()));
  };
  size_t processors = std::max(1u, std::thread::hardware_concurrency());
  // Of real time there is as much as the runs of a cell may take.
  const auto& events = options.network.events;
  const Duration in_events = natlab::SpanOf(events) + (events.empty() ? Duration{} : kRunDeadline);
  const Duration in_real_time = (kRunDeadline + in_events) * static_cast<int>(options.runs);
  // Runs with events wait most of the time.
  if (options.engine.run != nullptr && !events.empty()) processors *= kWaitingRuns;
  natlab::ProcessOptions processes{.jobs = jobs > 0 ? jobs : processors, .stop = &stop_asked};
  if (options.engine.run != nullptr) processes.cell_deadline = std::max(processes.cell_deadline, in_real_time);
  return natlab::RunMatrixInProcesses(options, processes, progress);
}

Expected<void, std::string> WriteReports(const NatlabArguments& arguments, const natlab::Report& report) {
  if (!arguments.files.html.empty()) {
    if (const auto written = WriteDocument(arguments.files.html, natlab::ToHtml(report)); !written) return written;
  }
  if (!arguments.files.csv.empty()) {
    if (const auto written = WriteDocument(arguments.files.csv, natlab::ToCsv(report)); !written) return written;
  }
  if (!arguments.files.json.empty()) return WriteDocument(arguments.files.json, natlab::ToJson(report));
  return {};
}

// By name, or all mixes of a file; every built-in one when none is asked for.
Expected<std::vector<natlab::Mix>, std::string> ReadMixes(const std::string& name) {
  if (name.empty()) return natlab::BuiltInMixes();
  for (const natlab::Mix& mix : natlab::BuiltInMixes()) {
    if (mix.name == name) return std::vector{mix};
  }
  const auto text = ReadFile(name);
  if (!text)
    return Unexpected("--mix: '" + name + "' is neither home, mobile nor enterprise, nor a file that can be read");
  auto mixes = natlab::ParseMixes(*text);
  if (!mixes) return Unexpected("--mix: " + name + ": " + mixes.error());
  return mixes;
}

// A mix that was asked for needs its types, unless they are given.
void AddTypesOf(const std::vector<natlab::Mix>& mixes, std::vector<netsim::NatType>& types) {
  for (const natlab::Mix& mix : mixes) {
    for (const auto& [type, weight] : mix.weights) {
      if (std::ranges::find(types, type) == types.end()) types.push_back(type);
    }
  }
}

Expected<void, std::string> WeighMixes(const NatlabArguments& arguments, const std::vector<natlab::Mix>& mixes,
                                       natlab::Report& report) {
  for (const natlab::Mix& mix : mixes) {
    auto weighed = natlab::Weigh(mix, report);
    if (weighed) {
      report.mixes.push_back(*std::move(weighed));
    } else if (!arguments.mix.empty() && !report.interrupted && arguments.execution.shard.empty()) {
      return Unexpected("--mix: the matrix lacks a type of '" + mix.name + "'; leave --types out");
    }
  }
  return {};
}

// This very program, whatever it is called.
std::string OwnPath() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "jsp" : path.string();
}

std::string Environment() {
  utsname system{};
  ::uname(&system);
  return Format("%s %s, %s, %u processors", system.sysname, system.release, system.machine,
                std::max(1u, std::thread::hardware_concurrency()));
}

// Whom a command line means: a shell runs it.
std::vector<std::string> PeerCommand(const std::string& typed) {
  if (typed.empty()) return {OwnPath(), "peer"};
  return {"/bin/sh", "-c", "exec " + typed};
}

// Puts a kernel's namespaces in the place of the simulation.
Expected<void, std::string> UseNetns(const NatlabArguments& arguments, natlab::NetnsOptions& netns,
                                     natlab::MatrixOptions& options) {
  netns.peer_a = PeerCommand(arguments.peers.a);
  netns.peer_b = PeerCommand(arguments.peers.b);
  netns.turn_server = {OwnPath(), "turn-server"};
  if (const auto able = natlab::CheckNetns(options.network, options.families, options.types); !able) {
    const bool is_permitted = !able.error().starts_with(natlab::kNotPermitted);
    return Unexpected("--engine netns: " + able.error() +
                      (is_permitted ? "; use --engine sim" : "; --engine sim needs no permission"));
  }
  options.engine = {"netns",
                    [](const void* context, const natlab::CellOptions& cell) {
                      return natlab::RunCellInNamespaces(*static_cast<const natlab::NetnsOptions*>(context), cell);
                    },
                    &netns};
  return {};
}

// What --quick alone adds: a few of its cells with a kernel's NATs, where this user may make namespaces.
natlab::KernelCheck CheckWithKernel(const NatlabArguments& arguments) {
  natlab::MatrixOptions options;
  options.types = {netsim::NatType::kPublic, netsim::NatType::kPort, netsim::NatType::kSymmetric};
  options.seed = arguments.seed;
  natlab::NetnsOptions netns;
  const auto able = natlab::CheckNetns(options.network, options.families, options.types);
  if (!able) return {.cells = {}, .not_run = able.error()};
  if (const auto used = UseNetns(arguments, netns, options); !used) return {.cells = {}, .not_run = used.error()};
  return {.cells = RunWithProgress(options, arguments.execution.jobs).cells, .not_run = {}};
}

bool IsQuickAlone(const NatlabArguments& arguments) {
  const bool has_own_cells = !arguments.scenario.empty() || !arguments.types.empty() || !arguments.families.empty() ||
                             !arguments.execution.shard.empty() || arguments.runs > 0;
  const bool has_own_ways = arguments.ways.no_relay || arguments.ways.ice_tcp || arguments.ways.prediction;
  return arguments.quick && arguments.execution.engine == "sim" && !has_own_cells && !has_own_ways;
}

// `netns`: of the engine, if that is it.
Expected<void, std::string> MeasurePaths(const NatlabArguments& arguments, const natlab::NetnsOptions& netns,
                                         natlab::Report& report) {
  if (!arguments.paths && !arguments.quick && !arguments.full) return {};
  ProgressLine line("natlab:");
  line.Show("measuring the paths");
  // What is there besides, --quick and --full, has to be the same on every machine.
  const auto cpu = arguments.paths ? natlab::CpuMeter::kOn : natlab::CpuMeter::kOff;
  const natlab::PathOptions options{.seed = arguments.seed, .cpu = cpu};
  const bool is_real = arguments.paths && arguments.execution.engine == "netns";
  auto paths = is_real ? natlab::RunPathsInNamespaces(netns, options) : natlab::RunPaths(options);
  if (!paths) return Unexpected(paths.error());
  report.paths = *std::move(paths);
  return {};
}

int RunNatlab(const NatlabArguments& arguments) {
  auto scenario = ToScenario(arguments);
  if (!scenario) return Fail(scenario.error(), kExitUsage);
  natlab::MatrixOptions& options = scenario->matrix;
  natlab::NetnsOptions netns;
  if (arguments.execution.engine == "netns") {
    if (const auto used = UseNetns(arguments, netns, options); !used) return Fail(used.error());
    const bool has_foreign = !arguments.peers.a.empty() || !arguments.peers.b.empty();
    if (arguments.paths && has_foreign) return Fail("--paths are measured by jsp's own peers", kExitUsage);
  } else if (!arguments.peers.a.empty() || !arguments.peers.b.empty()) {
    return Fail("--peer-a and --peer-b need real sockets: --engine netns", kExitUsage);
  }
  const auto mixes = ReadMixes(arguments.mix.empty() ? scenario->mix : arguments.mix);
  if (!mixes) return Fail(mixes.error(), kExitUsage);
  if (!arguments.mix.empty() && arguments.types.empty()) AddTypesOf(*mixes, options.types);
  std::optional<natlab::Report> before;
  if (!arguments.compare.empty()) {
    const auto text = ReadFile(arguments.compare);
    if (!text) return Fail("--compare: " + text.error(), kExitUsage);
    auto parsed = natlab::ParseReport(*text);
    if (!parsed) return Fail("--compare: " + arguments.compare + ": " + parsed.error(), kExitUsage);
    before = *std::move(parsed);
  }
  if (!arguments.files.captures.empty()) {
    std::error_code error;
    std::filesystem::create_directories(arguments.files.captures, error);
    if (error) return Fail("--pcap: cannot make " + arguments.files.captures + ": " + error.message());
    options.captures = arguments.files.captures;
  }
  for (const auto& path : {arguments.files.json, arguments.files.html, arguments.files.csv}) {
    if (const auto writable = CheckWritable(path); !writable) return Fail(writable.error());
  }
  const HumanText human(arguments.files.json == "-" || arguments.files.html == "-" || arguments.files.csv == "-");
  natlab::Report report = RunWithProgress(options, arguments.execution.jobs);
  if (options.engine.run != nullptr) report.environment = Environment();
  human.Print(FormatMatrix(report, human.HasColor() ? Color::kOn : Color::kOff));
  if (!report.interrupted) {
    if (const auto measured = MeasurePaths(arguments, netns, report); !measured) return Fail(measured.error());
    if (IsQuickAlone(arguments)) report.kernel = CheckWithKernel(arguments);
  }
  if (const auto weighed = WeighMixes(arguments, *mixes, report); !weighed) return Fail(weighed.error(), kExitUsage);
  if (before) report.changes = natlab::Compare(*before, report);
  human.Print(FormatPaths(report) + FormatMixes(report) + FormatKernel(report));
  if (before) human.Print(FormatChanges(report));
  if (const auto written = WriteReports(arguments, report); !written) return Fail(written.error());
  if (!arguments.files.html.empty() && arguments.files.html != "-")
    human.Print("\nreport: " + arguments.files.html + "\n");
  if (report.interrupted) return Fail(Format("interrupted after %zu cells", report.cells.size()));
  if (report.mismatches() == 0) return kExitDone;
  return Fail(Format("%zu run%s did not end as their NAT types demand; rerun one cell with --types A,B --seed %llu",
                     report.mismatches(), report.mismatches() == 1 ? "" : "s",
                     static_cast<unsigned long long>(report.seed)));
}

}  // namespace

void AddNatlabCommand(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<NatlabArguments>();
  auto* command = program.add_subcommand("natlab", "NAT traversal between every pair of NAT types, simulated");
  auto* quick = command->add_flag("--quick", arguments->quick,
                                  "20 runs of each cell of the types public, fw, fullcone, addr, port, sym and "
                                  "udpblock, the paths, and a few cells with "
                                  "a kernel's NATs where they are permitted");
  command->add_flag("--full", arguments->full, "20 runs of each cell, over IPv4 and IPv6, and the paths")
      ->excludes(quick);
  command
      ->add_option("--engine", arguments->execution.engine, "sim: virtual time and simulated NATs; netns: a kernel's")
      ->check(CLI::IsMember({"sim", "netns"}))
      ->capture_default_str();
  command->add_option("--scenario", arguments->scenario,
                      "what to measure: a JSON file, or home, office, mobile-cgn, enterprise, udp-blocked, ipv6-only, "
                      "same-lan, hairpin, all; other options have their way over it");
  command->add_option("--types", arguments->types, "only these NAT types: " + netsim::NatTypeNames())->delimiter(',');
  command->add_option("--runs", arguments->runs, "runs of each cell, with different seeds")
      ->check(CLI::Range(1, 100000));
  command->add_option("--seed", arguments->seed, "the same seed gives the same report")->capture_default_str();
  command->add_option("--peer-a", arguments->peers.a, "with netns: a command that offers, not jsp peer");
  command->add_option("--peer-b", arguments->peers.b, "with netns: a command that answers, not jsp peer");
  command->add_option("--families", arguments->families, "ipv4, ipv6 or both; a matrix of each")
      ->delimiter(',')
      ->check(CLI::IsMember({"ipv4", "ipv6"}));
  command->add_option("--shard", arguments->execution.shard, "I/N: only the I-th of N slices of the cells; see merge");
  command->add_option("--jobs", arguments->execution.jobs, "processes that run cells; the report does not depend on it")
      ->check(CLI::Range(1, 256));
  command->add_flag("--no-relay", arguments->ways.no_relay, "only STUN, no TURN server");
  command->add_flag("--ice-tcp", arguments->ways.ice_tcp, "both sides listen and connect over TCP as well (RFC 6544)");
  command->add_flag("--prediction", arguments->ways.prediction,
                    "cross hard NATs: predicted ports, probes of random ones, fresh sockets; a second STUN server");
  command->add_flag(
      "--paths", arguments->paths,
      "measure each path: directly, over TCP, and by relays over UDP, TCP and TLS, over IPv4 and IPv6, and "
      "the processor time of each, which no two runs have alike");
  command->add_option("--json", arguments->files.json, "write the report as JSON to FILE, - is standard output");
  command->add_option("--html", arguments->files.html, "write the report as one HTML page to FILE");
  command->add_option("--csv", arguments->files.csv, "write the cells as a table to FILE");
  command->add_option("--pcap", arguments->files.captures,
                      "write what both hosts of every run see to DIR, as pcapng, with the keys of DTLS");
  command->add_option("--mix", arguments->mix,
                      "weight the cells with home, mobile, enterprise, or the mixes of a FILE");
  command->add_option("--compare", arguments->compare,
                      "say what is different from the report that --json wrote to FILE");
  AddNatlabMergeCommand(*command, exit_code);
  AddNatlabNftCommand(*command, exit_code);
  command->callback([arguments, command, &exit_code] {
    if (command->get_subcommands().empty()) exit_code = RunNatlab(*arguments);
  });
}

}  // namespace jsp::tool
