#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
namespace jsp::tool {

// What one process has used and done up to a moment; differences of two are what was measured.
struct BenchCounters {
  double seconds = 0;      // of the monotonic clock
  double cpu_seconds = 0;  // user and system, of the process
  uint64_t allocations = 0;
  uint64_t system_calls = 0;
  uint64_t heap_bytes = 0;  // in use, as malloc counts them
  uint64_t rss_bytes = 0;
  uint64_t messages = 0;     // received
  uint64_t handed_over = 0;  // datagrams that came to another loop than their peer's
};
struct BenchReport : BenchCounters {
  std::vector<uint64_t> octets;  // received by each connection
};

// The part of it that the process itself knows: clocks, memory, allocations of the calling thread.
void MeasureProcess(BenchCounters& counters);

// Between two processes of one program.
std::string EncodeReport(const BenchReport& report);
BenchReport DecodeReport(std::string_view body);

// Jain's fairness index: 1 when all have the same, 1/n when one has all.
double JainIndex(const std::vector<uint64_t>& shares);
// `values` is sorted; 0 ≤ q < 1. 0 when it is empty.
double Quantile(const std::vector<double>& values, double q);

}  // namespace jsp::tool
