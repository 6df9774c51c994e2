#include "netsim/nat.h"

#include <gtest/gtest.h>

#include "netsim/nat_type.h"

namespace jsp::netsim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const IpAddress kExternal = IpAddress::V4(203, 0, 113, 1);
const SocketAddress kInside = *SocketAddress::Parse("10.0.0.2:5000");
const SocketAddress kServer = *SocketAddress::Parse("198.51.100.1:3478");
const SocketAddress kServerOtherPort = *SocketAddress::Parse("198.51.100.1:3479");
const SocketAddress kStranger = *SocketAddress::Parse("192.0.2.9:9");
const Timestamp kNow = Timestamp::FromEpoch(seconds(10));

Nat Make(NatType type) { return Nat(OptionsFor(type), kExternal, Rng::FromNumber(1)); }

TEST(NatTest, EndpointIndependentMappingIsOneForAllDestinations) {  // RFC 4787 §4.1 REQ-1
  Nat nat = Make(NatType::kPort);
  const auto first = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(first, nat.Outbound(kNow, kInside, kServerOtherPort));
  EXPECT_EQ(first, nat.Outbound(kNow, kInside, kStranger));
  EXPECT_EQ(first->ip, kExternal);
  EXPECT_EQ(first->port, 5000) << "preserved, RFC 4787 §4.2.1";
}

TEST(NatTest, AddressDependentMappingChangesWithTheAddressOnly) {  // RFC 4787 §4.1
  Nat nat = Make(NatType::kAddressMapping);
  const auto first = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(first, nat.Outbound(kNow, kInside, kServerOtherPort));
  EXPECT_NE(first, nat.Outbound(kNow, kInside, kStranger));
}

TEST(NatTest, AddressAndPortDependentMappingChangesWithEither) {  // RFC 4787 §4.1
  Nat nat = Make(NatType::kSymmetric);
  const auto first = nat.Outbound(kNow, kInside, kServer);
  EXPECT_NE(first, nat.Outbound(kNow, kInside, kServerOtherPort));
  EXPECT_NE(first, nat.Outbound(kNow, kInside, kStranger));
  EXPECT_EQ(first, nat.Outbound(kNow, kInside, kServer));
}

TEST(NatTest, SequentialPortsStepByOne) {
  Nat nat = Make(NatType::kSymmetricSequential);
  const auto first = nat.Outbound(kNow, kInside, kServer);
  const auto second = nat.Outbound(kNow, kInside, kServerOtherPort);
  EXPECT_EQ(second->port, first->port + 1);
}

TEST(NatTest, PreservationGivesWayToAnotherPortWhenTaken) {  // RFC 4787 §4.2.1 REQ-3
  Nat nat = Make(NatType::kPort);
  const SocketAddress other_host = *SocketAddress::Parse("10.0.0.3:5000");
  const auto first = nat.Outbound(kNow, kInside, kServer);
  const auto second = nat.Outbound(kNow, other_host, kServer);
  EXPECT_NE(first, second);
  EXPECT_EQ(nat.Inbound(kNow, *second, kServer), other_host);
}

TEST(NatTest, EndpointIndependentFilteringAdmitsStrangers) {  // RFC 4787 §5
  Nat nat = Make(NatType::kFullCone);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kStranger), kInside);
}

TEST(NatTest, AddressDependentFilteringAdmitsOtherPortsOfAKnownAddress) {  // RFC 4787 §5
  Nat nat = Make(NatType::kAddress);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kServerOtherPort), kInside);
  EXPECT_FALSE(nat.Inbound(kNow, *mapped, kStranger));
  EXPECT_EQ(nat.stats().filtered, 1u);
}

TEST(NatTest, AddressAndPortDependentFilteringAdmitsOnlyWhomItWasSentTo) {  // RFC 4787 §5
  Nat nat = Make(NatType::kPort);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kServer), kInside);
  EXPECT_FALSE(nat.Inbound(kNow, *mapped, kServerOtherPort));
  EXPECT_FALSE(nat.Inbound(kNow, *mapped, kStranger));
}

TEST(NatTest, MappingsExpireWithoutOutboundTraffic) {  // RFC 4787 §4.3 REQ-5, REQ-6
  Nat nat = Make(NatType::kSymmetric);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_TRUE(nat.Inbound(kNow + minutes(1), *mapped, kServer));
  EXPECT_FALSE(nat.Inbound(kNow + minutes(2), *mapped, kServer)) << "inbound traffic does not refresh";
  EXPECT_NE(nat.Outbound(kNow + minutes(2), kInside, kServer), mapped);
}

