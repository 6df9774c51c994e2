// Peers behind NATs whose mappings depend on the destination and get ports in sequence.
#include "ice/prediction.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/nat_type.h"
#include "netsim/world.h"
#include "stun/server.h"
#include "transport/peer.h"
namespace jsp {
namespace {

using netsim::NatType;
using netsim::World;
using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::ConnectionState;
using transport::Peer;

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

// Somebody else behind the same NAT, who opens a session now and then and so takes ports out of the sequence.
class Neighbour {
 public:
  Neighbour(World& world, netsim::NodeId nat, IpAddress address, Duration mean) : world_(world), mean_(mean) {
    const netsim::NodeId host = world.AddHost(nat, address, {.delay = milliseconds(1)});
    rng_ = std::make_unique<Rng>(world.ForkRng());
    id_ = world.Attach(host, {.self = this,
                              .handle_datagram = [](void*, const SocketAddress&, const SocketAddress&,
                                                    std::span<const uint8_t>, EcnMark) {},
                              .handle_timeout = &Neighbour::HandleTimeout});
    local_ = world.Bind(id_, {address, 0});
    Schedule();
  }

 private:
  static void HandleTimeout(void* self) {
    auto& neighbour = *static_cast<Neighbour*>(self);
    const std::array<uint8_t, 4> octets{};
    neighbour.world_.Send(neighbour.id_, neighbour.local_, {IpAddress::V4(198, 51, 100, 200), ++neighbour.port_},
                          octets);
    neighbour.Schedule();
  }
  void Schedule() {
    const auto wait = std::chrono::duration_cast<Duration>(mean_ * (2 * rng_->Uniform()));
    world_.SetTimer(id_, world_.now() + wait + milliseconds(1));
  }

  World& world_;
  Duration mean_;
  std::unique_ptr<Rng> rng_;
  netsim::EndpointId id_;
  SocketAddress local_;
  uint16_t port_ = 1;
};

class Side {
 public:
  Side(World& world, NatType type, uint8_t number, const netsim::LinkOptions& link,
       const transport::PeerOptions& options)
      : rng_(world.ForkRng()) {
    const bool is_public = type == NatType::kPublic;
    const IpAddress outside = IpAddress::V4(203, 0, 113, number);
    nat = is_public ? World::kInternet : world.AddNat(World::kInternet, outside, netsim::OptionsFor(type), link);
    const IpAddress inside = is_public ? outside : IpAddress::V4(10, 0, number, 2);
    const netsim::NodeId host =
        world.AddHost(nat, inside, is_public ? link : netsim::LinkOptions{.delay = milliseconds(1)});
    peer_ = std::make_unique<Peer>(options, rng_, world.now());
    driver_ = std::make_unique<netsim::HostDriver<Peer, Ignore>>(world, host, *peer_, Ignore{});
    peer_->AddLocalAddress(world.now(), {driver_->Bind({inside, 0})});
    peer_->EndOfLocalAddresses(world.now());
    driver_->Kick();
  }
  Peer& peer() { return *peer_; }
  void Kick() { driver_->Kick(); }
  bool IsUp() const {
    return peer_->state() == ConnectionState::kConnected || peer_->state() == ConnectionState::kCompleted;
  }
  netsim::NodeId nat;

