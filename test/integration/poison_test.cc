// Early-inbound poison: a NAT that rejects the answerer's first check gives the offerer another mapping for it.
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
using transport::SdpType;

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

class Side {
 public:
  Side(World& world, NatType type, uint8_t number, const transport::PeerOptions& options)
      : world_(world), rng_(world.ForkRng()), inside_(IpAddress::V4(10, 0, number, 2)) {
    const netsim::LinkOptions link{.delay = milliseconds(12), .jitter = milliseconds(4)};
    nat = world.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, number), netsim::OptionsFor(type), link);
    const netsim::NodeId host = world.AddHost(nat, inside_, {.delay = milliseconds(1)});
    peer_ = std::make_unique<Peer>(options, rng_, world.now());
    driver_ = std::make_unique<netsim::HostDriver<Peer, Ignore>>(world, host, *peer_, Ignore{});
    AddSocket();
    peer_->EndOfLocalAddresses(world.now());
    driver_->Kick();
  }
  void AddSocket() {
    peer_->AddLocalAddress(world_.now(), {driver_->Bind({inside_, 0})});
    driver_->Kick();
  }
  Peer& peer() { return *peer_; }
  void Kick() { driver_->Kick(); }
  bool IsUp() const {
    return peer_->state() == ConnectionState::kConnected || peer_->state() == ConnectionState::kCompleted;
  }
  netsim::NodeId nat;

 private:
  World& world_;
  Rng rng_;
  IpAddress inside_;
  std::unique_ptr<Peer> peer_;
  std::unique_ptr<netsim::HostDriver<Peer, Ignore>> driver_;
};

// `a` offers, and is the one whose NAT rejects.
struct Scene {
  explicit Scene(uint64_t seed, bool opens_holes = true, NatType a_type = NatType::kPortReject,
                 NatType z_type = NatType::kPort)
      : world(seed) {
    static const auto certificate = *dtls::Certificate::Generate();
    const IpAddress server_ip = IpAddress::V4(198, 51, 100, 1);
    const netsim::NodeId host = world.AddHost(World::kInternet, server_ip, {.delay = milliseconds(5)});
    server_driver = std::make_unique<ServerDriver>(world, host, server, Ignore{});
    transport::PeerOptions options;
    options.certificate = certificate;
    options.stun_servers = {server_driver->Bind({server_ip, 3478})};
    options.hole_opening.is_enabled = opens_holes;
    a = std::make_unique<Side>(world, a_type, 1, options);
    z = std::make_unique<Side>(world, z_type, 2, options);
  }
  // One round of offer and answer, 50 ms each way; then up to `limit` for the connection.
  bool Negotiate(Duration limit) {
    world.RunUntil([&] { return !a->peer().is_gathering() && !z->peer().is_gathering(); }, seconds(10));
    const auto offer = a->peer().CreateOffer(world.now());
    a->Kick();
    world.RunFor(milliseconds(50));
    EXPECT_TRUE(offer && z->peer().SetRemoteDescription(world.now(), SdpType::kOffer, *offer));
    const auto answer = z->peer().CreateAnswer(world.now());
    z->Kick();
    world.RunFor(milliseconds(50));
    EXPECT_TRUE(answer && a->peer().SetRemoteDescription(world.now(), SdpType::kAnswer, *answer));
    a->Kick();
    return world.RunUntil([&] { return a->IsUp() && z->IsUp(); }, limit);
  }
  bool RestartFromAFreshSocket(Duration limit) {
    a->AddSocket();
    EXPECT_TRUE(a->peer().RestartIce(world.now()));
    a->Kick();
    return Negotiate(limit);
  }

  using ServerDriver = netsim::HostDriver<stun::Server, Ignore>;
  World world;
  stun::Server server{stun::ServerOptions{}};
  std::unique_ptr<ServerDriver> server_driver;
  std::unique_ptr<Side> a;
  std::unique_ptr<Side> z;
};

TEST(PoisonTest, ARejectingNatKeepsTheOffererApart) {
  Scene scene(1);
  EXPECT_FALSE(scene.Negotiate(seconds(20)));
  EXPECT_GE(scene.world.nat(scene.a->nat).stats().moved, 1u);
}

TEST(PoisonTest, AFreshSocketThatSpeaksFirstRecovers) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Scene scene(seed);
    ASSERT_FALSE(scene.Negotiate(seconds(2))) << seed;
    EXPECT_TRUE(scene.RestartFromAFreshSocket(seconds(1))) << seed;
  }
}

TEST(PoisonTest, AFreshSocketThatWaitsIsPoisonedLikeTheFirst) {
  Scene scene(1, false);
  ASSERT_FALSE(scene.Negotiate(seconds(2)));
  EXPECT_FALSE(scene.RestartFromAFreshSocket(seconds(10)));
}

TEST(PoisonTest, TheSameSocketDoesNotRecover) {
  Scene scene(1);
  ASSERT_FALSE(scene.Negotiate(seconds(2)));
  ASSERT_TRUE(scene.a->peer().RestartIce(scene.world.now()));
  EXPECT_FALSE(scene.Negotiate(seconds(10)));
}

TEST(PoisonTest, TheAnswererSpeaksFirstAnyhow) {
  Scene scene(1, true, NatType::kPort, NatType::kPortReject);
  EXPECT_TRUE(scene.Negotiate(seconds(2)));
}

TEST(PoisonTest, ARestartFromAFreshSocketLosesNothingThatWorks) {
  Scene scene(1, true, NatType::kPort, NatType::kPort);
  ASSERT_TRUE(scene.Negotiate(seconds(2)));
  EXPECT_TRUE(scene.RestartFromAFreshSocket(seconds(2)));
  scene.world.RunFor(seconds(60));
  EXPECT_TRUE(scene.a->IsUp() && scene.z->IsUp());
}

}  // namespace
}  // namespace jsp
