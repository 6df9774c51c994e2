// Which ports a NAT gives, to whom, and how long: RFC 4787 §4.2 and §4.3, RFC 6888 §3, RFC 7857 §3.
#include <gtest/gtest.h>

#include <set>

#include "netsim/nat.h"
#include "netsim/nat_type.h"

namespace jsp::netsim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const IpAddress kExternal = IpAddress::V4(203, 0, 113, 1);
const SocketAddress kInside = *SocketAddress::Parse("10.0.0.2:5000");
const SocketAddress kNeighbour = *SocketAddress::Parse("10.0.0.3:5000");
const SocketAddress kServer = *SocketAddress::Parse("198.51.100.1:3478");
const SocketAddress kServerOtherPort = *SocketAddress::Parse("198.51.100.1:3479");
const SocketAddress kStranger = *SocketAddress::Parse("192.0.2.9:9");
const Timestamp kNow = Timestamp::FromEpoch(seconds(10));

SocketAddress Destination(uint16_t number) { return {IpAddress::V4(198, 51, 100, 9), number}; }

Nat Make(NatType type, void (*change)(NatOptions& options)) {
  NatOptions options = OptionsFor(type);
  change(options);
  return Nat(options, kExternal, Rng::FromNumber(1));
}

TEST(NatPortsTest, ALimitedPoolGivesEachOfItsPortsOnceAndThenNone) {  // RFC 4787 §4.2.1
  for (const auto type : {NatType::kSymmetric, NatType::kSymmetricSequential}) {
    Nat nat = Make(type, [](NatOptions& options) { options.pool = {50000, 50015}; });
    std::set<uint16_t> ports;
    for (uint16_t i = 1; i <= 16; ++i) {
      const auto mapped = nat.Outbound(kNow, kInside, Destination(i));
      ASSERT_TRUE(mapped);
      ports.insert(mapped->port);
    }
    EXPECT_EQ(ports.size(), 16u);
    EXPECT_EQ(*ports.begin(), 50000);
    EXPECT_EQ(*ports.rbegin(), 50015);
    EXPECT_FALSE(nat.Outbound(kNow, kInside, Destination(17)));
    EXPECT_EQ(nat.stats().exhausted, 1u);
    EXPECT_TRUE(nat.Outbound(kNow, kInside, Destination(3))) << "who has one keeps it";
    EXPECT_TRUE(nat.Outbound(kNow, kInside, Destination(1), PacketKind::kTcpSyn)) << "TCP has ports of its own";
    EXPECT_TRUE(nat.Outbound(kNow + minutes(2), kInside, Destination(17))) << "expired ones are taken back";
  }
}

TEST(NatPortsTest, APortOutsideOfThePoolIsNotPreserved) {
  Nat nat = Make(NatType::kPort, [](NatOptions& options) { options.pool = {50000, 50001}; });
  EXPECT_EQ(nat.Outbound(kNow, kInside, kServer)->port, 50000);
  EXPECT_EQ(nat.Outbound(kNow, {kInside.ip, 50001}, kServer)->port, 50001);
  EXPECT_FALSE(nat.Outbound(kNow, {kInside.ip, 50000}, kServer));
  EXPECT_FALSE(nat.MapPort(kNow, {kInside.ip, 7}, 50001, minutes(1)));
}

TEST(NatPortsTest, ASubscriberPastItsQuotaGetsNothingNewAndOthersDo) {  // RFC 6888 §3 REQ-4
  Nat nat = Make(NatType::kSymmetric, [](NatOptions& options) { options.subscriber_quota = 2; });
  const auto first = nat.Outbound(kNow, kInside, Destination(1));
  EXPECT_TRUE(nat.Outbound(kNow, {kInside.ip, 5001}, Destination(1))) << "the address counts, not the port";
  EXPECT_FALSE(nat.Outbound(kNow, kInside, Destination(2)));
  EXPECT_FALSE(nat.MapPort(kNow, kInside, 40000, minutes(1)));
  EXPECT_EQ(nat.stats().over_quota, 2u);
  EXPECT_EQ(nat.Outbound(kNow, kInside, Destination(1)), first);
  EXPECT_TRUE(nat.Outbound(kNow, kNeighbour, Destination(2)));
  EXPECT_TRUE(nat.Outbound(kNow, kInside, Destination(2), PacketKind::kTcpSyn)) << "of each protocol";
  EXPECT_TRUE(nat.Outbound(kNow + minutes(2), kInside, Destination(2))) << "expired ones do not count";
}

