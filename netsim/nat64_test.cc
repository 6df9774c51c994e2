#include "netsim/nat64.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "netsim/two_sides.h"
#include "netsim/world.h"

namespace jsp::netsim {
namespace {

using std::chrono::seconds;

const IpAddress kPrefix = WellKnownNat64Prefix();

TEST(Nat64AddressTest, TheIpv4AddressIsInTheLast32Bits) {  // RFC 6052 §2.2, §2.4
  const IpAddress v4 = IpAddress::V4(192, 0, 2, 33);
  EXPECT_EQ(EmbedIpv4(kPrefix, v4).ToString(), IpAddress::Parse("64:ff9b::192.0.2.33")->ToString());
  EXPECT_EQ(ExtractIpv4(kPrefix, *IpAddress::Parse("64:ff9b::c000:221")), v4);
  EXPECT_FALSE(ExtractIpv4(kPrefix, *IpAddress::Parse("64:ff9b:1::c000:221")));
  EXPECT_FALSE(ExtractIpv4(kPrefix, v4));
}

// Hears one socket of a host and keeps what came last.
struct Listener {
  Listener(World& in, NodeId host, const SocketAddress& address) : world(in) {
    id = world.Attach(host, {.self = this, .handle_datagram = &Listener::Hear, .handle_timeout = [](void*) {}});
    bound = world.Bind(id, address);
  }
  static void Hear(void* self, const SocketAddress&, const SocketAddress& remote, std::span<const uint8_t> datagram,
                   EcnMark) {
    static_cast<Listener*>(self)->from = remote;
    static_cast<Listener*>(self)->text.assign(datagram.begin(), datagram.end());
  }
  void Send(const SocketAddress& to, const std::string& what) {
    from.reset();
    world.Send(id, bound, to, std::span(reinterpret_cast<const uint8_t*>(what.data()), what.size()));
    world.RunFor(seconds(1));
  }

  World& world;
  EndpointId id{};
  SocketAddress bound;
  std::optional<SocketAddress> from;
  std::string text;
};

// Side a has IPv6 only behind a NAT64; side z is in the open with IPv4, or in a network like a's.
struct Network {
  explicit Network(NatType z) : world(3), sides(TwoSides::Build(world, {.a = NatType::kNat64, .z = z})) {}
  World world;
  TwoSides sides;
};

TEST(Nat64Test, AnIpv6HostIsSeenWithTheNatsIpv4AddressAndSeesThePrefix) {  // RFC 6146 §3.5.1
  Network network(NatType::kPublic);
  Listener six(network.world, network.sides.a_host, {network.sides.a_address, 5000});
  Listener four(network.world, network.sides.z_host, {network.sides.z_address, 6000});
  ASSERT_TRUE(network.sides.a_address.is_v6());
  six.Send({EmbedIpv4(kPrefix, four.bound.ip), 6000}, "question");
  EXPECT_EQ(four.text, "question");
  ASSERT_TRUE(four.from);
  EXPECT_EQ(*four.from, (SocketAddress{OutsideAddress(IpAddress::Family::kV4, 1), 5000}));
  four.Send(*four.from, "answer");
  EXPECT_EQ(six.text, "answer");
  EXPECT_EQ(six.from, (SocketAddress{EmbedIpv4(kPrefix, four.bound.ip), 6000}));
}

TEST(Nat64Test, FiltersByAddress) {  // RFC 6146 §3.5.1
  Network network(NatType::kPublic);
  Listener six(network.world, network.sides.a_host, {network.sides.a_address, 5000});
  Listener four(network.world, network.sides.z_host, {network.sides.z_address, 6000});
  Listener other_port(network.world, network.sides.z_host, {network.sides.z_address, 6001});
  Listener stranger(network.world, network.sides.server_host, {network.sides.server_address, 7000});
  const SocketAddress outside{OutsideAddress(IpAddress::Family::kV4, 1), 5000};
  four.Send(outside, "too early");
  EXPECT_EQ(six.text, "");
  six.Send({EmbedIpv4(kPrefix, four.bound.ip), 6000}, "question");
  stranger.Send(outside, "from elsewhere");
  EXPECT_EQ(six.text, "");
  other_port.Send(outside, "from the same address");
  EXPECT_EQ(six.text, "from the same address");
}

TEST(Nat64Test, OtherIpv6PassesAsItIs) {
  Network network(NatType::kNat64);
  Listener a(network.world, network.sides.a_host, {network.sides.a_address, 5000});
  Listener z(network.world, network.sides.z_host, {network.sides.z_address, 6000});
  a.Send(z.bound, "over IPv6");
  EXPECT_EQ(z.text, "over IPv6");
  EXPECT_EQ(z.from, a.bound);
  EXPECT_EQ(network.world.nat(*network.sides.a_nat).stats().mappings, 0u);
}

TEST(Nat64Test, HairpinsThroughItsOwnIpv4Address) {  // RFC 6146 §3.8
  World world(3);
  NatOptions options = OptionsFor(NatType::kNat64);
  options.hairpin = true;
  const IpAddress outside = IpAddress::V4(203, 0, 113, 1);
  const NodeId nat = world.AddNat(World::kInternet, outside, options, {});
  const NodeId host_a = world.AddHost(nat, AddressBehindNat64(1), {});
  const NodeId host_b = world.AddHost(nat, AddressBehindNat64(2), {});
  Listener a(world, host_a, {AddressBehindNat64(1), 5000});
  Listener b(world, host_b, {AddressBehindNat64(2), 6000});
  const SocketAddress through{EmbedIpv4(kPrefix, outside), 6000};
  b.Send({EmbedIpv4(kPrefix, outside), 5000}, "opens the way");
  a.Send(through, "in again");
  EXPECT_EQ(b.text, "in again");
  EXPECT_EQ(b.from, (SocketAddress{EmbedIpv4(kPrefix, outside), 5000}));
}

TEST(RenumberTest, WhatIsInsideIsReachedByTheNewAddressOnly) {
  World world(3);
  const auto sides = TwoSides::Build(world, {.a = NatType::kFullCone, .z = NatType::kPublic});
  Listener a(world, sides.a_host, {sides.a_address, 5000});
  Listener z(world, sides.z_host, {sides.z_address, 6000});
  a.Send(z.bound, "before");
  const SocketAddress before = *z.from;
  const IpAddress now = IpAddress::V4(203, 0, 113, 51);
  world.Renumber(*sides.a_nat, now, seconds(2));
  a.Send(z.bound, "while it is down");
  EXPECT_EQ(z.text, "before");
  EXPECT_EQ(world.stats().down, 1u);
  world.RunFor(seconds(2));
  a.Send(z.bound, "after");
  EXPECT_EQ(z.text, "after");
  EXPECT_EQ(z.from->ip, now);
  z.Send(before, "to where it was");
  EXPECT_EQ(a.text, "");
  EXPECT_EQ(world.stats().unroutable, 1u);
  z.Send({now, before.port}, "to where it is");
  EXPECT_EQ(a.text, "to where it is");
}

}  // namespace
}  // namespace jsp::netsim