TEST(NatTest, AnswersLeaveByTheMappingThatTheQuestionCameInBy) {  // RFC 4787 §4.1
  Nat nat = Make(NatType::kSymmetricOpen);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_EQ(nat.Inbound(kNow, *mapped, kStranger), kInside);
  EXPECT_EQ(nat.Outbound(kNow, kInside, kStranger), mapped);
  EXPECT_NE(nat.Outbound(kNow, kInside, kServerOtherPort), mapped) << "a destination that never came in";
}

TEST(NatTest, AFirewallKeepsAddressesAndFilters) {
  Nat nat = Make(NatType::kFirewall);
  EXPECT_EQ(nat.Outbound(kNow, kInside, kServer), kInside);
  EXPECT_EQ(nat.Inbound(kNow, kInside, kServer), kInside);
  EXPECT_FALSE(nat.Inbound(kNow, kInside, kStranger));
}

TEST(NatTest, RefusesNewMappingsWhenFullAndTakesThemBackWhenExpired) {
  NatOptions options = OptionsFor(NatType::kSymmetric);
  options.max_mappings = 2;
  Nat nat(options, kExternal, Rng::FromNumber(1));
  EXPECT_TRUE(nat.Outbound(kNow, kInside, kServer));
  EXPECT_TRUE(nat.Outbound(kNow, kInside, kServerOtherPort));
  EXPECT_FALSE(nat.Outbound(kNow, kInside, kStranger));
  EXPECT_EQ(nat.stats().exhausted, 1u);
  EXPECT_TRUE(nat.Outbound(kNow + minutes(3), kInside, kStranger));
}

TEST(NatTest, WhatWasRejectedTakesItsPortFromTheMappingOfThatDestinationOnly) {  // against RFC 4787 §4.1 REQ-1
  for (const auto type : {NatType::kPort, NatType::kPortReject}) {
    Nat nat = Make(type);
    const auto mapped = nat.Outbound(kNow, kInside, kServer);
    EXPECT_FALSE(nat.Inbound(kNow, *mapped, kStranger)) << "early: nothing was sent there yet";
    const auto moved = nat.Outbound(kNow + seconds(1), kInside, kStranger);
    EXPECT_EQ(moved == mapped, type == NatType::kPort);
    EXPECT_EQ(nat.stats().moved, type == NatType::kPort ? 0u : 1u);
    EXPECT_EQ(nat.Inbound(kNow + seconds(1), *moved, kStranger), kInside) << "answers to the new port come in";
    EXPECT_EQ(nat.Inbound(kNow + seconds(1), *mapped, kStranger).has_value(), type == NatType::kPort);
    EXPECT_EQ(nat.Outbound(kNow + seconds(2), kInside, kStranger), moved) << "and it stays";
    EXPECT_EQ(nat.Outbound(kNow + seconds(2), kInside, kServer), mapped) << "others keep theirs";
    EXPECT_EQ(nat.Outbound(kNow + seconds(2), kInside, kServerOtherPort), mapped);
  }
}

TEST(NatTest, ARejectedSessionIsForgottenAfterThirtySeconds) {
  Nat nat = Make(NatType::kPortReject);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  EXPECT_FALSE(nat.Inbound(kNow, *mapped, kStranger));
  EXPECT_EQ(nat.Outbound(kNow + seconds(30), kInside, kStranger), mapped);
}

TEST(NatTest, LetsOutOnlyWhatItsPolicyAllows) {
  Nat blocked = Make(NatType::kUdpBlocked);
  EXPECT_FALSE(blocked.Outbound(kNow, kInside, kServer));
  EXPECT_TRUE(blocked.Outbound(kNow, kInside, kServer, PacketKind::kTcpSyn));
  EXPECT_EQ(blocked.stats().blocked, 1u);
  NatOptions options = OptionsFor(NatType::kPort);
  options.outbound = OutboundPolicy::kOnlyTcp443;
  Nat https(options, kExternal, Rng::FromNumber(1));
  EXPECT_FALSE(https.Outbound(kNow, kInside, kServer, PacketKind::kTcpSyn));
  EXPECT_FALSE(https.Outbound(kNow, kInside, {kServer.ip, 443}, PacketKind::kUdp));
  EXPECT_TRUE(https.Outbound(kNow, kInside, {kServer.ip, 443}, PacketKind::kTcpSyn));
}

