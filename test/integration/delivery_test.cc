// What arrives, over links of every badness.
#include <gtest/gtest.h>

#include <algorithm>

#include "test/integration/whole_peers.h"

namespace jsp::integration {
namespace {

using datachannel::ChannelOptions;
using netsim::GilbertElliottLoss;
using netsim::LinkOptions;
using netsim::UniformLoss;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::vector<uint8_t> Numbered(uint32_t number, size_t size) {
  std::vector<uint8_t> payload(std::max<size_t>(size, 4), static_cast<uint8_t>(number * 31));
  for (size_t i = 0; i < 4; ++i) payload[i] = static_cast<uint8_t>(number >> (8 * i));
  return payload;
}

WholePeers::Setup Over(const LinkOptions& access, uint64_t seed) {
  WholePeers::Setup setup;
  setup.seed = seed;
  setup.layout.a_access = access;
  setup.layout.z_access = access;
  return setup;
}

// Exactly once, in order, whole, on peers that are connected.
void ExpectReliable(WholePeers& peers, uint64_t seed, uint32_t count) {
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "reliable"});
  Rng sizes = Rng::FromNumber(seed);
  std::vector<std::vector<uint8_t>> sent;
  for (uint32_t i = 0; i < count; ++i) {
    sent.push_back(Numbered(i, sizes.Below(5000)));
    ASSERT_TRUE(peers.Send(peers.a, channel, sent.back()));
  }
  ASSERT_TRUE(peers.RunUntilRead(count, minutes(10))) << peers.z.messages.size() << " of " << count;
  peers.world.RunFor(seconds(5));
  peers.Read(peers.z);
  ASSERT_EQ(peers.z.messages.size(), count);
  for (uint32_t i = 0; i < count; ++i) ASSERT_EQ(peers.z.messages[i].payload, sent[i]) << "message " << i;
}

void ExpectReliable(const WholePeers::Setup& setup, uint32_t count) {
  SCOPED_TRACE("seed " + std::to_string(setup.seed));
  WholePeers peers(setup);
  ASSERT_TRUE(peers.Connect()) << peers.a.peer->stats().state_reason << " / " << peers.z.peer->stats().state_reason;
  ExpectReliable(peers, setup.seed, count);
}

TEST(DeliveryTest, ExactlyOnceInOrderUnderUniformLoss) {
  for (const double loss : {0.0, 0.01, 0.05, 0.1, 0.2, 0.3}) {
    LinkOptions link;
    link.loss = UniformLoss{loss / 2};  // crossed on two links
    ExpectReliable(Over(link, 10 + static_cast<uint64_t>(loss * 100)), 60);
  }
}

TEST(DeliveryTest, X4_ExactlyOnceInOrderUnderBurstsReorderingAndDuplication) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    LinkOptions link;
    link.jitter = milliseconds(8);
    link.loss = GilbertElliottLoss{.good_to_bad = 0.02, .bad_to_good = 0.4, .loss_in_bad = 0.5};
    link.reordering = 0.05;
    link.duplication = 0.05;
    ExpectReliable(Over(link, seed), 60);
  }
}

// A handshake in plaintext cannot tell damage from an attack, so the links go bad once it is over: from then on every
// record is authenticated.
TEST(DeliveryTest, X4_ExactlyOnceInOrderUnderCorruption) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    WholePeers peers(Over({}, seed));
    ASSERT_TRUE(peers.Connect());
    LinkOptions link;
    link.corruption = 0.02;
    peers.SetLinks(link);
    ExpectReliable(peers, seed, 60);
  }
}

// Nothing that was accepted is lost, and once the links are good again nothing is slow.
TEST(DeliveryTest, X4_RecoversFromThirtyPercentOfCorruptedDatagrams) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    WholePeers peers(Over({}, seed));
    ASSERT_TRUE(peers.Connect());
    LinkOptions link;
    link.corruption = 0.165;  // 30 % over two of them
    peers.SetLinks(link);
    const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "reliable"});
    for (uint32_t i = 0; i < 40; ++i) ASSERT_TRUE(peers.Send(peers.a, channel, Numbered(i, 3000)));
    peers.world.RunFor(seconds(8));
    peers.SetLinks({});
    ASSERT_TRUE(peers.RunUntilRead(40, minutes(1))) << peers.z.messages.size();
    const auto begin = peers.world.now();
    for (uint32_t i = 40; i < 140; ++i) ASSERT_TRUE(peers.Send(peers.a, channel, Numbered(i, 3000)));
    ASSERT_TRUE(peers.RunUntilRead(140, minutes(1))) << peers.z.messages.size();
    EXPECT_LT(peers.world.now() - begin, seconds(5));
    for (uint32_t i = 0; i < 140; ++i) EXPECT_EQ(peers.z.messages[i].payload, Numbered(i, 3000)) << i;
  }
}

