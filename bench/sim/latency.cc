// How long messages take in virtual time: a ping beside a bulk transfer, and a thin stream over a lossy path. Exact:
// the same program prints the same numbers each time.
#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "bench/sim/shared_path.h"
#include "sctp/options.h"

namespace jsp::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr sctp::StreamId kBulk{1};
constexpr sctp::StreamId kPing{2};

double Ms(Duration d) { return static_cast<double>(d.count()) / 1000; }

struct Percentiles {
  double p50;
  double p95;
  double p99;
  double max;
};
Percentiles Of(std::vector<Duration> values) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return Ms(values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))]);
  };
  return {at(0.5), at(0.95), at(0.99), Ms(values.back())};
}
void Print(const char* what, const Percentiles& p, size_t count, double mbit) {
  std::printf("%-24s %9.1f %9.1f %9.1f %9.1f %9zu %9.1f\n", what, p.p50, p.p95, p.p99, p.max, count, mbit);
}

// A message of 64 octets every 100 ms from `a`, answered at once by `z`, while `a` sends as much as it can on another
// stream. 20 Mbit/s, 50 ms, a queue of ten bandwidth-delay products. Counted from `begin` on, when the pings begin.
void Ping(const char* name, const sctp::Options& options, Duration begin) {
  SharedPath path({.rtt = milliseconds(50), .bits_per_s = 20e6, .queue_bdp = 10});
  auto& flow = path.AddFlow(options);
  flow.bulk_stream = kBulk;
  flow.bulk_backlog = 4 * 1024 * 1024;
  std::vector<Duration> round_trips;
  Timestamp sent;
  flow.on_z_message = [&](Timestamp now, const sctp::Message& message) {
    if (message.stream != kPing) return;
    (void)flow.z.Send(now, {message.stream, message.ppid, message.payload.Clone()});
  };
  flow.on_a_message = [&](Timestamp now, const sctp::Message&) {
    round_trips.push_back(now - sent);
    sent = Timestamp::Never();
  };
  const Timestamp start = path.now() + begin;
  path.RunUntil(start);
  const uint64_t before = flow.delivered;
  for (int i = 0; i < 600; ++i) {
    path.RunUntil(start + milliseconds(100) * i);
    if (i > 0 && sent != Timestamp::Never()) continue;  // still under way: the next one waits for it
    sent = path.now();
    path.Send(flow, kPing, 64);
  }
  path.RunUntil(path.now() + seconds(2));
  const double mbit = static_cast<double>(flow.delivered - before) * 8 / 62e6;
  Print(name, Of(round_trips), round_trips.size(), mbit);
}

// 100 messages of 100 octets a second, one way, ordered, 5 % loss, 50 ms.
void ThinStream(const char* name, sctp::CongestionAlgorithm algorithm) {
  SharedPath path({.rtt = milliseconds(50), .bits_per_s = 100e6, .loss = 0.05});
  sctp::Options options;
  options.congestion_control = algorithm;
  auto& flow = path.AddFlow(options);
  std::vector<Timestamp> sent;
  std::vector<Duration> delays;
  flow.on_z_message = [&](Timestamp now, const sctp::Message&) { delays.push_back(now - sent[delays.size()]); };
  const Timestamp start = path.now();
  for (int i = 0; i < 20000; ++i) {
    path.RunUntil(start + milliseconds(10) * i);
    sent.push_back(path.now());
    path.Send(flow, kPing, 100);
  }
  path.RunUntil(path.now() + seconds(5));
  Print(name, Of(delays), delays.size(), 0.08);
}

int Main() {
  constexpr std::pair<const char*, sctp::CongestionAlgorithm> kAlgorithms[] = {
      {"NewReno", sctp::CongestionAlgorithm::kNewReno},
      {"CUBIC", sctp::CongestionAlgorithm::kCubic},
      {"model-based", sctp::CongestionAlgorithm::kModelBased}};
  const auto header = [](const char* what) {
    std::printf("%-24s %9s %9s %9s %9s %9s %9s\n", what, "p50 ms", "p95 ms", "p99 ms", "max ms", "messages", "Mbit/s");
  };
  const auto options_of = [](sctp::CongestionAlgorithm algorithm) {
    sctp::Options options;
    options.congestion_control = algorithm;
    return options;
  };
  header("ping beside bulk");
  for (const auto& [name, algorithm] : kAlgorithms) Ping(name, options_of(algorithm), seconds(3));
  header("\nafter 30 s of bulk alone");
  for (const auto& [name, algorithm] : kAlgorithms) Ping(name, options_of(algorithm), seconds(30));
  header("\nwithout limit_queue");
  for (const auto& [name, algorithm] : kAlgorithms) {
    sctp::Options options = options_of(algorithm);
    options.limit_queue = false;
    Ping(name, options, seconds(3));
  }
  header("\nthin stream, one way");
  for (const auto& [name, algorithm] : kAlgorithms) ThinStream(name, algorithm);
  return 0;
}

}  // namespace
}  // namespace jsp::bench

int main() { return jsp::bench::Main(); }
