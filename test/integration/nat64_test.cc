// A peer with IPv6 only behind a NAT64 (RFC 6146's kind), and one with IPv4 only.
#include "transport/nat64.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <set>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/nat_type.h"
#include "netsim/world.h"
#include "stun/server.h"
#include "transport/peer.h"
namespace jsp {
namespace {

using netsim::World;
using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::ConnectionState;
using transport::Nat64Prefix;
using transport::Peer;

const IpAddress kOutside = IpAddress::V4(203, 0, 113, 64);
const IpAddress kServer = IpAddress::V4(198, 51, 100, 1);
const IpAddress kIpv6Host = *IpAddress::Parse("2001:db8:1::2");

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

// A host in the world that answers for every address under its prefix that it was told of, and forwards to IPv4:
// endpoint-independent mapping, address- and port-dependent filtering.
class Nat64Box {
 public:
  Nat64Box(World& world, const Nat64Prefix& prefix) : world_(world), prefix_(prefix) {
    host_ = world.AddHost(World::kInternet, kOutside, {.delay = milliseconds(1)});
    id_ = world.Attach(host_,
                       {.self = this, .handle_datagram = &Nat64Box::HandleDatagram, .handle_timeout = [](void*) {}});
  }
  void Represent(const SocketAddress& v4) {
    const SocketAddress v6{*prefix_.Embed(v4.ip), v4.port};
    if (!represented_.insert(v6).second) return;
    world_.AddAddress(host_, v6.ip);
    world_.Bind(id_, v6);
  }

 private:
  struct Mapping {
    SocketAddress inside;
    std::set<SocketAddress> sent_to;
  };

  static void HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> datagram, EcnMark) {
    auto& box = *static_cast<Nat64Box*>(self);
    local.ip.is_v6() ? box.Outbound(local, remote, datagram) : box.Inbound(local, remote, datagram);
  }
  void Outbound(const SocketAddress& to, const SocketAddress& from, std::span<const uint8_t> datagram) {
    const SocketAddress destination{*prefix_.Extract(to.ip), to.port};
    if (!external_.contains(from)) {
      external_[from] = world_.Bind(id_, {kOutside, 0});
      mappings_[external_[from]].inside = from;
    }
    mappings_[external_[from]].sent_to.insert(destination);
    world_.Send(id_, external_[from], destination, datagram);
  }
  void Inbound(const SocketAddress& to, const SocketAddress& from, std::span<const uint8_t> datagram) {
    const Mapping& mapping = mappings_.at(to);
    if (!mapping.sent_to.contains(from)) return;
    world_.Send(id_, {*prefix_.Embed(from.ip), from.port}, mapping.inside, datagram);
  }

  World& world_;
  Nat64Prefix prefix_;
  netsim::NodeId host_;
  netsim::EndpointId id_;
  std::set<SocketAddress> represented_;
  std::map<SocketAddress, SocketAddress> external_;
  std::map<SocketAddress, Mapping> mappings_;
};

struct Side {
  using Driver = netsim::HostDriver<Peer, Ignore>;

  Side(World& world, netsim::NodeId host, IpAddress ip, const transport::PeerOptions& options)
      : rng(world.ForkRng()), peer(options, rng, world.now()), driver(world, host, peer, Ignore{}) {
    peer.AddLocalAddress(world.now(), {driver.Bind({ip, 50000})});
    peer.EndOfLocalAddresses(world.now());
    driver.Kick();
  }
  bool IsUp() const { return peer.state() == ConnectionState::kCompleted; }

  Rng rng;
  Peer peer;
  Driver driver;
};

// IPv4 side `a` behind `nat` offers to the IPv6 side `z`, which knows of its NAT64 or does not.
struct Outcome {
  bool connected;
  ice::CandidateType z_local;
  SocketAddress z_remote;
};

Outcome Connect(netsim::NatType nat, const Nat64Prefix& prefix, bool knows_nat64) {
  World world(7);
  const IpAddress a_outside = IpAddress::V4(203, 0, 113, 1);
  const bool is_public = nat == netsim::NatType::kPublic;
  const netsim::NodeId below =
      is_public ? World::kInternet : world.AddNat(World::kInternet, a_outside, netsim::OptionsFor(nat), {});
  const IpAddress a_ip = is_public ? a_outside : IpAddress::V4(10, 0, 0, 2);
  const netsim::NodeId a_host = world.AddHost(below, a_ip, {.delay = milliseconds(5)});
  const netsim::NodeId z_host = world.AddHost(World::kInternet, kIpv6Host, {.delay = milliseconds(5)});
  const netsim::NodeId server_host = world.AddHost(World::kInternet, kServer, {.delay = milliseconds(5)});

  stun::Server server{stun::ServerOptions{}};
  netsim::HostDriver<stun::Server, Ignore> server_driver(world, server_host, server, Ignore{});
  const SocketAddress stun = server_driver.Bind({kServer, 3478});
  Nat64Box box(world, prefix);
  box.Represent(stun);
  box.Represent({a_outside, 50000});  // ports are preserved

  transport::PeerOptions options;
  options.certificate = *dtls::Certificate::Generate();
  options.stun_servers = {stun};
  Side a(world, a_host, a_ip, options);
  if (knows_nat64) options.nat64 = prefix;
  for (auto& address : options.stun_servers) address = ThroughNat64(options.nat64, address);
  Side z(world, z_host, kIpv6Host, options);

  world.RunUntil([&] { return !a.peer.is_gathering() && !z.peer.is_gathering(); }, seconds(10));
  const auto offer = a.peer.CreateOffer(world.now());
  EXPECT_TRUE(offer && z.peer.SetRemoteDescription(world.now(), transport::SdpType::kOffer, *offer));
  const auto answer = z.peer.CreateAnswer(world.now());
  EXPECT_TRUE(answer && a.peer.SetRemoteDescription(world.now(), transport::SdpType::kAnswer, *answer));
  a.driver.Kick();
  z.driver.Kick();
  const bool connected = world.RunUntil([&] { return a.IsUp() && z.IsUp(); }, seconds(60));
  if (!connected) return {false, {}, {}};
  const auto pair = *z.peer.stats().selected_pair;
  return {true, pair.local.type, pair.remote.address};
}

TEST(Nat64Test, AnIpv6OnlyPeerReachesAnIpv4OnlyOne) {  // RFC 6052 §2.3
  const Nat64Prefix well_known = *Nat64Prefix::Make(*IpAddress::Parse("64:ff9b::"), 96);
  const auto outcome = Connect(netsim::NatType::kPublic, well_known, true);
  ASSERT_TRUE(outcome.connected);
  EXPECT_EQ(outcome.z_remote.ip, *IpAddress::Parse("64:ff9b::203.0.113.1"));
}

TEST(Nat64Test, ItsReflexiveAddressIsIpv4AndOpensTheOtherSidesNat) {
  // A port-restricted NAT: both sides must have sent, so both must know an address of the other that works.
  const Nat64Prefix of_operator = *Nat64Prefix::Make(*IpAddress::Parse("2001:db8:122:344::"), 64);
  const auto outcome = Connect(netsim::NatType::kPort, of_operator, true);
  ASSERT_TRUE(outcome.connected);
  EXPECT_EQ(outcome.z_local, ice::CandidateType::kServerReflexive);
}

TEST(Nat64Test, WithoutThePrefixTheyNeverMeet) {
  const Nat64Prefix well_known = *Nat64Prefix::Make(*IpAddress::Parse("64:ff9b::"), 96);
  EXPECT_FALSE(Connect(netsim::NatType::kPublic, well_known, false).connected);
}

}  // namespace
}  // namespace jsp
