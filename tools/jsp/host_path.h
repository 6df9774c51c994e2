#pragma once
#include <string>

#include "base/expected.h"
#include "bench/natlab/report.h"
namespace jsp::tool {

// Two whole peers in this process, on one loop, over real loopback sockets: connect times of several connections, round
// trips of small messages, and the throughput of one reliable channel. The error is one line.
Expected<natlab::PathReport, std::string> MeasureHostPath();

}  // namespace jsp::tool
