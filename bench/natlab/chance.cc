#include "bench/natlab/chance.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <variant>

#include "bench/natlab/lab.h"
#include "ice/prediction_probes.h"

namespace jsp::natlab {
namespace {

constexpr double kPorts = 65536 - 1024;  // RFC 4787 §4.2.1: NATs leave the well-known ones alone

double ArrivalShare(const std::optional<netsim::LinkOptions>& link) {
  if (!link) return 1;
  const auto* uniform = std::get_if<netsim::UniformLoss>(&link->loss);
  return uniform == nullptr ? 1 : 1 - uniform->probability;
}

}  // namespace

double MissChance(const Network& network) {
  const ice::ProbingOptions probing;
  const auto mappings = static_cast<double>(probing.max_sockets);
  const auto count = [](Duration duration) { return static_cast<double>(duration.count()); };
  const Duration signalling =
      SignallingTime(network.a_access.value_or(UsualAccess()), network.b_access.value_or(UsualAccess()));
  // b begins as long before a as the answer is under way, and the mappings are opened one after the other.
  const double early =
      (count(signalling) + mappings * count(probing.socket_interval)) / std::max(count(probing.probe_interval), 1.0);
  const double sent = std::max(static_cast<double>(probing.max_probes) - early, 0.0);
  const double probes = sent * ArrivalShare(network.a_access) * ArrivalShare(network.b_access);
  return std::pow(1 - std::min(probes / kPorts, 1.0), mappings);
}

double LossChance(const Network& network) {
  return 1 - ArrivalShare(network.a_access) * ArrivalShare(network.b_access);
}

size_t MostMisses(size_t runs, double chance) {
  if (chance <= 0) return 0;
  if (chance >= 1) return runs;
  const auto n = static_cast<double>(runs);
  double up_to = 0;  // the probability of so many misses or fewer
  for (size_t misses = 0; misses < runs; ++misses) {
    const auto k = static_cast<double>(misses);
    const double ways = std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
    up_to += std::exp(ways + k * std::log(chance) + (n - k) * std::log1p(-chance));
    if (1 - up_to < kBlame) return misses;
  }
  return runs;
}

}  // namespace jsp::natlab
