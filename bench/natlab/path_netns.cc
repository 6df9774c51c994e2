#include "bench/natlab/path_netns.h"

#include <utility>

namespace jsp::natlab {
namespace {

CellOptions CellOf(const Path& path, IpAddress::Family family, const PathOptions& options) {
  CellOptions cell{.a = path.a, .b = path.z, .relay = RelayService::kNone, .family = family, .seed = options.seed};
  cell.network.joint.ice_tcp = path.ice_tcp != transport::IceTcp::kOff;
  cell.network.a_access = cell.network.b_access = PathAccessLink();
  netsim::LinkOptions server;  // as in the simulation: 10 ms ± 0.5 ms
  server.jitter = std::chrono::microseconds(500);
  cell.network.server_access = server;
  cell.probe = PathProbe{.pings = kPathPings, .octets = options.octets};
  if (!path.relays.empty()) cell.probe->only_relay = path.relays.front();
  return cell;
}

}  // namespace

Expected<std::vector<PathReport>, std::string> RunPathsInNamespaces(const NetnsOptions& netns,
                                                                    const PathOptions& options) {
  std::vector<PathReport> reports;
  for (const Path& path : AllPaths()) {
    for (const auto family : {IpAddress::Family::kV4, IpAddress::Family::kV6}) {
      RunResult run = RunCellInNamespaces(netns, CellOf(path, family, options));
      if (!run.path) {
        return Unexpected("path " + std::string(path.name) + " over " + FamilyName(family) + ": " + run.why);
      }
      const double megabytes = static_cast<double>(options.octets) / 1e6;
      reports.push_back({.path = path.name,
                         .family = family,
                         .pair = run.pair_type,
                         .connect_ms = Distribution::Of({run.path->connect_ms}),
                         .rtt_ms = Distribution::Of(run.path->rtt_ms),
                         .mbytes_per_s = run.path->mbytes_per_s,
                         .loaded_rtt_ms = Distribution::Of(run.path->loaded_rtt_ms)});
      if (options.cpu == CpuMeter::kOn) reports.back().cpu_ms_per_mb = run.path->cpu_ms / megabytes;
    }
  }
  return reports;
}

}  // namespace jsp::natlab
