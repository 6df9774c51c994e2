#include "sctp/tx/retransmission_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <vector>

#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Expiry = RetransmissionQueue::Expiry;

constexpr size_t kFull = Sender::kFull;
constexpr size_t kChunk = Sender::kRoom;

std::vector<uint32_t> Range(uint32_t first, uint32_t last) {
  std::vector<uint32_t> range(last - first + 1);
  std::iota(range.begin(), range.end(), first);
  return range;
}

// A sender whose first flight of ten packets is out, of many more.
struct Busy : Sender {
  Busy() : Busy(Config{}) {}
  explicit Busy(const Config& given) : Sender(given) {
    Send(400 * kFull);
    EXPECT_EQ(DrainTsns(), Range(0, 9));
  }
};

TEST(RetransmissionQueueTest, FragmentsWithConsecutiveTsnsOneSsnAndTheRightBits) {  // RFC 9260 §6.9, §3.3.1
  Sender sender;
  sender.Send(3 * kFull + 5, {}, 6);
  const auto packets = sender.Drain();
  ASSERT_EQ(packets.size(), 4u);
  for (uint32_t i = 0; i < 4; ++i) {
    ASSERT_EQ(packets[i].size(), 1u);
    const SentChunk& chunk = packets[i][0];
    EXPECT_EQ(chunk.tsn, i);
    EXPECT_EQ(chunk.stream, 6);
    EXPECT_EQ(chunk.ssn, 0);
    EXPECT_EQ(chunk.begins, i == 0);
    EXPECT_EQ(chunk.ends, i == 3);
    EXPECT_EQ(chunk.size, i == 3 ? 5 : kFull);
  }
}

TEST(RetransmissionQueueTest, BundlesSmallMessages) {  // RFC 9260 §6.10
  Sender sender;
  for (uint16_t i = 0; i < 20; ++i) sender.Send(10, {}, i);
  const auto packets = sender.Drain();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].size(), 20u);
}

TEST(RetransmissionQueueTest, FillsThePacketWithTheHeadOfTheNextMessage) {
  Sender sender;
  sender.Send(500);
  sender.Send(5000);
  const auto packets = sender.Drain();
  EXPECT_EQ(packets[0].size(), 2u);
  EXPECT_EQ(packets[0][1].size, 644u);  // 1176 - (16 + 500) - 16
}

// Octets that the chunks of a packet take.
size_t OctetsOf(const std::vector<SentChunk>& packet) {
  size_t octets = 0;
  for (const SentChunk& chunk : packet) octets += kChunk - kFull + ((chunk.size + 3) & ~size_t{3});
  return octets;
}

