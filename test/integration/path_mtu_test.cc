// Path MTU discovery of whole peers (RFC 8899 §6.2.3), DTLS and NATs included: links carry IP packets up to their MTU.
#include <gtest/gtest.h>

#include <algorithm>

#include "test/integration/whole_peers.h"

namespace jsp::integration {
namespace {

using netsim::LinkOptions;
using netsim::TooBig;
using sctp::PathMtuState;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr size_t kIpv4Overhead = 20 + 8 + 13 + 8 + 16;  // IP, UDP, a record with AES-GCM

LinkOptions Carrying(size_t mtu, TooBig too_big = TooBig::kDrop) {
  LinkOptions link;
  link.mtu = mtu;
  link.too_big = too_big;
  return link;
}

WholePeers::Setup Over(const LinkOptions& access, netsim::NatType nat = netsim::NatType::kPublic) {
  WholePeers::Setup setup;
  setup.layout.a_access = setup.layout.z_access = access;
  setup.layout.a = setup.layout.z = nat;
  return setup;
}

sctp::Metrics SctpOf(const WholePeers::Side& side) { return side.peer->stats().sctp; }

void ExpectDelivered(WholePeers& peers, uint32_t count, size_t size) {
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "bulk"});
  for (uint32_t i = 0; i < count; ++i) {
    ASSERT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(size, static_cast<uint8_t>(i))));
  }
  ASSERT_TRUE(peers.RunUntilRead(peers.z.messages.size() + count, minutes(2)));
  const auto first = peers.z.messages.end() - count;
  for (uint32_t i = 0; i < count; ++i) {
    ASSERT_EQ((first + i)->payload, std::vector<uint8_t>(size, static_cast<uint8_t>(i))) << i;
  }
}

TEST(PathMtuTest, WholePeersFindTheMtuOfTheirPath) {  // RFC 8261 §4: without ICMP
  for (const size_t mtu : {1280, 1400, 1492, 1500}) {
    WholePeers peers(Over(Carrying(mtu)));
    ASSERT_TRUE(peers.Connect()) << mtu;
    ExpectDelivered(peers, 20, 50000);
    peers.world.RunFor(minutes(1));
    for (const auto* side : {&peers.a, &peers.z}) {
      const auto sctp = SctpOf(*side);
      EXPECT_EQ(sctp.path_mtu_state, PathMtuState::kSearchComplete) << mtu;
      EXPECT_EQ(sctp.packet_size, (mtu - kIpv4Overhead) & ~size_t{3}) << mtu;
    }
    // Nothing but probes was too large for the path.
    EXPECT_EQ(SctpOf(peers.a).retransmitted_chunks, 0u) << mtu;
  }
}

TEST(PathMtuTest, FirstFlightsStayBelowTheSafeSize) {  // RFC 8261 §5, RFC 8831 §5
  WholePeers peers(Over(Carrying(1280)));
  peers.world.RecordTranscript();
  ASSERT_TRUE(peers.Connect());
  for (const auto& entry : peers.world.transcript()) EXPECT_LE(entry.size + 28, 1280u);
}

TEST(PathMtuTest, ReportsOfTooBigPacketsShortenTheSearch) {  // RFC 8899 §4.6.2
  for (const auto nat : {netsim::NatType::kPublic, netsim::NatType::kPort}) {
    WholePeers silent(Over(Carrying(1444), nat));
    WholePeers reporting(Over(Carrying(1444, TooBig::kReport), nat));
    for (WholePeers* peers : {&silent, &reporting}) {
      ASSERT_TRUE(peers->Connect());
      peers->world.RunFor(seconds(2));
    }
    EXPECT_EQ(SctpOf(reporting.a).path_mtu_state, PathMtuState::kSearchComplete);
    EXPECT_EQ(SctpOf(reporting.a).packet_size, (1444 - kIpv4Overhead) & ~size_t{3});
    EXPECT_GT(SctpOf(reporting.a).packet_too_big_hints, 0u);
    EXPECT_EQ(SctpOf(silent.a).path_mtu_state, PathMtuState::kSearching);
  }
}

