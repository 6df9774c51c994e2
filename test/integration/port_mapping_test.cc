// Peers behind gateways that map ports on request (PCP, NAT-PMP).
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/nat_type.h"
#include "netsim/world.h"
#include "portmap/client.h"
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

const IpAddress kServer = IpAddress::V4(198, 51, 100, 1);

enum class Speaks : uint8_t { kNothing, kPcp, kNatPmp };

void Put(std::vector<uint8_t>& out, uint32_t value, size_t octets) {
  for (size_t i = 0; i < octets; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * (octets - 1 - i))));
}
uint32_t Get(std::span<const uint8_t> in, size_t at, size_t octets) {
  uint32_t value = 0;
  for (size_t i = 0; i < octets; ++i) value = value << 8 | in[at + i];
  return value;
}

// The inner address of a NAT: a PCP server (RFC 6887 §11.3) or a NAT-PMP one (RFC 6886 §3) before its mappings.
class Gateway {
 public:
  Gateway(World& world, netsim::NodeId nat, IpAddress inside, Speaks speaks)
      : world_(world), nat_(nat), speaks_(speaks), address_{inside, portmap::kServerPort} {
    const netsim::NodeId host = world.AddHost(nat, inside, {.delay = milliseconds(1)});
    id_ =
        world.Attach(host, {.self = this, .handle_datagram = &Gateway::HandleDatagram, .handle_timeout = [](void*) {}});
    world.Bind(id_, address_);
  }
  const SocketAddress& address() const { return address_; }

 private:
  static void HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> request, EcnMark) {
    auto& gateway = *static_cast<Gateway*>(self);
    const auto answer = gateway.AnswerTo(request, remote);
    if (!answer.empty()) gateway.world_.Send(gateway.id_, local, remote, answer);
  }
  std::vector<uint8_t> AnswerTo(std::span<const uint8_t> request, const SocketAddress& client) {
    if (speaks_ == Speaks::kPcp && request.size() == 60 && request[0] == 2 && request[1] == 1) {
      return AnswerPcp(request, client);
    }
    if (speaks_ == Speaks::kNatPmp && request[0] == 0) return AnswerNatPmp(request, client);
    // RFC 6886 §3.5: "unsupported version".
    if (speaks_ == Speaks::kNatPmp) return {0, static_cast<uint8_t>(request[1] | 0x80), 0, 1, 0, 0, 0, 9};
    return {};
  }
  std::vector<uint8_t> AnswerPcp(std::span<const uint8_t> request, const SocketAddress& client) {
    const uint32_t lifetime = Get(request, 4, 4);
    const auto external =
        world_.nat(nat_).MapPort(world_.now(), {client.ip, static_cast<uint16_t>(Get(request, 40, 2))},
                                 static_cast<uint16_t>(Get(request, 42, 2)), seconds(lifetime));
    std::vector<uint8_t> out{2, 0x81, 0, 0};
    Put(out, lifetime, 4);
    Put(out, Seconds(), 4);
    out.resize(24);
    out.insert(out.end(), request.begin() + 24, request.begin() + 42);
    Put(out, external ? external->port : 0, 2);
    out.resize(54);
    Put(out, 0xffff, 2);
    Put(out, external ? external->ip.v4_host_order() : 0, 4);
    return out;
  }
  std::vector<uint8_t> AnswerNatPmp(std::span<const uint8_t> request, const SocketAddress& client) {
    std::vector<uint8_t> out{0, static_cast<uint8_t>(request[1] | 0x80), 0, 0};
    Put(out, Seconds(), 4);
    if (request[1] == 0) {
      Put(out, world_.nat(nat_).external().v4_host_order(), 4);
      return out;
    }
    const auto internal = static_cast<uint16_t>(Get(request, 4, 2));
    const uint32_t lifetime = Get(request, 8, 4);
    const auto external = world_.nat(nat_).MapPort(world_.now(), {client.ip, internal},
                                                   static_cast<uint16_t>(Get(request, 6, 2)), seconds(lifetime));
    Put(out, internal, 2);
    Put(out, external ? external->port : 0, 2);
    Put(out, lifetime, 4);
    return out;
  }
  uint32_t Seconds() const {
    return static_cast<uint32_t>(
        std::chrono::duration_cast<seconds>(world_.now() - Timestamp::FromEpoch(Duration::zero())).count());
  }

  World& world_;
  netsim::NodeId nat_;
  Speaks speaks_;
  SocketAddress address_;
  netsim::EndpointId id_;
};

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