TEST(RetransmissionQueueTest, SendsEqualPacketsBehindAFullOne) {
  Sender sender;
  for (int i = 0; i < 8; ++i) sender.Send(700);  // one and 444 octets of the next fill the first packet
  const auto packets = sender.Drain();
  ASSERT_EQ(packets.size(), 5u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(OctetsOf(packets[i]), kChunk) << i;
}

TEST(RetransmissionQueueTest, CutsNoMessageWhereEachPacketIsTheSame) {
  Sender sender;
  for (int i = 0; i < 12; ++i) sender.Send(500);  // two, and 144 octets of the next would fit
  for (const auto& packet : sender.Drain()) {
    EXPECT_EQ(packet.size(), 2u);
    for (const SentChunk& chunk : packet) EXPECT_TRUE(chunk.begins && chunk.ends);
  }
}

TEST(RetransmissionQueueTest, SendsNoMoreThanTheWindowAndOneChunk) {  // RFC 9260 §6.1 B, RFC 9260 §7.2.1
  Sender::Config config;
  config.options.max_burst_packets = 1000;
  for (const size_t packets : {2, 4, 10}) {
    config.options.initial_window_packets = packets;
    Sender sender(config);
    sender.Send(1 << 20);
    EXPECT_EQ(sender.DrainTsns().size(), packets);
    EXPECT_LE(sender.queue.outstanding().flight_octets(), sender.queue.congestion().cwnd() + kChunk - 1);
  }
}

TEST(RetransmissionQueueTest, MaxBurstBoundsWhatGoesOutBeyondTheAcknowledged) {  // RFC 9260 §6.1 D
  Busy sender;
  // One SACK for all ten after a long silence: the window is 18 now.
  sender.Sack(10);
  EXPECT_EQ(sender.queue.congestion().cwnd(), 18 * kChunk);
  EXPECT_EQ(sender.Drain().size(), 14u);
  EXPECT_TRUE(sender.Drain().empty());
}

TEST(RetransmissionQueueTest, ASmallNewMessageAfterSilenceGetsMaxBurstOnly) {  // RFC 9260 §6.1 D
  Sender sender;
  sender.Send(10);
  sender.Drain();
  sender.Sack(1);
  sender.Drain();
  sender.Send(1 << 20);
  EXPECT_EQ(sender.Drain().size(), Options{}.max_burst_packets);
}

TEST(RetransmissionQueueTest, SeveralSacksBeforeAPollAreSeveralOpportunities) {
  Busy sender;
  for (uint32_t i = 2; i <= 10; i += 2) sender.Sack(i);
  EXPECT_EQ(sender.Drain().size(), 20u);  // and the window has grown by all of them
}

TEST(RetransmissionQueueTest, StopsAtThePeersWindow) {  // RFC 9260 §6.1 A
  Sender::Config config;
  config.peer_a_rwnd = 3 * kFull + 100;
  Sender sender(config);
  sender.Send(100 * kFull);
  EXPECT_EQ(sender.DrainTsns(), Range(0, 2));
  sender.a_rwnd = 0;
  sender.Sack(3);
  EXPECT_TRUE(sender.Drain().empty());
  sender.a_rwnd = 2 * kFull;
  sender.Sack(3);
  EXPECT_EQ(sender.DrainTsns(), Range(3, 4));
}

TEST(RetransmissionQueueTest, ProbesAClosedWindowWithOneChunkAndBacksOff) {  // RFC 9260 §6.1 A
  Sender sender;
  sender.Send(100 * kFull);
  sender.DrainTsns();
  sender.now = sender.now + 10ms;
  sender.a_rwnd = 0;
  sender.Sack(10);
  EXPECT_TRUE(sender.Drain().empty());
  const size_t cwnd = sender.queue.congestion().cwnd();
  Timestamp last = sender.now;
  Duration interval = sender.queue.rto();
  // The first one after one RTO.
  EXPECT_EQ(sender.queue.NextTimeout() - last, interval);
  EXPECT_EQ(sender.ExpireT3(), Expiry::kWindowProbe);
  EXPECT_EQ(sender.DrainTsns(), Range(10, 10));
  for (int i = 0; i < 20; ++i) {
    last = sender.now;
    interval = std::min<Duration>(interval * 2, 10s);
    sender.Sack(10);  // the peer drops it and says so
    EXPECT_TRUE(sender.Drain().empty());
    EXPECT_EQ(sender.queue.NextTimeout() - last, interval);
    EXPECT_EQ(sender.ExpireT3(), Expiry::kWindowProbe);  // never an error while SACKs come
    EXPECT_EQ(sender.DrainTsns(), Range(10, 10));
  }
  EXPECT_EQ(sender.queue.congestion().cwnd(), cwnd);
}

TEST(RetransmissionQueueTest, AnUnansweredProbeIsAnError) {  // RFC 9260 §6.1 A
  Sender::Config config;
  config.peer_a_rwnd = 0;
  Sender sender(config);
  sender.Send(100);
  EXPECT_TRUE(sender.Drain().empty());
  EXPECT_EQ(sender.ExpireT3(), Expiry::kWindowProbe);
  EXPECT_EQ(sender.DrainTsns(), Range(0, 0));
  EXPECT_EQ(sender.ExpireT3(), Expiry::kLoss);
}

TEST(RetransmissionQueueTest, RepeatsAProbeAtOnceWhenTheWindowOpens) {
  Sender::Config config;
  config.peer_a_rwnd = 0;
  Sender sender(config);
  sender.Send(100 * kFull);
  sender.Drain();
  sender.ExpireT3();
  EXPECT_EQ(sender.DrainTsns(), Range(0, 0));
  sender.a_rwnd = 0;
  sender.Sack(0);
  EXPECT_TRUE(sender.Drain().empty());
  sender.a_rwnd = 1 << 20;
  sender.Sack(0);
  EXPECT_EQ(sender.DrainTsns()[0], 0u);
}

TEST(RetransmissionQueueTest, FastRetransmitsAfterThreeMissesRegardlessOfCwnd) {  // RFC 9260 §7.2.4
  Busy sender;
  const size_t cwnd = sender.queue.congestion().cwnd();
  sender.Sack(0, {{1, 1}});
  sender.Sack(0, {{1, 2}});
  sender.Drain();
  sender.Sack(0, {{1, 3}});
  const auto packets = sender.Drain();
  ASSERT_FALSE(packets.empty());
  EXPECT_EQ(packets[0][0].tsn, 0u);
  EXPECT_TRUE(sender.queue.congestion().in_fast_recovery());
  EXPECT_LT(sender.queue.congestion().cwnd(), cwnd);
  EXPECT_EQ(sender.metrics.fast_retransmits, 1u);
  EXPECT_EQ(sender.metrics.retransmitted_chunks, 1u);
  EXPECT_EQ(sender.metrics.t3_expiries, 0u);
}

TEST(RetransmissionQueueTest, TwoLossesInOneWindowHalveOnce) {  // RFC 9260 §7.2.4 item 6
  Busy sender;
  for (uint32_t i = 2; i <= 4; ++i) sender.Sack(0, {{2, i}});
  EXPECT_EQ(sender.DrainTsns()[0], 0u);
  const size_t cwnd = sender.queue.congestion().cwnd();
  EXPECT_EQ(cwnd, 13 * kChunk / 2);  // it had grown by the three chunks acknowledged
  sender.Sack(2, {{3, 4}, {6, 9}});
  EXPECT_EQ(sender.queue.congestion().cwnd(), cwnd);
  EXPECT_EQ(sender.metrics.fast_retransmits, 1u);
}

TEST(RetransmissionQueueTest, RetransmitsBeforeItSendsNewData) {  // RFC 9260 §6.1 C
  Busy sender;
  for (uint32_t i = 4; i <= 9; ++i) sender.Sack(0, {{3, i}});
  const auto tsns = sender.DrainTsns();
  ASSERT_GE(tsns.size(), 3u);
  EXPECT_EQ((std::vector<uint32_t>{tsns.begin(), tsns.begin() + 3}), Range(0, 2));
}

TEST(RetransmissionQueueTest, T3SendsTheOldestInOnePacketAndCollapsesTheWindow) {  // RFC 9260 §6.3.3, §7.2.3
  Busy sender;
  Timestamp last = sender.now;
  Duration interval = sender.queue.rto();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(sender.queue.NextTimeout() - last, interval);
    EXPECT_EQ(sender.ExpireT3(), Expiry::kLoss);
    EXPECT_EQ(sender.queue.congestion().cwnd(), kChunk);
    EXPECT_EQ(sender.DrainTsns(), Range(0, 0));
    last = sender.now;
    interval = std::min<Duration>(interval * 2, 10s);
  }
  EXPECT_EQ(sender.metrics.t3_expiries, 6u);
}

