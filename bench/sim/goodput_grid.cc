// Goodput of one association in virtual time, for each congestion controller, over a grid of round trips and losses.
// Exact: the same program prints the same numbers each time.
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "bench/sim/shared_path.h"
#include "sctp/options.h"

namespace jsp::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

sctp::Options LargeBuffers(sctp::CongestionAlgorithm algorithm) {
  sctp::Options options;
  options.congestion_control = algorithm;
  options.receive_window = 32 * 1024 * 1024;
  options.max_send_buffer = 96 * 1024 * 1024;
  return options;
}

double Mbit(uint64_t octets, Duration time) {
  return static_cast<double>(octets) * 8 / static_cast<double>(time.count());
}

struct Goodput {
  double total_mbit;
  double late_mbit;     // the second half of the time
  double rtts_to_half;  // until one round trip's delivery reached half the link's rate
  double retransmit_share;
  double loss_share;
};

Goodput Measure(const PathOptions& path_options, Duration time, const sctp::Options& options) {
  SharedPath path(path_options);
  auto& flow = path.AddFlow(options);
  const Timestamp start = path.now();
  flow.bulk_backlog = 48 * 1024 * 1024;
  Goodput result{};
  uint64_t before = 0;
  for (int i = 1; result.rtts_to_half == 0 && i < 400; ++i) {
    path.RunUntil(start + path_options.rtt * i);
    const double rate = Mbit(flow.delivered - before, path_options.rtt);
    before = flow.delivered;
    if (rate >= path_options.bits_per_s / 2e6) result.rtts_to_half = i;
    if (path.now() >= start + time / 2) break;
  }
  path.RunUntil(start + time / 2);
  const uint64_t half = flow.delivered;
  path.RunUntil(start + time);
  result.total_mbit = Mbit(flow.delivered, time);
  result.late_mbit = Mbit(flow.delivered - half, time / 2);
  const auto& metrics = flow.a.metrics();
  result.retransmit_share =
      static_cast<double>(metrics.retransmitted_chunks) / static_cast<double>(metrics.chunks_sent);
  const auto& stats = path.forward_stats();
  result.loss_share = static_cast<double>(stats.lost + stats.overflowed) / static_cast<double>(stats.entered);
  return result;
}

// Round trips from Send to the whole message at the other end.
double MessageInRoundTrips(sctp::CongestionAlgorithm algorithm, size_t octets) {
  const PathOptions options{.rtt = milliseconds(100), .bits_per_s = 100e6};
  SharedPath path(options);
  auto& flow = path.AddFlow(LargeBuffers(algorithm));
  Duration elapsed{};
  const Timestamp start = path.now();
  flow.on_z_message = [&](Timestamp now, const sctp::Message&) { elapsed = now - start; };
  for (size_t sent = 0; sent < octets; sent += 65536) path.Send(flow, sctp::StreamId(1), 65536);
  (void)path.RunUntil([&] { return flow.delivered >= octets; }, seconds(30));
  return static_cast<double>(elapsed.count()) / static_cast<double>(options.rtt.count());
}

// From where CUBIC is as slow as Reno (RFC 9438 §4.3), which it is when windows are small and round trips short, over
// the path of the ping row of `latency`, to where it is meant to be faster (RFC 9438 §5.1).
struct SharedCase {
  const char* name;
  PathOptions path;
};
const SharedCase kSharedPaths[] = {{"20 Mbit/s, 20 ms", {.rtt = milliseconds(20), .bits_per_s = 20e6}},
                                   {"20 Mbit/s, 50 ms", {.rtt = milliseconds(50), .bits_per_s = 20e6}},
                                   {"50 Mbit/s, 50 ms", {.rtt = milliseconds(50), .bits_per_s = 50e6}}};

// A small message on another stream ten times a second, so that the flow keeps its part of the queue short.
void SendSmallMessages(SharedPath& path, SharedPath::Flow& flow) {
  path.At(path.now() + milliseconds(100), [&](Timestamp) {
    path.Send(flow, sctp::StreamId(2), 64);
    SendSmallMessages(path, flow);
  });
}

enum class Small : uint8_t { kNone, kBesideBoth };