 private:
  Rng rng_;
  std::unique_ptr<Peer> peer_;
  std::unique_ptr<netsim::HostDriver<Peer, Ignore>> driver_;
};

struct Scene {
  NatType a = NatType::kSymmetricSequential;
  NatType z = NatType::kPort;
  uint64_t seed = 1;
  netsim::LinkOptions link{.delay = milliseconds(12), .jitter = milliseconds(4)};
  ice::PredictionOptions prediction{};
  Duration neighbours = std::chrono::hours(24);  // mean time between sessions that others begin behind a's NAT
  Duration signalling = milliseconds(50);        // one way
  bool one_server_with_two_ports = false;
};

// How long after the answerer had the offer data could flow; nullopt when not within `limit`.
std::optional<Duration> Connect(const Scene& scene, Duration limit = seconds(5)) {
  static const auto certificate = *dtls::Certificate::Generate();
  World world(scene.seed);
  const SocketAddress first{IpAddress::V4(198, 51, 100, 1), 3478};
  const SocketAddress second{IpAddress::V4(198, 51, 100, 2), 3479};
  const netsim::NodeId server_host = world.AddHost(World::kInternet, first.ip, scene.link);
  world.AddAddress(server_host, second.ip);
  stun::ServerOptions server_options;
  if (scene.one_server_with_two_ports) server_options.behavior = {{first, second}};
  stun::Server server(server_options);
  netsim::HostDriver<stun::Server, Ignore> server_driver(world, server_host, server, Ignore{});
  for (const IpAddress& ip : {first.ip, second.ip}) {
    for (const uint16_t port : {first.port, second.port}) server_driver.Bind({ip, port});
  }
  transport::PeerOptions options;
  options.certificate = certificate;
  options.stun_servers = {first, second};
  if (scene.one_server_with_two_ports) options.stun_servers.pop_back();
  options.prediction = scene.prediction;
  Side a(world, scene.a, 1, scene.link, options);
  Side z(world, scene.z, 2, scene.link, options);
  Neighbour neighbour(world, a.nat, IpAddress::V4(10, 0, 1, 9), scene.neighbours);

  world.RunUntil([&] { return !a.peer().is_gathering() && !z.peer().is_gathering(); }, seconds(10));
  const auto offer = a.peer().CreateOffer(world.now());
  world.RunFor(scene.signalling);
  EXPECT_TRUE(offer && z.peer().SetRemoteDescription(world.now(), transport::SdpType::kOffer, *offer));
  const Timestamp start = world.now();
  const auto answer = z.peer().CreateAnswer(world.now());
  z.Kick();
  world.RunFor(scene.signalling);
  EXPECT_TRUE(answer && a.peer().SetRemoteDescription(world.now(), transport::SdpType::kAnswer, *answer));
  a.Kick();
  if (!world.RunUntil([&] { return a.IsUp() && z.IsUp(); }, limit)) return std::nullopt;
  return world.now() - start;
}

// How many of `seeds` connect within `limit`.
int Count(Scene scene, int seeds, Duration limit) {
  int connected = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    scene.seed = static_cast<uint64_t>(seed);
    const auto took = Connect(scene, limit + seconds(1));
    if (took && *took <= limit) ++connected;
  }
  return connected;
}

constexpr int kSeeds = 200;

TEST(PredictionTest, SequentialTimesPortRestrictedConnectsWithinASecond) {
  EXPECT_GE(Count({}, kSeeds, seconds(1)), kSeeds * 99 / 100);
}

TEST(PredictionTest, SoItDoesWhenTheHardSideAnswers) {
  EXPECT_GE(Count({.a = NatType::kPort, .z = NatType::kSymmetricSequential}, kSeeds, seconds(1)), kSeeds * 99 / 100);
}

TEST(PredictionTest, AndWhenOthersTakePortsToo) {
  EXPECT_GE(Count({.neighbours = milliseconds(500)}, kSeeds, seconds(1)), kSeeds * 99 / 100);
}

TEST(PredictionTest, OneServerWithASecondPortIsEnough) {  // RFC 5780 §7.4
  EXPECT_GE(Count({.one_server_with_two_ports = true}, kSeeds / 4, seconds(1)), kSeeds / 4);
}

TEST(PredictionTest, WithoutItNoneDoes) { EXPECT_EQ(Count({.prediction = {.is_enabled = false}}, 10, seconds(5)), 0); }

TEST(PredictionTest, RandomPortsStayOutOfReach) { EXPECT_EQ(Count({.a = NatType::kSymmetric}, 10, seconds(5)), 0); }

TEST(PredictionTest, ElsewhereNothingIsAdded) {
  for (const NatType type :
       {NatType::kPublic, NatType::kFullCone, NatType::kPort, NatType::kPortRandom, NatType::kSymmetric}) {
    EXPECT_TRUE(Connect({.a = type, .z = NatType::kPublic})) << netsim::ToString(type);
  }
}

}  // namespace
}  // namespace jsp