TEST(RetransmissionQueueTest, T3BundlesAsManyOfTheOldestAsFitOnePacket) {  // RFC 9260 §6.3.3 E3
  Sender sender;
  for (int i = 0; i < 100; ++i) {
    sender.Send(100);
    sender.Drain();
  }
  sender.ExpireT3();
  const auto packets = sender.Drain();
  ASSERT_EQ(packets.size(), 1u);  // until something is acknowledged
  EXPECT_EQ(packets[0].size(), 10u);
  sender.Sack(10);
  EXPECT_EQ(sender.Drain()[0][0].tsn, 10u);
}

TEST(RetransmissionQueueTest, T3RestartsOnlyWhenTheEarliestIsAcknowledged) {  // RFC 9260 §6.3.2 R3
  Busy sender;
  const Timestamp first = sender.queue.NextTimeout();
  sender.now = sender.now + 100ms;
  sender.Sack(0, {{3, 3}});
  EXPECT_EQ(sender.queue.NextTimeout(), first);
  sender.Sack(1, {{3, 3}});
  EXPECT_EQ(sender.queue.NextTimeout(), sender.now + sender.queue.rto());
}

TEST(RetransmissionQueueTest, T3StopsWhenEverythingIsAcknowledged) {  // RFC 9260 §6.3.2 R2
  Sender sender;
  sender.Send(5000);
  sender.Drain();
  sender.Sack(5);
  EXPECT_EQ(sender.queue.NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(sender.queue.is_idle());
  EXPECT_EQ(sender.metrics.messages_sent, 1u);
  EXPECT_EQ(sender.metrics.bytes_sent, 5000u);
}

TEST(RetransmissionQueueTest, NewDataDoesNotRestartT3) {  // RFC 9260 §6.1
  Sender sender;
  sender.Send(10);
  sender.Drain();
  const Timestamp first = sender.queue.NextTimeout();
  sender.now = sender.now + 100ms;
  sender.Send(10);
  sender.Drain();
  EXPECT_EQ(sender.queue.NextTimeout(), first);
}

TEST(RetransmissionQueueTest, MeasuresOncePerRoundTripAndNeverARetransmission) {  // RFC 9260 §6.3.1 C4, C5
  Busy sender;
  sender.now = sender.now + 80ms;
  sender.Sack(2);
  EXPECT_EQ(sender.metrics.srtt_us, 80000u);
  sender.now = sender.now + 500ms;
  sender.Sack(4);  // sent with the first flight: not timed
  EXPECT_EQ(sender.metrics.srtt_us, 80000u);

  Busy retransmitting;
  retransmitting.ExpireT3();
  retransmitting.Drain();
  retransmitting.now = retransmitting.now + 5ms;
  retransmitting.Sack(10);
  EXPECT_EQ(retransmitting.metrics.srtt_us, 0u);
}

TEST(RetransmissionQueueTest, DecaysTheWindowAfterIdling) {  // RFC 9260 §7.2.1
  Busy sender;
  for (uint32_t i = 10; i < 100; i += 5) {
    sender.Sack(i);
    sender.Drain();
  }
  const size_t busy = sender.queue.congestion().cwnd();
  ASSERT_GT(busy, 40 * kChunk);
  const auto sent = static_cast<uint32_t>(sender.metrics.chunks_sent);
  // The rest goes out and is acknowledged.
  for (uint32_t i = sent; sender.queue.outstanding().size() > 0;
       i = static_cast<uint32_t>(sender.metrics.chunks_sent)) {
    sender.Sack(i);
    sender.Drain();
  }
  sender.now = sender.now + 60s;
  sender.Send(10);
  sender.Drain();
  EXPECT_EQ(sender.queue.congestion().cwnd(), 4 * kChunk);
}

TEST(RetransmissionQueueTest, SendsForwardTsnForWhatMaxRetransmitsZeroLost) {  // RFC 3758 §3.5 C3
  Sender sender;
  sender.Send(2 * kFull, MaxRetransmits(0), 3);
  sender.Send(6 * kFull);
  sender.Drain();
  EXPECT_FALSE(sender.queue.TakeForwardTsn(sender.now, kChunk));
  for (uint32_t i = 2; i <= 4; ++i) sender.Sack(0, {{2, i}});
  const auto forward = sender.queue.TakeForwardTsn(sender.now, kChunk);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, Tsn(sender.config.initial_tsn + 1));
  ASSERT_EQ(forward->skipped.size(), 1u);
  EXPECT_EQ(forward->skipped[0], (SkippedStream{StreamId(3), Ssn(0)}));
  // RFC 3758 §3.5 F5: the congestion response is the same.
  EXPECT_TRUE(sender.queue.congestion().in_fast_recovery());
  EXPECT_FALSE(sender.queue.TakeForwardTsn(sender.now, kChunk));
  EXPECT_EQ(sender.metrics.retransmitted_chunks, 0u);
  sender.Sack(5);
  EXPECT_FALSE(sender.queue.TakeForwardTsn(sender.now, kChunk));
}