TEST(DeliveryTest, D11_CorruptionOfTheHandshakeNeverDeliversAnything) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    LinkOptions link;
    link.corruption = 0.1;
    WholePeers peers(Over(link, seed));
    const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "x"});
    ASSERT_TRUE(peers.Send(peers.a, channel, Numbered(7, 500)));
    (void)peers.Connect(minutes(2));
    peers.world.RunFor(seconds(5));
    peers.Read(peers.z);
    const bool connected = peers.z.peer->stats().timings.sctp_connected.has_value();
    EXPECT_TRUE(connected || peers.z.messages.empty());
    for (const auto& message : peers.z.messages) EXPECT_EQ(message.payload, Numbered(7, 500));
  }
}

TEST(DeliveryTest, ExactlyOnceInOrderThroughANarrowLinkWithAShallowQueue) {
  LinkOptions link;
  link.bytes_per_second = 250'000;
  link.queue_bytes = 12'000;
  ExpectReliable(Over(link, 3), 150);
}

TEST(DeliveryTest, BulkReachesMostOfTheLinksRate) {
  LinkOptions link;
  link.bytes_per_second = 2'500'000;
  link.queue_bytes = 128 * 1024;
  WholePeers peers(Over(link, 4));
  ASSERT_TRUE(peers.Connect());
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "bulk"});
  const Timestamp start = peers.world.now();
  constexpr size_t kMessages = 300;
  for (uint32_t i = 0; i < kMessages; ++i) ASSERT_TRUE(peers.Send(peers.a, channel, Numbered(i, 65536)));
  ASSERT_TRUE(peers.RunUntilRead(kMessages, minutes(5)));
  const double took = static_cast<double>((peers.world.now() - start).count()) / 1e6;
  const double rate = kMessages * 65536 / took;
  // 1160 of each 1256 octets on the wire are payload: at most 2.31 MB/s. NewReno with a queue of three times the
  // bandwidth-delay product (2.5 MB/s × 40 ms = 100 KB) halves to no less than a full pipe.
  EXPECT_GT(rate, 1.6e6);
  EXPECT_LT(rate, 2.35e6);
}

struct Kind {
  const char* name;
  bool ordered;
  std::optional<uint16_t> max_retransmits;
  std::optional<Duration> max_lifetime;
};

TEST(DeliveryTest, AllSixChannelTypesKeepTheirPromise) {  // RFC 8832 §5.1
  const Kind kinds[] = {{"reliable", true, {}, {}},
                        {"reliable unordered", false, {}, {}},
                        {"rexmit", true, uint16_t{0}, {}},
                        {"rexmit unordered", false, uint16_t{1}, {}},
                        {"timed", true, {}, milliseconds(30)},
                        {"timed unordered", false, {}, milliseconds(30)}};
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    LinkOptions link;
    link.loss = UniformLoss{0.05};
    WholePeers peers(Over(link, 6));
    ASSERT_TRUE(peers.Connect());
    ChannelOptions options{.label = kind.name, .ordered = kind.ordered};
    options.max_retransmits = kind.max_retransmits;
    options.max_lifetime = kind.max_lifetime;
    const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), options);
    peers.a.driver->Kick();
    peers.world.RunFor(seconds(2));
    const bool reliable = !kind.max_retransmits && !kind.max_lifetime;
    for (uint32_t i = 0; i < 200; ++i) {
      ASSERT_TRUE(peers.Send(peers.a, channel, Numbered(i, 500)));
      peers.world.RunFor(milliseconds(10));
    }
    peers.world.RunFor(seconds(20));
    peers.Read(peers.z);
    std::vector<uint32_t> numbers;
    for (const auto& m : peers.z.messages) numbers.push_back(m.payload[0] + 256u * m.payload[1]);
    const bool sorted = std::ranges::is_sorted(numbers);
    EXPECT_TRUE(sorted || !kind.ordered);
    std::ranges::sort(numbers);
    EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end()) << "nothing twice";
    if (reliable) {
      EXPECT_EQ(numbers.size(), 200u);
    } else {
      // Two links of 5 %: 9.75 % of the packets are lost; 20 lost of 200 sent once, give or take.
      EXPECT_GE(numbers.size(), 140u);
    }
    const auto* opened = WholePeers::Find<datachannel::event::ChannelOpenedByPeer>(peers.z);
    ASSERT_NE(opened, nullptr);
    const auto* seen = peers.z.peer->channel_options(opened->channel);
    EXPECT_EQ(seen->ordered, kind.ordered);
    EXPECT_EQ(seen->max_retransmits, kind.max_retransmits);
    EXPECT_EQ(seen->max_lifetime, kind.max_lifetime);
  }
}

