#pragma once
#include <string>
#include <vector>

#include "base/expected.h"
#include "bench/natlab/netns_runner.h"
#include "bench/natlab/path_runner.h"
namespace jsp::natlab {

// RunPaths with a kernel's NATs, real sockets and real time, under the same links, which netsim's link model emulates.
// CpuMeter is of both peers' processes, with what the kernel does for them. One connection of each path, with its bulk.
Expected<std::vector<PathReport>, std::string> RunPathsInNamespaces(const NetnsOptions& netns,
                                                                    const PathOptions& options);

}  // namespace jsp::natlab