TEST(RetransmissionQueueTest, RepeatsForwardTsnOnT3AndAtMostOncePerRoundTrip) {  // RFC 3758 §3.5 A5, C5, F2
  Sender sender;
  sender.Send(10);
  sender.Drain();
  sender.now = sender.now + 50ms;
  sender.Sack(1);  // SRTT is 50 ms
  sender.Send(10, MaxRetransmits(0));
  sender.Drain();
  sender.ExpireT3();
  EXPECT_TRUE(sender.DrainTsns().empty());
  ASSERT_TRUE(sender.queue.TakeForwardTsn(sender.now, kChunk));
  EXPECT_NE(sender.queue.NextTimeout(), Timestamp::Never());
  sender.Sack(1);
  EXPECT_FALSE(sender.queue.TakeForwardTsn(sender.now, kChunk));
  sender.now = sender.now + 50ms;
  sender.Sack(1);
  EXPECT_TRUE(sender.queue.TakeForwardTsn(sender.now, kChunk));
  sender.ExpireT3();
  EXPECT_TRUE(sender.queue.TakeForwardTsn(sender.now, kChunk));
  sender.Sack(2);
  EXPECT_EQ(sender.queue.NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(sender.queue.is_idle());
}

TEST(RetransmissionQueueTest, ExpiredLifetimeTurnsARetransmissionIntoForwardTsn) {  // RFC 3758 §3.5 A5, RFC 3758 §4.1
  Sender sender;
  sender.Send(10, Lifetime(200ms));
  sender.Drain();
  sender.ExpireT3();  // after 500 ms
  EXPECT_TRUE(sender.Drain().empty());
  EXPECT_TRUE(sender.queue.TakeForwardTsn(sender.now, kChunk));
}

TEST(RetransmissionQueueTest, AMessageThatExpiresHalfwayIsGivenUpWhole) {  // RFC 3758 §3.5 A3
  Busy sender;                                                             // a window that is full
  sender.Send(30 * kFull, Lifetime(300ms), 1);
  sender.Sack(10);
  sender.Drain();
  EXPECT_EQ(sender.messages.buffered_amount(StreamId(1)), 30 * kFull);
  Sender other;
  other.Send(30 * kFull, Lifetime(300ms), 1);
  EXPECT_EQ(other.DrainTsns(), Range(0, 9));
  other.now = other.now + 300ms;
  other.Sack(10);
  EXPECT_TRUE(other.Drain().empty());
  EXPECT_EQ(other.messages.buffered_amount(StreamId(1)), 0u);
  const auto forward = other.queue.TakeForwardTsn(other.now, kChunk);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, Tsn(other.config.initial_tsn + 10));
  EXPECT_EQ(forward->skipped[0], (SkippedStream{StreamId(1), Ssn(0)}));
}

