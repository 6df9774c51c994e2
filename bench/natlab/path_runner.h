#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/expected.h"
#include "bench/natlab/lab.h"
#include "bench/natlab/report.h"
namespace jsp::natlab {

// Whether PathReport::cpu_ms_per_mb is measured: the one figure that differs from run to run.
enum class CpuMeter : uint8_t { kOff, kOn };

struct PathOptions {
  uint64_t seed = 1;
  size_t runs = 5;            // connections of each path, with different seeds
  size_t octets = 4'000'000;  // of the bulk transfer, in the first run
  CpuMeter cpu = CpuMeter::kOff;
};

// One of the ways that are compared.
struct Path {
  const char* name;
  netsim::NatType a;
  netsim::NatType z;
  std::vector<turn::ControlTransport> relays{};  // of a, which then uses nothing else
  transport::IceTcp ice_tcp = transport::IceTcp::kOff;
};

std::vector<Path> AllPaths();
// Of both sides: a good home access, 50 Mbit/s both ways, 10 ms ± 0.5 ms, one packet of ten thousand lost.
netsim::LinkOptions PathAccessLink();
constexpr size_t kPathPings = 20;

// The ways between two peers, all under the same links (bench/natlab/README.md), over IPv4 and over IPv6: directly
// between public hosts, directly between NATs, from a mapping that only the other side's checks see (RFC 8445
// §7.3.1.3), by TCP (RFC 6544) out of a network that blocks UDP, and by a TURN server that only side a uses, over each
// transport. In virtual time, so that the same options give the same figures on every machine: what differs is
// protocols and ways, not the processor, but for what CpuMeter asks for: the time of this process, in which both peers,
// the server and the simulation do their work, without a kernel and its sockets. The error names the path that did not
// come about.
Expected<std::vector<PathReport>, std::string> RunPaths(const PathOptions& options);

}  // namespace jsp::natlab
