#include "netsim/link.h"

#include <gtest/gtest.h>

namespace jsp::netsim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Timestamp kStart = Timestamp::FromEpoch(seconds(1));

Link Make(const LinkOptions& options, uint64_t seed = 1) { return Link(options, Rng::FromNumber(seed)); }

TEST(LinkTest, DelaysEachPacket) {
  Link link = Make({.delay = milliseconds(20)});
  std::vector<uint8_t> bytes(100);
  const auto fate = link.Transmit(kStart, bytes);
  ASSERT_EQ(fate.copies, 1u);
  EXPECT_EQ(fate.arrival[0], kStart + milliseconds(20));
}

TEST(LinkTest, JitterStaysInItsRangeAndKeepsOrder) {
  Link link = Make({.delay = milliseconds(20), .jitter = milliseconds(5)});
  Timestamp last = kStart;
  bool varied = false;
  for (int i = 0; i < 1000; ++i) {
    const Timestamp sent = kStart + milliseconds(i);
    std::vector<uint8_t> bytes(100);
    const auto fate = link.Transmit(sent, bytes);
    EXPECT_GE(fate.arrival[0], last);
    EXPECT_GE(fate.arrival[0] - sent, milliseconds(15));
    EXPECT_LE(fate.arrival[0] - sent, milliseconds(25));
    varied = varied || fate.arrival[0] - sent != milliseconds(20);
    last = fate.arrival[0];
  }
  EXPECT_TRUE(varied);
}