TEST(DeliveryTest, NegotiatedChannelsNeedNoHandshake) {  // RFC 8831 §6.4
  WholePeers peers({});
  const auto at_a = peers.a.peer->OpenChannel(peers.world.now(), {.label = "n", .negotiated_id = uint16_t{7}});
  const auto at_z = peers.z.peer->OpenChannel(peers.world.now(), {.label = "n", .negotiated_id = uint16_t{7}});
  ASSERT_TRUE(at_a && at_z);
  ASSERT_TRUE(peers.Connect());
  ASSERT_TRUE(peers.Send(peers.a, *at_a, {1, 2, 3}));
  ASSERT_TRUE(peers.RunUntilRead(1, seconds(5)));
  EXPECT_EQ(peers.z.messages[0].channel, *at_z);
  EXPECT_EQ(WholePeers::Find<datachannel::event::ChannelOpenedByPeer>(peers.z), nullptr);
}

TEST(DeliveryTest, ClosingAChannelDeliversWhatWasSentAndTellsBothSides) {  // RFC 8831 §6.7
  for (const bool a_closes : {true, false}) {
    LinkOptions link;
    link.loss = UniformLoss{0.05};
    WholePeers peers(Over(link, a_closes ? 8 : 9));
    ASSERT_TRUE(peers.Connect());
    const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "short"});
    for (uint32_t i = 0; i < 20; ++i) ASSERT_TRUE(peers.Send(peers.a, channel, Numbered(i, 3000)));
    ASSERT_TRUE(a_closes || peers.RunUntilRead(20, minutes(1)));
    const auto* opened = WholePeers::Find<datachannel::event::ChannelOpenedByPeer>(peers.z);
    if (a_closes) {
      peers.a.peer->CloseChannel(peers.world.now(), channel);
      peers.a.driver->Kick();
    } else {
      peers.z.peer->CloseChannel(peers.world.now(), opened->channel);
      peers.z.driver->Kick();
    }
    ASSERT_TRUE(peers.RunUntilRead(20, minutes(1)));
    EXPECT_TRUE(peers.world.RunUntil(
        [&] {
          return WholePeers::Find<datachannel::event::ChannelClosed>(peers.a) != nullptr &&
                 WholePeers::Find<datachannel::event::ChannelClosed>(peers.z) != nullptr;
        },
        minutes(1)));
    EXPECT_FALSE(peers.a.peer->Send(peers.world.now(), channel, datachannel::MessageKind::kBinary, {1}));
    EXPECT_TRUE(WholePeers::IsUp(peers.a));
  }
}

TEST(DeliveryTest, R3_OpeningAndClosingManyTimesReusesIdsAndLosesNothing) {
  WholePeers peers({});
  ASSERT_TRUE(peers.Connect());
  for (uint32_t round = 0; round < 100; ++round) {
    const auto channel = peers.a.peer->OpenChannel(peers.world.now(), {.label = "round"});
    ASSERT_TRUE(channel);
    ASSERT_TRUE(peers.Send(peers.a, *channel, Numbered(round, 10)));
    peers.a.peer->CloseChannel(peers.world.now(), *channel);
    peers.a.driver->Kick();
    ASSERT_TRUE(peers.RunUntilRead(round + 1, seconds(10))) << "round " << round;
    peers.world.RunFor(milliseconds(300));
  }
  EXPECT_LE(peers.a.peer->stats().channels.size(), 2u);
}

}  // namespace
}  // namespace jsp::integration