TEST(RetransmissionQueueTest, C4_ABadSackChangesNothing) {
  Busy sender;
  const size_t flight = sender.queue.outstanding().flight_octets();
  EXPECT_EQ(sender.Sack(11).verdict, SackVerdict::kAcksUnsent);
  EXPECT_EQ(sender.Sack(5, {{7, 6}}).verdict, SackVerdict::kMalformed);
  EXPECT_EQ(sender.queue.outstanding().flight_octets(), flight);
  EXPECT_EQ(sender.queue.outstanding().first_tsn().Wrap(), Tsn(sender.config.initial_tsn));
}

TEST(RetransmissionQueueTest, TheCumulativeAckOfShutdownCountsLikeASack) {  // RFC 9260 §9.2
  Busy sender;
  const auto outcome = sender.queue.HandleCumulativeAck(sender.now, Tsn(sender.config.initial_tsn + 4));
  EXPECT_EQ(outcome.verdict, SackVerdict::kValid);
  EXPECT_TRUE(outcome.progress);
  EXPECT_EQ(sender.queue.outstanding().first_tsn().Wrap(), Tsn(sender.config.initial_tsn + 5));
}

TEST(RetransmissionQueueTest, P37_TheWindowEvolvesAsTheRfcSays) {  // RFC 9260 §7.2.1, §7.2.2, §7.2.3
  Busy sender;
  const auto cwnd = [&] { return sender.queue.congestion().cwnd() / kChunk; };
  // Slow start: a SACK for every second packet doubles the window once per round trip.
  uint32_t acknowledged = 0;
  const auto round_trip = [&] {
    const auto end = static_cast<uint32_t>(sender.metrics.chunks_sent);
    while (acknowledged + 2 <= end) {
      acknowledged += 2;
      sender.Sack(acknowledged);
      sender.Drain();
    }
  };
  EXPECT_EQ(cwnd(), 10u);
  round_trip();
  EXPECT_EQ(cwnd(), 20u);
  round_trip();
  EXPECT_EQ(cwnd(), 40u);
  // A loss halves it.
  const uint32_t hole = acknowledged;
  for (uint32_t i = 1; i <= 3; ++i) sender.Sack(hole, {{hole + 1, hole + i}});
  sender.Drain();
  const size_t halved = cwnd();
  EXPECT_GE(halved, 20u);
  EXPECT_LE(halved, 23u);
  acknowledged = static_cast<uint32_t>(sender.metrics.chunks_sent);
  sender.Sack(acknowledged);
  sender.Drain();
  EXPECT_FALSE(sender.queue.congestion().in_fast_recovery());
  // Then one chunk per round trip.
  round_trip();
  const size_t start = cwnd();
  for (size_t i = 1; i <= 3; ++i) {
    round_trip();
    EXPECT_LE(cwnd(), start + i);
  }
  EXPECT_GE(cwnd(), start + 2);
}

}  // namespace
}  // namespace jsp::sctp
