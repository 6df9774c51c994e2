// Throughput of one reliable channel between two processes over loopback UDP: `jsp connect --bench` to `jsp serve`, and
// the processor time that both spend. Also the time that a connection takes.
//
// usage: loopback_throughput JSP [SECONDS [CONNECTIONS]]
#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tools/jsp/child_process.h"

namespace jsp {
namespace {

namespace json = boost::json;
using tool::ChildProcess;
using tool::ServeProcess;

constexpr const char* kMessageSize = "65536";

json::object Connect(const std::string& jsp, const ServeProcess& server, std::vector<std::string> options,
                     double* cpu_seconds = nullptr) {
  std::vector<std::string> arguments{jsp, "connect", server.url(), "--json", "-"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const auto result = ChildProcess::Run(arguments);
  if (result.exit_code != 0) {
    std::fprintf(stderr, "%s", result.err.c_str());
    std::exit(1);
  }
  if (cpu_seconds != nullptr) *cpu_seconds = result.cpu_seconds;
  return json::parse(result.out).as_object();
}

void MeasureThroughput(const std::string& jsp, const std::string& seconds, const std::string& direction) {
  ServeProcess server(jsp);
  double connect_cpu = 0;
  const auto report =
      Connect(jsp, server, {"--bench", seconds, "--size", kMessageSize, "--direction", direction}, &connect_cpu);
  server.process().Signal(SIGTERM);
  const double serve_cpu = server.process().Wait().cpu_seconds;
  const auto& job = report.at("job").as_object();
  const double gigabytes = job.at("bytes").to_number<double>() / 1e9;
  std::printf("%-5s %8.1f MB/s   CPU s/GB: connect %.2f, serve %.2f, both %.2f\n", direction.c_str(),
              job.at("mbytes_per_s").to_number<double>(), connect_cpu / gigabytes, serve_cpu / gigabytes,
              (connect_cpu + serve_cpu) / gigabytes);
  std::fflush(stdout);
}

void MeasureConnect(const std::string& jsp, int connections) {
  const ServeProcess server(jsp);
  std::vector<double> sample;
  for (int i = 0; i < connections; ++i) {
    sample.push_back(Connect(jsp, server, {}).at("timings_ms").at("channel_open").to_number<double>());
  }
  std::sort(sample.begin(), sample.end());
  std::printf("connect, %zu runs: median %.1f ms, 95%% %.1f ms, max %.1f ms\n", sample.size(),
              sample[sample.size() / 2], sample[sample.size() * 95 / 100], sample.back());
}

}  // namespace
}  // namespace jsp

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s JSP [SECONDS [CONNECTIONS]]\n", argv[0]);
    return 2;
  }
  const std::string seconds = argc > 2 ? argv[2] : "5";
  const int connections = argc > 3 ? std::atoi(argv[3]) : 50;
  std::printf("one channel, messages of 64 KiB, two processes, loopback UDP\n");
  jsp::MeasureThroughput(argv[1], seconds, "up");
  jsp::MeasureThroughput(argv[1], seconds, "down");
  jsp::MeasureConnect(argv[1], std::max(connections, 1));
  return 0;
}
