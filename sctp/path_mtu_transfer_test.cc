// Path MTU discovery of two associations over links that carry so much and no more, RFC 8899 and RFC 9260 §6.9.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

constexpr size_t kOverhead = 65;

AssociationPair::Config Config(size_t mtu, size_t ceiling = 1500) {
  AssociationPair::Config config;
  for (Options* options : {&config.a, &config.z}) {
    options->path_mtu_discovery = true;
    options->path_overhead = kOverhead;
    options->min_path_mtu = 576;
    options->max_path_mtu = ceiling;
  }
  config.link.delay = 10ms;
  config.link.mtu = mtu - kOverhead;
  return config;
}

void SendMessages(AssociationPair& pair, size_t count, size_t size) {
  for (size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(0, size, static_cast<uint8_t>(i))));
  }
}

void ExpectAllReceived(const AssociationPair& pair, size_t count, size_t size) {
  const auto& received = pair.received(Side::kZ);
  ASSERT_EQ(received.size(), count);
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(received[i].message.payload, MakeMessage(0, size, static_cast<uint8_t>(i)).payload) << i;
  }
}

TEST(PathMtuTransferTest, C24_TransfersOverEveryMtuFrom576To9000) {
  for (const size_t mtu : {576, 600, 1000, 1256, 1280, 1400, 1492, 1500, 4000, 9000}) {
    AssociationPair pair(Config(mtu, 9000));
    ASSERT_TRUE(pair.Connect());
    SendMessages(pair, 20, 100000);
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 20; }, 120s)) << mtu;
    ExpectAllReceived(pair, 20, 100000);
    pair.Run(120s);
    const size_t found = pair.a().metrics().packet_size;
    // From the smallest size it searches upwards: at 600 octets that gains less than a probe is worth.
    EXPECT_LE(found, mtu - kOverhead) << mtu;
    EXPECT_GE(found + 2 * 16 + 4, mtu - kOverhead) << mtu;
  }
}

TEST(PathMtuTransferTest, C24_SurvivesAnMtuThatShrinksInMidTransfer) {  // RFC 8899 §4.3, RFC 9260 §6.9
  for (const size_t smaller : {1400, 1280, 1256}) {
    AssociationPair pair(Config(1500));
    ASSERT_TRUE(pair.Connect());
    pair.Run(1s);
    ASSERT_EQ(pair.a().metrics().packet_size, 1432u);
    SendMessages(pair, 100, 100000);
    pair.Run(100ms);
    const size_t before = pair.received(Side::kZ).size();
    ASSERT_LT(before, 100u);
    auto link = Config(smaller).link;
    pair.set_link(link);
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 100; }, 60s)) << smaller;
    ExpectAllReceived(pair, 100, 100000);
    EXPECT_GT(pair.a().metrics().fragmentable_packets, 0u);
    pair.Run(60s);
    EXPECT_LE(pair.a().metrics().packet_size, smaller - kOverhead);
    EXPECT_EQ(pair.CountEvents<event::Aborted>(Side::kA), 0u);
  }
}

TEST(PathMtuTransferTest, SmallMessagesThatPassDoNotHideABlackHole) {  // RFC 8899 §4.3
  AssociationPair pair(Config(1500));
  ASSERT_TRUE(pair.Connect());
  pair.Run(1s);
  pair.set_link(Config(1400).link);
  // A large message among small ones: acknowledgements go on, and T3-rtx never expires.
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 1390)));
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(2, 100)));
    pair.Run(10ms);
  }
  const auto& received = pair.received(Side::kZ);
  EXPECT_EQ(received.size(), 401u);
  EXPECT_TRUE(std::ranges::any_of(received, [](const auto& r) { return r.message.stream == StreamId(1); }));
}

