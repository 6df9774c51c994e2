// How fast two hosts connect in virtual time, from the moment that both know each other's description: the first valid
// pair, and the first datagram of DTLS. RTT 100 ms, host to host. Exact: the same program prints the same numbers.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/two_sides.h"
#include "stun/server.h"
#include "transport/peer.h"

namespace jsp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kSeeds = 1000;
constexpr auto kOneWay = milliseconds(50);

enum class Servers { kNone, kLive, kDeadAndLive };

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

struct Side {
  struct Tell {
    Side* side;
    void operator()(transport::Peer::Event event) const {
      auto* gathered = std::get_if<transport::event::LocalCandidateGathered>(&event);
      if (gathered != nullptr && side->other != nullptr) side->trickled.push_back(gathered->line);
    }
  };
  Side(netsim::World& in, netsim::NodeId host, IpAddress address, const transport::PeerOptions& options)
      : world(in), rng(in.ForkRng()), peer(options, rng, in.now()), driver(in, host, peer, Tell{this}) {
    peer.AddLocalAddress(world.now(), {driver.Bind({address, 0})});
    peer.EndOfLocalAddresses(world.now());
    driver.Kick();
  }
  // Notes what has happened, and carries what was gathered.
  void Observe(Timestamp start) {
    if (!valid && peer.stats().timings.ice_connected) valid = world.now() - start;
    if (!data && peer.stats().dtls.datagrams_sent > 0) data = world.now() - start;
    for (const auto& line : std::exchange(trickled, {})) {
      (void)other->peer.AddRemoteCandidate(world.now(), line);
      other->driver.Kick();
    }
  }

  netsim::World& world;
  Rng rng;
  transport::Peer peer;
  netsim::HostDriver<transport::Peer, Tell> driver;
  Side* other = nullptr;
  std::vector<std::string> trickled;
  std::optional<Duration> valid;
  std::optional<Duration> data;  // of DTLS; the server's first follows the client's by half a round trip
};

struct Outcome {
  Duration valid;  // on the slower side
  Duration data;   // on the faster side: the DTLS client's
};

Outcome Connect(uint64_t seed, double loss, Servers servers, std::shared_ptr<const dtls::Certificate> certificate) {
  netsim::World world(seed);
  netsim::TwoSidesOptions layout;
  for (netsim::LinkOptions* access : {&layout.a_access, &layout.z_access}) {
    access->delay = kOneWay / 2;
    access->loss = netsim::UniformLoss{loss / 2};
  }
  layout.server_access.delay = kOneWay / 2;
  const auto sides = netsim::TwoSides::Build(world, layout);
  stun::Server server{stun::ServerOptions{}};
  netsim::HostDriver<stun::Server, Ignore> server_driver(world, sides.server_host, server, Ignore{});
  const SocketAddress live = server_driver.Bind({sides.server_address, 3478});
  transport::PeerOptions options;
  options.certificate = std::move(certificate);
  if (servers == Servers::kDeadAndLive) options.stun_servers.push_back(*SocketAddress::Parse("198.18.9.9:3478"));
  if (servers != Servers::kNone) options.stun_servers.push_back(live);
  Side a(world, sides.a_host, sides.a_address, options);
  Side z(world, sides.z_host, sides.z_address, options);
  a.other = &z;
  z.other = &a;
  const auto offer = *a.peer.CreateOffer(world.now());
  (void)z.peer.SetRemoteDescription(world.now(), transport::SdpType::kOffer, offer);
  const auto answer = *z.peer.CreateAnswer(world.now());
  (void)a.peer.SetRemoteDescription(world.now(), transport::SdpType::kAnswer, answer);
  const Timestamp start = world.now();
  a.driver.Kick();
  z.driver.Kick();
  const auto is_done = [&] {
    a.Observe(start);
    z.Observe(start);
    return a.valid && z.valid && (a.data || z.data);
  };
  if (!world.RunUntil(is_done, seconds(60))) return {seconds(60), seconds(60)};
  return {std::max(*a.valid, *z.valid), std::min(a.data.value_or(seconds(60)), z.data.value_or(seconds(60)))};
}

double At(std::vector<Duration> values, double share) {
  std::ranges::sort(values);
  const auto index = static_cast<size_t>(share * static_cast<double>(values.size()));
  return static_cast<double>(values[std::min(values.size() - 1, index)].count()) / 1000;
}

void Row(const char* what, double loss, Servers servers) {
  static const std::shared_ptr<const dtls::Certificate> certificate = *dtls::Certificate::Generate();
  std::vector<Duration> valid;
  std::vector<Duration> data;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Outcome outcome = Connect(seed, loss, servers, certificate);
    valid.push_back(outcome.valid);
    data.push_back(outcome.data);
  }
  std::printf("%-34s %8.1f %8.1f %8.1f %8.1f   %8.1f %8.1f\n", what, At(valid, 0.5), At(valid, 0.95), At(valid, 0.99),
              At(valid, 1), At(data, 0.5), At(data, 0.95));
}

}  // namespace
}  // namespace jsp

int main() {
  using jsp::Row;
  using jsp::Servers;
  std::printf("ms, %d seeds a row                  valid: p50      p95      p99      max   data: p50      p95\n",
              static_cast<int>(jsp::kSeeds));
  Row("no loss", 0, Servers::kNone);
  Row("no loss, a live STUN server", 0, Servers::kLive);
  Row("no loss, a dead and a live one", 0, Servers::kDeadAndLive);
  Row("10 % loss each way", 0.1, Servers::kNone);
  Row("10 %, a live STUN server", 0.1, Servers::kLive);
  Row("10 %, a dead and a live one", 0.1, Servers::kDeadAndLive);
  Row("25 % loss each way", 0.25, Servers::kNone);
}
