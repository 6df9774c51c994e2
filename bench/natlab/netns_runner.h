#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/expected.h"
#include "bench/natlab/cell_runner.h"
namespace jsp::natlab {

// Who sits in the cells of the netns engine. Commands of peers speak the contract of
// bench/natlab/README.md#foreign-stacks.
struct NetnsOptions {
  std::vector<std::string> peer_a;
  std::vector<std::string> peer_b;
  std::vector<std::string> turn_server;          // `jsp turn-server`, without its options
  Duration deadline = std::chrono::seconds(60);  // of one run
};

// Whether this user may do all that, and a kernel can be what is asked for; the error says what is missing.
Expected<void, std::string> CheckNetns(const Network& network, std::span<const IpAddress::Family> families,
                                       std::span<const netsim::NatType> types = {});

// RunCell with a kernel's NATs (KernelLab), real sockets and real time, in namespaces that end with the run. No
// seeds of the peers: what is random there is not repeatable.
RunResult RunCellInNamespaces(const NetnsOptions& netns, const CellOptions& options);

}  // namespace jsp::natlab