TEST(PathMtuTest, C24_ABlackHoleInMidTransferIsLeft) {  // RFC 8899 §4.3
  WholePeers peers(Over(Carrying(1500)));
  ASSERT_TRUE(peers.Connect());
  peers.world.RunFor(seconds(2));
  ASSERT_EQ(SctpOf(peers.a).packet_size, (1500 - kIpv4Overhead) & ~size_t{3});
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "bulk"});
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(100000, 1)));
  peers.world.RunFor(std::chrono::milliseconds(150));
  peers.SetLinks(Carrying(1300));
  ASSERT_TRUE(peers.RunUntilRead(40, minutes(2)));
  EXPECT_LE(SctpOf(peers.a).packet_size + kIpv4Overhead, 1300u);
  EXPECT_EQ(peers.a.peer->state(), transport::ConnectionState::kCompleted);
}

TEST(PathMtuTest, C24_ForgedReportsDoNotGoBelowTheSafeSize) {  // RFC 8899 §4.6.1
  WholePeers peers(Over(Carrying(1500)));
  ASSERT_TRUE(peers.Connect());
  peers.world.RunFor(seconds(2));
  const auto pair = *peers.a.peer->stats().selected_pair;
  const SocketAddress elsewhere = *SocketAddress::Parse("198.51.100.99:9");
  peers.a.peer->HandlePacketTooBig(peers.world.now(), pair.local.base, elsewhere, 1300);
  peers.a.peer->HandlePacketTooBig(peers.world.now(), elsewhere, pair.remote.address, 1300);
  EXPECT_EQ(SctpOf(peers.a).packet_too_big_hints, 0u);
  for (const size_t forged : {0, 68, 576, 1000, 1279, 1400}) {
    peers.a.peer->HandlePacketTooBig(peers.world.now(), pair.local.base, pair.remote.address, forged);
    EXPECT_GE(SctpOf(peers.a).packet_size, 1188u) << forged;
  }
  ExpectDelivered(peers, 5, 50000);
  peers.world.RunFor(seconds(5));
  EXPECT_EQ(SctpOf(peers.a).packet_size, (1500 - kIpv4Overhead) & ~size_t{3});
}

TEST(PathMtuTest, P11_APathThatCarriesOnlySmallPacketsIsSaidToBeStalled) {  // RFC 8899 §5.2, ERROR
  WholePeers peers(Over(Carrying(1500)));
  ASSERT_TRUE(peers.Connect());
  peers.world.RunFor(seconds(2));
  peers.SetLinks(Carrying(400));
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "bulk"});
  ASSERT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(100000, 1)));
  const auto is_stalled = [&] { return SctpOf(peers.a).path_stalled; };
  ASSERT_TRUE(peers.world.RunUntil(is_stalled, seconds(20)));
  peers.a.driver->Kick();
  const auto told = std::ranges::count_if(peers.a.events, [](const auto& event) {
    const auto* changed = std::get_if<transport::event::StateChanged>(&event);
    return changed != nullptr && changed->reason.starts_with("stalled: ") &&
           changed->state == transport::ConnectionState::kCompleted;
  });
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(peers.a.peer->stats().state_reason.starts_with("stalled: the path carries small packets"));
  peers.SetLinks(Carrying(1500));
  ASSERT_TRUE(peers.world.RunUntil([&] { return !is_stalled(); }, minutes(2)));
  EXPECT_TRUE(peers.a.peer->stats().state_reason.starts_with("the path carries packets again"));
  ASSERT_TRUE(peers.RunUntilRead(1, minutes(1)));
}

TEST(PathMtuTest, SwitchedOffItStaysAtTheSafeSize) {
  auto setup = Over(Carrying(1500));
  setup.options.path_mtu_discovery = false;
  WholePeers peers(setup);
  ASSERT_TRUE(peers.Connect());
  ExpectDelivered(peers, 5, 50000);
  EXPECT_EQ(SctpOf(peers.a).path_probes_sent, 0u);
  EXPECT_EQ(SctpOf(peers.a).packet_size, 1191u);
}

TEST(PathMtuTest, JumboFramesAreUsedWhereTheyAreAllowed) {
  auto setup = Over(Carrying(9000));
  setup.options.sctp.max_path_mtu = 9000;
  WholePeers peers(setup);
  ASSERT_TRUE(peers.Connect());
  peers.world.RunFor(seconds(2));
  EXPECT_EQ(SctpOf(peers.a).packet_size, (9000 - kIpv4Overhead) & ~size_t{3});
  ExpectDelivered(peers, 20, 200000);
}

}  // namespace
}  // namespace jsp::integration
