#include "ice/prediction.h"

#include <cstdlib>
#include <numeric>
namespace jsp::ice {
namespace {

constexpr int kLowestPort = 1024;  // RFC 4787 §4.2.1: NATs leave the well-known ports alone
constexpr int kHighestPort = 65535;

// The one step that takes from each port to the next, as often as it must; 0: none. What others behind the same NAT
// took in between makes gaps of several steps.
int StepOf(std::span<const int> ports, int max_step) {
  int step = 0;
  for (size_t i = 1; i < ports.size(); ++i) {
    const int delta = ports[i] - ports[i - 1];
    const bool is_backwards = step != 0 && (delta < 0) != (step < 0);
    if (delta == 0 || std::abs(delta) > max_step || is_backwards) return 0;
    step = delta < 0 ? -std::gcd(step, delta) : std::gcd(step, delta);
  }
  return step;
}

}  // namespace

std::vector<SocketAddress> PredictMappings(std::span<const Observation> seen, const PredictionOptions& options) {
  std::vector<SocketAddress> next;
  if (!options.is_enabled || seen.empty()) return next;
  std::vector<int> ports;
  for (const Observation& observation : seen) {
    if (observation.mapped.ip != seen.front().mapped.ip) return next;
    // RFC 4787 §4.1: two ports of one server share a mapping that depends on the address only.
    if (ports.empty() || ports.back() != observation.mapped.port) ports.push_back(observation.mapped.port);
  }
  const int step = StepOf(ports, options.max_step);
  if (step == 0) return next;
  for (size_t i = 1; i <= options.max_candidates; ++i) {
    const int port = ports.back() + step * static_cast<int>(i);
    if (port < kLowestPort || port > kHighestPort) break;
    next.push_back({seen.front().mapped.ip, static_cast<uint16_t>(port)});
  }
  return next;
}

}  // namespace jsp::ice