// A peer behind a NAT, with a port mapping client beside it, as a driver has them.
class Side {
 public:
  Side(World& world, NatType type, uint8_t number, Speaks speaks, const SocketAddress& stun)
      : world_(world), rng_(world.ForkRng()) {
    nat = world.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, number), netsim::OptionsFor(type), {});
    const IpAddress inside = IpAddress::V4(10, 0, number, 2);
    const netsim::NodeId host = world.AddHost(nat, inside, {.delay = milliseconds(1)});
    gateway_ = std::make_unique<Gateway>(world, nat, IpAddress::V4(10, 0, number, 1), speaks);
    transport::PeerOptions options;
    options.certificate = *dtls::Certificate::Generate();
    options.stun_servers = {stun};
    peer_ = std::make_unique<Peer>(options, rng_, world.now());
    driver_ = std::make_unique<PeerDriver>(world, host, *peer_, Ignore{});
    const SocketAddress local = driver_->Bind({inside, 0});
    ports_ = std::make_unique<portmap::Client>(
        portmap::ClientOptions{.gateway = gateway_->address(), .local = {inside, 41000}}, rng_);
    port_driver_ = std::make_unique<PortDriver>(world, host, *ports_, Note{this, local});
    port_driver_->Bind({inside, 41000});
    (void)ports_->Map(world.now(), local.port);
    peer_->AddLocalAddress(world.now(), {local});
    peer_->AwaitPortMappings();
    peer_->EndOfLocalAddresses(world.now());
    port_driver_->Kick();
    driver_->Kick();
  }
  Peer& peer() { return *peer_; }
  void Kick() { driver_->Kick(); }
  void ClosePorts() {
    ports_->Close(world_.now());
    port_driver_->Kick();
  }
  bool IsUp() const { return peer_->state() == ConnectionState::kCompleted; }

  netsim::NodeId nat;
  std::optional<SocketAddress> mapped;

 private:
  struct Note {
    Side* side;
    SocketAddress local;
    void operator()(const portmap::Client::Event& event) const {
      const auto* found = std::get_if<portmap::event::Mapped>(&event);
      if (found == nullptr) return;
      side->mapped = found->external;
      side->peer_->HandlePortMapped(side->world_.now(), local, found->external, side->gateway_->address());
      side->peer_->HandlePortMappingsSettled(side->world_.now());
      side->driver_->Kick();
    }
  };
  using PeerDriver = netsim::HostDriver<Peer, Ignore>;
  using PortDriver = netsim::HostDriver<portmap::Client, Note>;

  World& world_;
  Rng rng_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Peer> peer_;
  std::unique_ptr<PeerDriver> driver_;
  std::unique_ptr<portmap::Client> ports_;
  std::unique_ptr<PortDriver> port_driver_;
};

// Both behind NATs that no hole punching crosses; `a` asks its gateway.
struct TwoHardSides {
  explicit TwoHardSides(Speaks speaks) {
    const netsim::NodeId host = world.AddHost(World::kInternet, kServer, {.delay = milliseconds(5)});
    server_driver = std::make_unique<ServerDriver>(world, host, server, Ignore{});
    const SocketAddress stun = server_driver->Bind({kServer, 3478});
    a = std::make_unique<Side>(world, NatType::kSymmetric, 1, speaks, stun);
    z = std::make_unique<Side>(world, NatType::kSymmetric, 2, Speaks::kNothing, stun);
  }
  bool Connect() {
    world.RunUntil([&] { return !a->peer().is_gathering() && !z->peer().is_gathering(); }, seconds(10));
    const auto offer = a->peer().CreateOffer(world.now());
    EXPECT_TRUE(offer && z->peer().SetRemoteDescription(world.now(), transport::SdpType::kOffer, *offer));
    const auto answer = z->peer().CreateAnswer(world.now());
    EXPECT_TRUE(answer && a->peer().SetRemoteDescription(world.now(), transport::SdpType::kAnswer, *answer));
    a->Kick();
    z->Kick();
    return world.RunUntil([&] { return a->IsUp() && z->IsUp(); }, seconds(60));
  }

