#pragma once
#include "tools/jsp/bench_loops.h"
namespace jsp::tool {

// Label of a channel that gives every message back; what comes over others is counted.
inline constexpr const char* kBenchEcho = "echo";

// The forked process of `jsp bench datachannel`: answers offers, receives, and reports when it is asked. Returns when
// the other process is gone.
void RunBenchReceiver(BenchLink link, const BenchLoops::Options& options);

}  // namespace jsp::tool
