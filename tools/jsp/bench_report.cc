#include "tools/jsp/bench_report.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "tools/jsp/bench_allocations.h"

namespace jsp::tool {
namespace {

double Seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

uint64_t ResidentOctets() {
  unsigned long total = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  const int fields = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

void MeasureProcess(BenchCounters& counters) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  counters.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  counters.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  counters.allocations = CountedAllocations();
  const auto heap = ::mallinfo2();
  counters.heap_bytes = heap.uordblks + heap.hblkhd;
  counters.rss_bytes = ResidentOctets();
}

std::string EncodeReport(const BenchReport& report) {
  const BenchCounters& counters = report;
  std::string body(sizeof(counters) + report.octets.size() * sizeof(uint64_t), '\0');
  std::memcpy(body.data(), &counters, sizeof(counters));
  if (!report.octets.empty()) {
    std::memcpy(body.data() + sizeof(counters), report.octets.data(), body.size() - sizeof(counters));
  }
  return body;
}

BenchReport DecodeReport(std::string_view body) {
  BenchReport report;
  BenchCounters& counters = report;
  if (body.size() < sizeof(counters)) return report;
  std::memcpy(&counters, body.data(), sizeof(counters));
  report.octets.resize((body.size() - sizeof(counters)) / sizeof(uint64_t));
  if (report.octets.empty()) return report;
  std::memcpy(report.octets.data(), body.data() + sizeof(counters), report.octets.size() * sizeof(uint64_t));
  return report;
}

double JainIndex(const std::vector<uint64_t>& shares) {
  double sum = 0, squares = 0;
  for (const uint64_t share : shares) {
    sum += static_cast<double>(share);
    squares += static_cast<double>(share) * static_cast<double>(share);
  }
  return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 0;
}

double Quantile(const std::vector<double>& values, double q) {
  return values.empty() ? 0 : values[static_cast<size_t>(q * static_cast<double>(values.size()))];
}

}  // namespace jsp::tool
