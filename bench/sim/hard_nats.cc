// How often and how fast a port-restricted NAT and one that maps by destination are crossed without a relay, in virtual
// time from the moment that both sides know each other's description (docs/ice.md, hard networks). Whole peers with a
// relay over UDP; data goes over it meanwhile. Exact: the same program prints the same numbers.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "bench/natlab/lab.h"

namespace jsp {
namespace {

using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLimit = seconds(14);
constexpr uint64_t kDefaultSeeds = 400;

struct Outcome {
  std::optional<Duration> first_data;
  std::optional<Duration> direct;  // nominated on both sides
};

bool IsDirect(const natlab::LabSide& side) { return side.IsNominated() && !side.IsRelayed(); }

// Either side of either role: every other seed the hard side offers.
Outcome Cross(uint64_t seed, NatType easy, NatType hard) {
  natlab::LabOptions options;
  const bool hard_offers = seed % 2 == 0;
  options.layout = {.a = hard_offers ? hard : easy, .z = hard_offers ? easy : hard};
  options.a.relays = options.z.relays = {turn::ControlTransport::kUdp};
  options.seed = seed;
  options.crosses_hard_nats = true;
  natlab::Lab lab(options);
  Outcome outcome;
  const auto channel = lab.a->peer.OpenChannel(lab.world.now(), {});
  if (!channel || !lab.Signal()) return outcome;
  const Timestamp start = lab.world.now();
  (void)lab.a->peer.Send(lab.world.now(), *channel, datachannel::MessageKind::kBinary, {1});
  lab.a->driver.Kick();
  const auto is_done = [&] {
    if (!outcome.first_data && lab.z->peer.PollAnyMessage(lab.world.now())) {
      outcome.first_data = lab.world.now() - start;
    }
    return IsDirect(*lab.a) && IsDirect(*lab.z) && outcome.first_data;
  };
  if (lab.world.RunUntil(is_done, kLimit)) outcome.direct = lab.world.now() - start;
  return outcome;
}

double At(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto index = static_cast<size_t>(share * static_cast<double>(values.size()));
  return values[std::min(values.size() - 1, index)];
}

void Row(const char* what, NatType easy, NatType hard, uint64_t seeds) {
  constexpr std::array kWithin = {1, 2, 4, 8, 14};
  std::vector<double> direct;
  std::vector<double> data;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = Cross(seed, easy, hard);
    if (outcome.direct) direct.push_back(static_cast<double>(outcome.direct->count()) / 1000);
    if (outcome.first_data) data.push_back(static_cast<double>(outcome.first_data->count()) / 1000);
  }
  std::printf("%-24s", what);
  for (const int limit : kWithin) {
    const auto count = std::ranges::count_if(direct, [&](double ms) { return ms <= 1000.0 * limit; });
    std::printf(" %6.1f", 100 * static_cast<double>(count) / static_cast<double>(seeds));
  }
  std::printf("   %7.0f %7.0f   %6.1f %6.0f\n", At(direct, 0.5), At(direct, 0.95),
              100 * static_cast<double>(data.size()) / static_cast<double>(seeds), At(data, 1));
  std::fflush(stdout);
}

}  // namespace
}  // namespace jsp

int main(int argc, char** argv) {
  using jsp::Row;
  using jsp::netsim::NatType;
  const uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : jsp::kDefaultSeeds;
  if (seeds == 0) return 2;
  std::printf("%llu seeds a row: %% direct within 1 s    2 s    4 s    8 s   14 s   p50 ms  p95 ms   data %%  max ms\n",
              static_cast<unsigned long long>(seeds));
  Row("port - sym-seq", NatType::kPort, NatType::kSymmetricSequential, seeds);
  Row("port - sym", NatType::kPort, NatType::kSymmetric, seeds);
  Row("port-rnd - sym", NatType::kPortRandom, NatType::kSymmetric, seeds);
  Row("fw - sym", NatType::kFirewall, NatType::kSymmetric, seeds);
  Row("port - adm", NatType::kPort, NatType::kAddressMapping, seeds);
}