TEST(NatTest, MappingsOfUdpAndTcpAreApart) {  // RFC 5382 §4.1 REQ-1
  Nat nat = Make(NatType::kPort);
  const auto udp = nat.Outbound(kNow, kInside, kServer);
  EXPECT_FALSE(nat.Inbound(kNow, *udp, kServer, PacketKind::kTcp));
  const auto tcp = nat.Outbound(kNow, kInside, kServer, PacketKind::kTcpSyn);
  EXPECT_EQ(tcp, udp) << "the same port, preserved twice";
  EXPECT_EQ(nat.Outbound(kNow, kInside, kStranger, PacketKind::kTcpSyn), tcp) << "endpoint-independent";
}

TEST(NatTest, ATcpMappingLivesAsLongAsItsPhaseSays) {  // RFC 5382 §5 REQ-5
  const auto lives = [](Duration idle, auto&& prepare) {
    Nat nat = Make(NatType::kPort);
    const auto mapped = nat.Outbound(kNow, kInside, kServer, PacketKind::kTcpSyn);
    prepare(nat, *mapped);
    return nat.Inbound(kNow + idle, *mapped, kServer, PacketKind::kTcp).has_value();
  };
  const auto nothing = [](Nat&, const SocketAddress&) {};
  EXPECT_TRUE(lives(minutes(3), nothing));
  EXPECT_FALSE(lives(minutes(4), nothing)) << "partially open";
  const auto answer = [](Nat& nat, const SocketAddress& mapped) {
    EXPECT_TRUE(nat.Inbound(kNow, mapped, kServer, PacketKind::kTcp));
  };
  EXPECT_TRUE(lives(minutes(123), answer));
  EXPECT_FALSE(lives(minutes(124), answer)) << "established";
  const auto finish = [](Nat& nat, const SocketAddress& mapped) {
    EXPECT_TRUE(nat.Inbound(kNow, mapped, kServer, PacketKind::kTcp));
    EXPECT_TRUE(nat.Inbound(kNow, mapped, kServer, PacketKind::kTcpFinOrRst));
  };
  EXPECT_FALSE(lives(minutes(4), finish)) << "closing";
}

TEST(NatTest, APortMappedOnRequestIsOpenToEverybodyUntilItEnds) {  // RFC 6887 §11.3
  Nat nat = Make(NatType::kSymmetric);
  const auto mapped = nat.MapPort(kNow, kInside, 45000, minutes(60));
  ASSERT_EQ(mapped, (SocketAddress{nat.external(), 45000}));
  const auto inside = nat.Inbound(kNow, *mapped, kServer);
  EXPECT_EQ(inside, kInside);
  EXPECT_EQ(nat.Outbound(kNow, kInside, kServer), mapped);  // the answer leaves by the port that was asked
  EXPECT_EQ(nat.MapPort(kNow + minutes(59), kInside, 1, minutes(60)), mapped);
  EXPECT_TRUE(nat.Inbound(kNow + minutes(118), *mapped, kServer));
  EXPECT_FALSE(nat.Inbound(kNow + minutes(119), *mapped, kServer));
  const auto again = nat.MapPort(kNow + minutes(120), kInside, 45000, minutes(60));
  ASSERT_TRUE(again);
  EXPECT_FALSE(nat.MapPort(kNow + minutes(120), kInside, 45000, minutes(0)));
  EXPECT_FALSE(nat.Inbound(kNow + minutes(120), *again, kServer));
}

TEST(NatTest, ARebootForgetsEverything) {
  Nat nat = Make(NatType::kPort);
  const auto mapped = nat.Outbound(kNow, kInside, kServer);
  nat.Reboot();
  EXPECT_FALSE(nat.Inbound(kNow, *mapped, kServer));
}

TEST(NatTypeTest, NamesRoundTrip) {
  for (const auto type : AllNatTypes()) EXPECT_EQ(ParseNatType(ToString(type)), type);
  EXPECT_FALSE(ParseNatType("cone"));
}

}  // namespace
}  // namespace jsp::netsim