TEST(PathMtuTransferTest, UsesAnMtuThatGrewAtTheNextRaise) {  // RFC 8899 §5.1.1 PMTU_RAISE_TIMER
  AssociationPair pair(Config(1280));
  ASSERT_TRUE(pair.Connect());
  pair.Run(60s);
  EXPECT_LT(pair.a().metrics().packet_size, 1280u);
  pair.set_link(Config(1500).link);
  for (int minute = 0; minute < 11; ++minute) {
    SendMessages(pair, 1, 5000);
    pair.Run(60s);
  }
  EXPECT_EQ(pair.a().metrics().packet_size, 1432u);
}

TEST(PathMtuTransferTest, C24_ProbesLostAtRandomDoNotLowerWhatIsUsed) {  // RFC 8899 §3 item 4
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    auto config = Config(1500);
    config.seed = seed;
    config.link.loss = 0.1;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    SendMessages(pair, 50, 50000);
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 50; }, 120s)) << "seed " << seed;
    pair.Run(60s);
    EXPECT_GE(pair.a().metrics().packet_size, 1188u) << "seed " << seed;
    EXPECT_FALSE(pair.a().metrics().path_stalled) << "seed " << seed;
  }
}

TEST(PathMtuTransferTest, ProbesAddNothingToWhatALossyTransferSuffers) {  // RFC 8899 §3 item 7
  // The same transfer over a path of the base size, with discovery and without: the window never notices the probes.
  auto config = Config(1256);
  config.link.bits_per_s = 20e6;
  AssociationPair with(config);
  config.a.path_mtu_discovery = config.z.path_mtu_discovery = false;
  AssociationPair without(config);
  for (AssociationPair* pair : {&with, &without}) {
    ASSERT_TRUE(pair->Connect());
    SendMessages(*pair, 50, 100000);
    ASSERT_TRUE(pair->RunUntil([&] { return pair->received(Side::kZ).size() == 50; }, 60s));
  }
  EXPECT_EQ(with.a().metrics().t3_expiries, without.a().metrics().t3_expiries);
  EXPECT_EQ(with.a().metrics().retransmitted_chunks, without.a().metrics().retransmitted_chunks);
  EXPECT_GT(with.too_large(), 0u);
}

TEST(PathMtuTransferTest, P11_StallsAloudWhereNothingLargePassesAndFragmentsAreDropped) {
  auto config = Config(400);
  config.link.fragment_loss = 1;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  SendMessages(pair, 1, 1000);
  pair.Run(15s);
  EXPECT_EQ(pair.CountEvents<event::PathStalled>(Side::kA), 1u);
  EXPECT_TRUE(pair.received(Side::kZ).empty());
  EXPECT_EQ(pair.a().state(), State::kEstablished);
  pair.set_link(Config(1500).link);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 1; }, 70s));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.CountEvents<event::PathRecovered>(Side::kA) == 1; }, 70s));
}

TEST(PathMtuTransferTest, FragmentsOfIpCarryDataWhereEvenTheSmallestSizeDoesNot) {  // RFC 8899 §5.2, ERROR
  AssociationPair pair(Config(400));
  ASSERT_TRUE(pair.Connect());
  SendMessages(pair, 5, 20000);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 5; }, 60s));
  ExpectAllReceived(pair, 5, 20000);
}

TEST(PathMtuTransferTest, AnInterruptionOfAllIsNoBlackHoleForLong) {
  AssociationPair pair(Config(1500));
  ASSERT_TRUE(pair.Connect());
  pair.Run(1s);
  SendMessages(pair, 100, 100000);
  pair.Run(50ms);
  pair.set_filter([](Side, std::span<const uint8_t>) { return true; });
  pair.Run(10s);
  EXPECT_EQ(pair.a().metrics().path_mtu_state, PathMtuState::kError);
  EXPECT_EQ(pair.CountEvents<event::PathStalled>(Side::kA), 0u);
  pair.set_filter({});
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 100; }, 60s));
  pair.Run(60s);
  EXPECT_GE(pair.a().metrics().packet_size, 500u);
}

}  // namespace
}  // namespace jsp::sctp