// The share of one flow beside a CUBIC flow that began `head_start` before, over the second half of two minutes.
double ShareBesideCubic(const PathOptions& options, sctp::CongestionAlgorithm algorithm, Small small,
                        Duration head_start) {
  SharedPath path(options);
  auto& cubic = path.AddFlow(LargeBuffers(sctp::CongestionAlgorithm::kCubic));
  cubic.bulk_backlog = 8 * 1024 * 1024;
  if (small == Small::kBesideBoth) SendSmallMessages(path, cubic);
  path.RunUntil(path.now() + head_start);
  auto& other = path.AddFlow(LargeBuffers(algorithm));
  other.bulk_backlog = 8 * 1024 * 1024;
  if (small == Small::kBesideBoth) SendSmallMessages(path, other);
  path.RunUntil(path.now() + seconds(60));
  const uint64_t cubic_before = cubic.delivered;
  const uint64_t other_before = other.delivered;
  path.RunUntil(path.now() + seconds(60));
  const auto gained = static_cast<double>(other.delivered - other_before);
  return gained / (gained + static_cast<double>(cubic.delivered - cubic_before));
}

// Whose packets a full queue drops depends on when a flow came; in virtual time always the same way. So four times.
double MeanShareBesideCubic(const PathOptions& options, sctp::CongestionAlgorithm algorithm, Small small) {
  constexpr Duration kHeadStarts[] = {milliseconds(5000), milliseconds(5713), milliseconds(7331), milliseconds(9907)};
  double sum = 0;
  for (const Duration head_start : kHeadStarts) sum += ShareBesideCubic(options, algorithm, small, head_start);
  return sum / static_cast<double>(std::size(kHeadStarts));
}

int Main() {
  std::printf("%8s %8s %8s %8s | %9s %9s %9s %8s %8s\n", "Mbit/s", "rtt ms", "loss %", "queue", "Mbit/s", "2nd half",
              "RTT to 1/2", "retx %", "lost %");
  const auto row = [](sctp::CongestionAlgorithm algorithm, double mbit, int rtt_ms, double loss, double queue,
                      Duration time) {
    const PathOptions options{.rtt = milliseconds(rtt_ms), .bits_per_s = mbit * 1e6, .queue_bdp = queue, .loss = loss};
    const Goodput g = Measure(options, time, LargeBuffers(algorithm));
    std::printf("%8.0f %8d %8.2f %8.1f | %9.1f %9.1f %9.0f %8.3f %8.3f\n", mbit, rtt_ms, loss * 100, queue,
                g.total_mbit, g.late_mbit, g.rtts_to_half, g.retransmit_share * 100, g.loss_share * 100);
    std::fflush(stdout);
  };
  const auto algorithms = {std::pair{"NewReno", sctp::CongestionAlgorithm::kNewReno},
                           std::pair{"CUBIC", sctp::CongestionAlgorithm::kCubic},
                           std::pair{"model-based", sctp::CongestionAlgorithm::kModelBased}};
  for (const auto& [name, algorithm] : algorithms) {
    std::printf("%s\n", name);
    for (const int rtt : {20, 50, 100, 200}) row(algorithm, 1000, rtt, 0, 1, milliseconds(rtt) * 60);
    for (const double loss : {0.0, 0.001, 0.01, 0.05}) row(algorithm, 100, 100, loss, 1, seconds(20));
  }
  std::printf("\n%-12s %10s | share beside CUBIC, queue of 1 BDP, %%; the same with small messages beside\n", "",
              "1 MiB");
  std::printf("%-12s %10s", "", "in RTT");
  for (const SharedCase& shared : kSharedPaths) std::printf(" %19s", shared.name);
  std::printf("\n");
  for (const auto& [name, algorithm] : algorithms) {
    std::printf("%-12s %10.1f", name, MessageInRoundTrips(algorithm, 1024 * 1024));
    for (const SharedCase& shared : kSharedPaths) {
      std::printf(" %11.1f / %5.1f", 100 * MeanShareBesideCubic(shared.path, algorithm, Small::kNone),
                  100 * MeanShareBesideCubic(shared.path, algorithm, Small::kBesideBoth));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace jsp::bench

int main() { return jsp::bench::Main(); }