TEST(LinkTest, ARateSpacesPacketsAndAFullQueueDropsThem) {
  // 1000 octets and 28 of headers at 102,800 octets a second take 10 ms each.
  Link link = Make({.delay = milliseconds(0), .bytes_per_second = 102'800, .queue_bytes = 3000});
  std::vector<uint8_t> bytes(1000);
  EXPECT_EQ(link.Transmit(kStart, bytes).arrival[0], kStart + milliseconds(10));
  EXPECT_EQ(link.Transmit(kStart, bytes).arrival[0], kStart + milliseconds(20));
  EXPECT_EQ(link.Transmit(kStart, bytes).copies, 0u) << "2,056 wait already, and 1,028 more do not fit";
  EXPECT_EQ(link.stats().overflowed, 1u);
  EXPECT_EQ(link.Transmit(kStart + milliseconds(20), bytes).copies, 1u);
}

TEST(LinkTest, UniformLossComesCloseToItsProbability) {
  LinkOptions options;
  options.loss = UniformLoss{0.1};
  Link link = Make(options);
  for (int i = 0; i < 10'000; ++i) {
    std::vector<uint8_t> bytes(10);
    (void)link.Transmit(kStart, bytes);
  }
  // Binomial, n = 10,000, p = 0.1: standard deviation 30; five of them.
  EXPECT_NEAR(static_cast<double>(link.stats().lost), 1000, 150);
}

TEST(LinkTest, GilbertElliottLosesInBursts) {
  LinkOptions options;
  options.loss = GilbertElliottLoss{.good_to_bad = 0.01, .bad_to_good = 0.2};
  Link link = Make(options);
  int bursts = 0;
  int lost = 0;
  bool before = false;
  for (int i = 0; i < 50'000; ++i) {
    std::vector<uint8_t> bytes(10);
    const bool gone = link.Transmit(kStart, bytes).copies == 0;
    bursts += gone && !before ? 1 : 0;
    lost += gone ? 1 : 0;
    before = gone;
  }
  // Mean burst 1 / 0.2 = 5 packets; share of the bad state 0.01 / 0.21 = 4.8 %.
  EXPECT_NEAR(static_cast<double>(lost) / bursts, 5.0, 1.0);
  EXPECT_NEAR(lost / 50'000.0, 0.048, 0.015);
}

TEST(LinkTest, DuplicatesReordersAndCorrupts) {
  LinkOptions options;
  options.duplication = 1;
  options.reordering = 1;
  options.corruption = 1;
  Link link = Make(options);
  std::vector<uint8_t> bytes(100, 0);
  const auto fate = link.Transmit(kStart, bytes);
  EXPECT_EQ(fate.copies, 2u);
  EXPECT_EQ(fate.arrival[0], kStart + milliseconds(5)) << "skipped half of 10 ms";
  int changed = 0;
  for (const uint8_t b : bytes) changed += b != 0 ? 1 : 0;
  EXPECT_EQ(changed, 1);
}

TEST(LinkTest, DropsWhatIsLargerThanItsMtuUnlessIpMayCutIt) {
  for (const TooBig too_big : {TooBig::kDrop, TooBig::kReport}) {
    LinkOptions options;
    options.mtu = 1280;
    options.too_big = too_big;
    Link link = Make(options);
    std::vector<uint8_t> fits(1280 - Link::kIpv4UdpOctets);
    EXPECT_EQ(link.Transmit(kStart, fits).copies, 1u);
    EXPECT_EQ(link.Transmit(kStart, fits, Link::kIpv6UdpOctets).copies, 0u) << "20 octets more of header";
    std::vector<uint8_t> larger(fits.size() + 1);
    const auto fate = link.Transmit(kStart, larger);
    EXPECT_EQ(fate.copies, 0u);
    EXPECT_EQ(fate.mtu_to_report, too_big == TooBig::kReport ? 1280u : 0u);
    EXPECT_EQ(link.Transmit(kStart, larger, Link::kIpv4UdpOctets, {IpFragmentation::kAllowed}).copies, 1u);
    EXPECT_EQ(link.stats().too_big, 2u);
    EXPECT_EQ(link.stats().fragmented, 1u);
  }
}

TEST(LinkTest, MarksWhatMayBeMarkedBeforeItsQueueOverflows) {  // RFC 3168 §5
  LinkOptions options;
  options.bytes_per_second = 1'000'000;
  options.queue_bytes = 10'000;
  options.mark_above_bytes = 3000;
  Link link = Make(options);
  std::vector<uint8_t> bytes(1000 - Link::kIpv4UdpOctets);
  const auto send = [&](EcnMark mark) { return link.Transmit(kStart, bytes, Link::kIpv4UdpOctets, {.ecn = mark}); };
  // 0, 1000, 2000 and 3000 octets wait before them.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(send(EcnMark::kEct0).ecn, EcnMark::kEct0) << i;
  EXPECT_EQ(send(EcnMark::kEct0).ecn, EcnMark::kCe);
  EXPECT_EQ(send(EcnMark::kEct1).ecn, EcnMark::kCe);
  EXPECT_EQ(send(EcnMark::kCe).ecn, EcnMark::kCe);
  EXPECT_EQ(send(EcnMark::kNotEct).ecn, EcnMark::kNotEct);
  EXPECT_EQ(link.stats().marked, 3u);
  EXPECT_EQ(send(EcnMark::kEct0).copies, 1u);
  EXPECT_EQ(send(EcnMark::kEct0).copies, 1u);
  EXPECT_EQ(send(EcnMark::kEct0).copies, 0u) << "a full queue drops all the same";
  EXPECT_EQ(link.stats().overflowed, 1u);
}

TEST(LinkTest, ClearsTheEcnFieldOrDropsWhatHasOne) {  // RFC 3168 §19.1, RFC 3168 §6.1.1.1
  std::vector<uint8_t> bytes(100);
  LinkOptions options;
  options.ecn = EcnTreatment::kClear;
  Link clearing = Make(options);
  options.ecn = EcnTreatment::kDrop;
  Link dropping = Make(options);
  for (const EcnMark mark : {EcnMark::kNotEct, EcnMark::kEct0, EcnMark::kCe}) {
    const auto cleared = clearing.Transmit(kStart, bytes, Link::kIpv4UdpOctets, {.ecn = mark});
    EXPECT_EQ(cleared.copies, 1u);
    EXPECT_EQ(cleared.ecn, EcnMark::kNotEct);
    const auto dropped = dropping.Transmit(kStart, bytes, Link::kIpv4UdpOctets, {.ecn = mark});
    EXPECT_EQ(dropped.copies, mark == EcnMark::kNotEct ? 1u : 0u);
  }
  EXPECT_EQ(dropping.stats().markable_dropped, 2u);
}

TEST(LinkTest, TheSameSeedGivesTheSameFate) {
  LinkOptions options;
  options.loss = UniformLoss{0.5};
  Link one = Make(options, 7);
  Link two = Make(options, 7);
  for (int i = 0; i < 100; ++i) {
    std::vector<uint8_t> a(10), b(10);
    EXPECT_EQ(one.Transmit(kStart, a).copies, two.Transmit(kStart, b).copies);
  }
}

}  // namespace
}  // namespace jsp::netsim
