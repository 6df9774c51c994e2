// A minute of virtual time of two whole peers, OpenSSL included, that exchange 100 messages a second at 5 % loss: how
// long does it take? Prints one line a run, and the median.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/two_sides.h"
#include "transport/peer.h"

namespace jsp {
namespace {

constexpr int kRuns = 5;
constexpr int kMessages = 6000;

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

struct Side {
  Side(netsim::World& world, netsim::NodeId host, IpAddress address, const transport::PeerOptions& options)
      : rng(world.ForkRng()), peer(options, rng, world.now()), driver(world, host, peer, Ignore{}) {
    peer.AddLocalAddress(world.now(), {driver.Bind({address, 0})});
    peer.EndOfLocalAddresses(world.now());
    driver.Kick();
  }
  Rng rng;
  transport::Peer peer;
  netsim::HostDriver<transport::Peer, Ignore> driver;
};

// Messages that arrived on both sides together.
size_t RunMinute(uint64_t seed) {
  netsim::World world(seed);
  netsim::TwoSidesOptions layout;
  layout.a_access.loss = netsim::UniformLoss{0.05};
  layout.z_access.loss = netsim::UniformLoss{0.05};
  const auto sides = netsim::TwoSides::Build(world, layout);
  transport::PeerOptions options;
  options.certificate = *dtls::Certificate::Generate();
  Side a(world, sides.a_host, sides.a_address, options);
  Side z(world, sides.z_host, sides.z_address, options);
  const auto channel = *a.peer.OpenChannel(world.now(), {.label = "minute"});
  const auto offer = *a.peer.CreateOffer(world.now());
  (void)z.peer.SetRemoteDescription(world.now(), transport::SdpType::kOffer, offer);
  const auto answer = *z.peer.CreateAnswer(world.now());
  (void)a.peer.SetRemoteDescription(world.now(), transport::SdpType::kAnswer, answer);
  a.driver.Kick();
  z.driver.Kick();
  size_t arrived = 0;
  for (int i = 0; i < kMessages; ++i) {
    (void)a.peer.Send(world.now(), channel, datachannel::MessageKind::kBinary, std::vector<uint8_t>(100));
    while (auto message = z.peer.PollAnyMessage(world.now())) {
      ++arrived;
      (void)z.peer.Send(world.now(), message->channel, message->kind, std::move(message->payload));
    }
    while (a.peer.PollAnyMessage(world.now())) ++arrived;
    a.driver.Kick();
    z.driver.Kick();
    world.RunFor(std::chrono::milliseconds(10));
  }
  return arrived;
}

}  // namespace
}  // namespace jsp

int main() {
  std::vector<double> seconds;
  for (int run = 0; run < jsp::kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const size_t arrived = jsp::RunMinute(static_cast<uint64_t>(run) + 1);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    std::printf("seed %d: %zu messages arrived, %.3f s of wall time for 60 s\n", run + 1, arrived, seconds.back());
  }
  std::ranges::sort(seconds);
  std::printf("median %.3f s\n", seconds[seconds.size() / 2]);
}