TEST(NatPortsTest, OverloadingGivesTwoHostsOnePortAndTellsThemApartByDestination) {  // RFC 7857 §3
  Nat nat = Make(NatType::kPort, [](NatOptions& options) { options.ports = PortAllocation::kOverload; });
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Outbound(kNow, kNeighbour, kStranger), mapped);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kServer), kInside);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kStranger), kNeighbour);
  EXPECT_FALSE(nat.Inbound(kNow, *mapped, kServerOtherPort));
  EXPECT_EQ(nat.stats().mappings, 2u);
}

TEST(NatPortsTest, OverloadingLosesTheEarlierOfTwoHostsWithOneDestination) {  // against RFC 4787 §4.2.1 REQ-3
  Nat nat = Make(NatType::kPort, [](NatOptions& options) { options.ports = PortAllocation::kOverload; });
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Outbound(kNow + seconds(1), kNeighbour, kServer), mapped);
  EXPECT_EQ(nat.Inbound(kNow + seconds(1), *mapped, kServer), kNeighbour);
  EXPECT_EQ(nat.Outbound(kNow + seconds(2), kInside, kServer), mapped);
  EXPECT_EQ(nat.Inbound(kNow + seconds(2), *mapped, kServer), kInside);
}

TEST(NatPortsTest, OverloadingMakesOneMappingForAllDestinations) {
  Nat nat = Make(NatType::kSymmetric, [](NatOptions& options) { options.ports = PortAllocation::kOverload; });
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Outbound(kNow, kInside, kStranger), mapped);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kStranger), kInside);
  EXPECT_EQ(nat.stats().mappings, 1u);
}

TEST(NatPortsTest, InboundTrafficRefreshesOnlyWhereItIsToldTo) {  // RFC 4787 §4.3 REQ-6 a
  for (const auto refresh : {Refresh::kOutbound, Refresh::kBoth}) {
    NatOptions options = OptionsFor(NatType::kPort);
    options.refresh = refresh;
    Nat nat(options, kExternal, Rng::FromNumber(1));
    const auto mapped = nat.Outbound(kNow, kInside, kServer);
    EXPECT_TRUE(nat.Inbound(kNow + seconds(90), *mapped, kServer));
    EXPECT_FALSE(nat.Inbound(kNow + seconds(90), *mapped, kStranger));
    EXPECT_EQ(nat.Inbound(kNow + seconds(150), *mapped, kServer).has_value(), refresh == Refresh::kBoth);
    EXPECT_FALSE(nat.Inbound(kNow + seconds(270), *mapped, kServer)) << "what is filtered refreshes nothing";
  }
}

TEST(NatPortsTest, ARenumberedNatMapsToItsNewAddressAndKnowsNothingOfBefore) {
  Nat nat = Make(NatType::kFullCone, [](NatOptions&) {});
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  nat.Renumber(IpAddress::V4(203, 0, 113, 77), kNow + seconds(5));
  EXPECT_TRUE(nat.IsDown(kNow + seconds(4)));
  EXPECT_FALSE(nat.IsDown(kNow + seconds(5)));
  EXPECT_FALSE(nat.Inbound(kNow + seconds(5), *mapped, kServer));
  EXPECT_EQ(nat.Outbound(kNow + seconds(5), kInside, kServer)->ip, IpAddress::V4(203, 0, 113, 77));
}

}  // namespace
}  // namespace jsp::netsim