  using ServerDriver = netsim::HostDriver<stun::Server, Ignore>;
  World world{11};
  stun::Server server{stun::ServerOptions{}};
  std::unique_ptr<ServerDriver> server_driver;
  std::unique_ptr<Side> a;
  std::unique_ptr<Side> z;
};

TEST(PortMappingTest, AMappingByPcpConnectsWhatNoHolePunchingDoes) {  // RFC 6887 §11
  TwoHardSides sides(Speaks::kPcp);
  ASSERT_TRUE(sides.Connect());
  ASSERT_TRUE(sides.a->mapped);
  EXPECT_EQ(sides.z->peer().stats().selected_pair->remote.address, *sides.a->mapped);
}

TEST(PortMappingTest, SoDoesOneByNatPmp) {  // RFC 6886 §3.3
  TwoHardSides sides(Speaks::kNatPmp);
  ASSERT_TRUE(sides.Connect());
  EXPECT_EQ(sides.z->peer().stats().selected_pair->remote.address, *sides.a->mapped);
}

TEST(PortMappingTest, WithoutOneTheyNeverMeet) {
  TwoHardSides sides(Speaks::kNothing);
  EXPECT_FALSE(sides.Connect());
  EXPECT_FALSE(sides.a->mapped);
}

TEST(PortMappingTest, TheMappingIsACandidateLikeOneOfStun) {  // RFC 8445 §5.1.1.2
  TwoHardSides sides(Speaks::kPcp);
  sides.world.RunUntil([&] { return !sides.a->peer().is_gathering(); }, seconds(10));
  std::vector<ice::Candidate> reflexive;
  for (const auto& candidate : sides.a->peer().stats().local_candidates) {
    if (candidate.type == ice::CandidateType::kServerReflexive) reflexive.push_back(candidate);
  }
  ASSERT_EQ(reflexive.size(), 2u);  // the server's, and the gateway's
  EXPECT_NE(reflexive[0].foundation, reflexive[1].foundation);
  EXPECT_EQ(reflexive[0].base, reflexive[1].base);
}

TEST(PortMappingTest, ClosingTakesTheMappingAway) {  // RFC 6887 §15
  TwoHardSides sides(Speaks::kPcp);
  ASSERT_TRUE(sides.Connect());
  netsim::Nat& nat = sides.world.nat(sides.a->nat);
  const SocketAddress stranger{IpAddress::V4(198, 51, 100, 9), 9};
  EXPECT_TRUE(nat.Inbound(sides.world.now(), *sides.a->mapped, stranger));
  sides.a->ClosePorts();
  sides.world.RunFor(milliseconds(100));
  EXPECT_FALSE(nat.Inbound(sides.world.now(), *sides.a->mapped, stranger));
}

TEST(PortMappingTest, ItIsRenewedForAsLongAsItIsWanted) {  // RFC 6887 §11.2.1
  TwoHardSides sides(Speaks::kPcp);
  ASSERT_TRUE(sides.Connect());
  sides.world.RunFor(std::chrono::hours(5));
  EXPECT_TRUE(sides.a->IsUp());
  const SocketAddress stranger{IpAddress::V4(198, 51, 100, 9), 9};
  EXPECT_TRUE(sides.world.nat(sides.a->nat).Inbound(sides.world.now(), *sides.a->mapped, stranger));
}

}  // namespace
}  // namespace jsp
