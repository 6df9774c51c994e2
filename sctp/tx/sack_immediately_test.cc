// When the I bit asks for a SACK without delay (RFC 9260 §6.1, RFC 7053 §4), and when not. TSNs begin at 2^32 − 2
// (C19).
#include <gtest/gtest.h>

#include <vector>

#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;
using Bits = std::vector<bool>;

SendOptions Immediately() {
  SendOptions options;
  options.sack_immediately = true;
  return options;
}
Sender::Config Window(size_t packets) {
  Sender::Config config;
  config.options.initial_window_packets = packets;
  return config;
}
Bits BitsOf(const std::vector<SentChunks>& packets) {
  Bits bits;
  for (const SentChunks& packet : packets) {
    for (const SentChunk& chunk : packet) bits.push_back(chunk.immediate);
  }
  return bits;
}

TEST(SackImmediatelyTest, IsNotAskedForWhereNothingWaits) {  // RFC 7053 §5.1
  Sender s;
  s.Send(100);
  s.Send(3000);
  EXPECT_EQ(BitsOf(s.Drain()), Bits(4, false));
}

TEST(SackImmediatelyTest, IsAskedForOnTheLastFragmentByTheApplication) {  // RFC 7053 §4.1
  Sender s;
  s.Send(100);
  s.Send(3000, Immediately());
  s.Send(100);
  EXPECT_EQ(BitsOf(s.Drain()), (Bits{false, false, false, true, false}));
  // A repetition keeps what the application asked for.
  EXPECT_EQ(s.ExpireT3(), RetransmissionQueue::Expiry::kLoss);
  s.Sack(1);
  const Bits again = BitsOf(s.Drain());
  EXPECT_FALSE(again.empty());
}

TEST(SackImmediatelyTest,
     ASmallWindowThatIsFullAsksForIt) {  // RFC 7053 §4.2: "fills the congestion or receiver window"
  Sender s(Window(3));
  for (int i = 0; i < 5; ++i) s.Send(Sender::kFull);
  EXPECT_EQ(BitsOf(s.Drain()), (Bits{false, false, true}));
}

TEST(SackImmediatelyTest, AWindowOfManyPacketsDoesNot) {  // the SACKs of earlier packets come anyway
  Sender s(Window(8));
  for (int i = 0; i < 10; ++i) s.Send(Sender::kFull);
  EXPECT_EQ(BitsOf(s.Drain()), Bits(8, false));
}

TEST(SackImmediatelyTest, AWindowThatIsFullWithNothingBehindDoesNot) {
  Sender s(Window(3));
  for (int i = 0; i < 3; ++i) s.Send(Sender::kFull);
  EXPECT_EQ(BitsOf(s.Drain()), Bits(3, false));
}

TEST(SackImmediatelyTest, APeersWindowThatIsFullAsksForIt) {  // RFC 7053 §4.2
  Sender::Config config;
  config.peer_a_rwnd = 2500;
  Sender s(config);
  for (int i = 0; i < 5; ++i) s.Send(Sender::kFull);
  EXPECT_EQ(BitsOf(s.Drain()), (Bits{false, true}));
}

TEST(SackImmediatelyTest, AZeroWindowProbeAsksForIt) {  // RFC 9260 §6.1 A
  Sender s;
  s.Send(100);
  s.Drain();
  s.a_rwnd = 0;
  s.Sack(1);
  s.Send(100);
  s.Send(100);
  EXPECT_TRUE(s.Drain().empty());
  EXPECT_EQ(s.ExpireT3(), RetransmissionQueue::Expiry::kWindowProbe);
  EXPECT_EQ(BitsOf(s.Drain()), Bits{true});
}

TEST(SackImmediatelyTest, TheOnePacketAfterATimeoutAsksForIt) {  // RFC 9260 §7.2.3: one packet, which fills the window
  Sender s;
  for (int i = 0; i < 3; ++i) s.Send(Sender::kFull);
  s.Drain();
  EXPECT_EQ(s.ExpireT3(), RetransmissionQueue::Expiry::kLoss);
  EXPECT_EQ(BitsOf(s.Drain()), Bits{true});
}

TEST(SackImmediatelyTest, TheLastChunkBeforeAShutdownAsksForIt) {  // RFC 7053 §4.2: SHUTDOWN-PENDING
  Sender s;
  s.queue.SetEnding();
  s.Send(3000);
  EXPECT_EQ(BitsOf(s.Drain()), (Bits{false, false, true}));
}

TEST(SackImmediatelyTest, TheLastChunkBeforeTheResetOfItsStreamAsksForIt) {  // RFC 7053 §4.2, RFC 6525 §5.1.2
  Sender s;
  s.Send(100, {}, 1);
  s.Send(100, {}, 1);
  s.messages.BeginReset(StreamId(1));
  EXPECT_EQ(BitsOf(s.Drain()), (Bits{false, true}));
}

TEST(SackImmediatelyTest, ATailProbeAsksForIt) {  // RFC 8985 §7.3
  Sender::Config config;
  config.options = Options{};
  Sender s(config);
  s.queue.MeasureRoundTrip(milliseconds(50));
  for (int i = 0; i < 3; ++i) s.Send(Sender::kFull);
  EXPECT_EQ(BitsOf(s.Drain()), Bits(3, false));
  s.now = s.queue.NextTimeout();
  EXPECT_EQ(s.queue.HandleTimeout(s.now), RetransmissionQueue::Expiry::kNone);
  ASSERT_EQ(s.metrics.tail_probes, 1u);
  EXPECT_EQ(BitsOf(s.Drain()), Bits{true});
}

}  // namespace
}  // namespace jsp::sctp
