#include "ice/candidate.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

TEST(CandidateTest, NamesTypesAsSdpDoes) {  // RFC 8839 §5.1
  EXPECT_STREQ(ToString(CandidateType::kHost), "host");
  EXPECT_STREQ(ToString(CandidateType::kServerReflexive), "srflx");
  EXPECT_STREQ(ToString(CandidateType::kPeerReflexive), "prflx");
  EXPECT_STREQ(ToString(CandidateType::kRelayed), "relay");
}

TEST(CandidateTest, NamesEveryError) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(AddCandidateError::kUnsupportedComponent); ++i) {
    names.insert(ToString(static_cast<AddCandidateError>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(AddCandidateError::kUnsupportedComponent) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(CandidateTest, I10_FindsAddressesThatCannotBeUsed) {
  for (const char* bad : {"0.0.0.0:1", "[::]:1", "224.1.2.3:1", "[ff05::2]:1", "255.255.255.255:1", "192.0.2.1:0",
                          "[fec0::1]:1", "[feff::1]:1", "[::192.0.2.1]:1"}) {
    EXPECT_FALSE(IsUsableAddress(Address(bad))) << bad;
  }
  for (const char* good : {"192.0.2.1:1", "[2001:db8::1]:65535", "127.0.0.1:1", "[::1]:1", "[fe80::1]:1", "10.0.0.1:9",
                           "[::ffff:192.0.2.1]:1", "[fd00::1]:1"}) {
    EXPECT_TRUE(IsUsableAddress(Address(good))) << good;
  }
}

TEST(CandidateTest, FindsFaults) {
  Candidate candidate = Host("192.0.2.1:1");
  EXPECT_EQ(FindFault(candidate), std::nullopt);
  candidate.component = 2;
  EXPECT_EQ(FindFault(candidate), AddCandidateError::kUnsupportedComponent);
  candidate = Host("192.0.2.1:1");
  candidate.protocol = TransportProtocol::kTcpActive;
  EXPECT_EQ(FindFault(candidate), std::nullopt);
  candidate.protocol = TransportProtocol::kTcpSimultaneousOpen;
  EXPECT_EQ(FindFault(candidate), AddCandidateError::kUnsupportedTransport);
  EXPECT_EQ(FindFault(Host("192.0.2.1:0")), AddCandidateError::kBadAddress);
}

TEST(CandidateTest, OfTcpOnlyAnActiveCandidatePairsAndOnlyWithAPassiveOne) {  // RFC 6544 §6.2
  using enum TransportProtocol;
  for (const auto local : {kUdp, kTcpActive, kTcpPassive, kTcpSimultaneousOpen}) {
    for (const auto remote : {kUdp, kTcpActive, kTcpPassive, kTcpSimultaneousOpen}) {
      Candidate ours = Host("10.0.0.1:9");
      ours.base = ours.address;
      ours.protocol = local;
      Candidate theirs = Host("192.0.2.9:9");
      theirs.protocol = remote;
      const bool may_pair = (local == kUdp && remote == kUdp) || (local == kTcpActive && remote == kTcpPassive) ||
                            (local == kTcpSimultaneousOpen && remote == kTcpSimultaneousOpen);
      EXPECT_EQ(CanPair(ours, theirs), may_pair) << static_cast<int>(local) << " " << static_cast<int>(remote);
    }
  }
}

TEST(CandidateTest, PairsLikeWithLike) {  // RFC 8445 §6.1.2.2
  const auto can_pair = [](const char* from, const char* to) {
    Candidate local = Host(from);
    local.base = local.address;
    return CanPair(local, Host(to));
  };
  EXPECT_TRUE(can_pair("192.0.2.1:1", "10.0.0.1:1"));
  EXPECT_TRUE(can_pair("[2001:db8::1]:1", "[fd00::1]:1"));
  EXPECT_TRUE(can_pair("[fe80::1]:1", "[fe80::2]:1"));
  EXPECT_TRUE(can_pair("127.0.0.1:1", "127.0.0.1:2"));
  EXPECT_FALSE(can_pair("192.0.2.1:1", "[2001:db8::1]:1"));
  EXPECT_FALSE(can_pair("[fe80::1]:1", "[2001:db8::1]:1"));
  EXPECT_FALSE(can_pair("[2001:db8::1]:1", "[fe80::1]:1"));
  EXPECT_FALSE(can_pair("192.0.2.1:1", "169.254.169.254:80"));
  EXPECT_FALSE(can_pair("192.0.2.1:1", "127.0.0.1:1"));
}

TEST(CandidateTest, CarriesTheScopeOfTheBaseToLinkLocalDestinations) {
  EXPECT_EQ(DestinationFrom(Address("[fe80::1%4]:1"), Address("[fe80::2]:2")), Address("[fe80::2%4]:2"));
  EXPECT_EQ(DestinationFrom(Address("[2001:db8::1]:1"), Address("[2001:db8::2]:2")), Address("[2001:db8::2]:2"));
  EXPECT_EQ(DestinationFrom(Address("192.0.2.1:1"), Address("192.0.2.2:2")), Address("192.0.2.2:2"));
  EXPECT_EQ(WithoutScope(Address("[fe80::2%4]:2")), Address("[fe80::2]:2"));
  EXPECT_EQ(WithoutScope(Address("192.0.2.2:2")), Address("192.0.2.2:2"));
}

// A peer may not have us speak to the services of whatever host it names.
TEST(CandidateTest, I15_ConnectsToUserPortsAndThoseOfTheWebOnly) {
  Candidate remote;
  remote.address = *SocketAddress::Parse("192.0.2.1:25");
  EXPECT_TRUE(IsConnectable(remote));  // UDP
  remote.protocol = TransportProtocol::kTcpActive;
  EXPECT_TRUE(IsConnectable(remote));  // nobody connects there
  remote.protocol = TransportProtocol::kTcpPassive;
  for (const uint16_t port : std::to_array<uint16_t>({1, 9, 22, 25, 79, 81, 442, 445, 631, 1023})) {
    remote.address.port = port;
    EXPECT_FALSE(IsConnectable(remote)) << port;
  }
  for (const uint16_t port : std::to_array<uint16_t>({80, 443, 1024, 65535})) {
    remote.address.port = port;
    EXPECT_TRUE(IsConnectable(remote)) << port;
  }
}

}  // namespace
}  // namespace jsp::ice
