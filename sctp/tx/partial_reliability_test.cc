// Giving up messages for want of room (RFC 7496 §3.2), and what is counted of all policies.
#include <gtest/gtest.h>

#include <vector>

#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;

SendOptions Priority(uint32_t priority) {
  SendOptions options;
  options.buffer_priority = priority;
  return options;
}
SendOptions Replaceable() {
  SendOptions options;
  options.replaceable = true;
  return options;
}

// A sender with room for ten messages of 1000 octets, whose first TSN is 2^32 − 2 (C19).
struct FullBuffer : Sender {
  static Config SmallBuffer(Reliability reliability) {
    Config config;
    config.options.max_send_buffer = 10000;
    config.options.initial_window_packets = 1;
    config.reliability = reliability;
    return config;
  }
  explicit FullBuffer(Reliability reliability = Reliability::kPartial) : Sender(SmallBuffer(reliability)) {}

  // As Association::Send does.
  bool TrySend(const SendOptions& options, uint16_t stream = 0, size_t size = 1000) {
    if (!queue.MakeRoom(now, size, options)) return false;
    Send(size, options, stream);
    return true;
  }
  void Fill(const SendOptions& options, int count = 10, uint16_t stream = 0) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(TrySend(options, stream));
  }
  const AbandonedMessages& given_up(AbandonPolicy policy) const { return metrics.abandoned[policy]; }
};

TEST(PartialReliabilityTest, AHigherPriorityDisplacesALowerOne) {  // RFC 7496 §3.2
  FullBuffer s;
  s.Fill(Priority(7));
  EXPECT_EQ(s.messages.room(), 0u);
  EXPECT_TRUE(s.TrySend(Priority(3), 1));
  EXPECT_EQ(s.given_up(AbandonPolicy::kPriority).unsent, 1u);
  EXPECT_EQ(s.messages.buffered_amount(StreamId(0)), 9000u);
  EXPECT_EQ(s.messages.buffered_amount(StreamId(1)), 1000u);
  EXPECT_TRUE(s.queue.IsConsistent());
}

TEST(PartialReliabilityTest, AnEqualOrLowerPriorityDisplacesNothing) {  // RFC 7496 §3.2
  FullBuffer s;
  s.Fill(Priority(3));
  EXPECT_FALSE(s.TrySend(Priority(3)));
  EXPECT_FALSE(s.TrySend(Priority(4)));
  EXPECT_FALSE(s.TrySend(Replaceable()));
  EXPECT_EQ(s.metrics.messages_abandoned, 0u);
}

TEST(PartialReliabilityTest, ReliableMessagesDisplaceAndAreNotDisplaced) {  // RFC 7496 §3.2
  FullBuffer s;
  s.Fill({}, 9);
  s.Fill(Priority(0), 1);
  EXPECT_TRUE(s.TrySend({}));
  EXPECT_EQ(s.given_up(AbandonPolicy::kPriority).unsent, 1u);
  EXPECT_FALSE(s.TrySend({}));
  EXPECT_FALSE(s.TrySend(Priority(0)));
}

TEST(PartialReliabilityTest, MessagesWithALimitOfTheirOwnAreNotDisplaced) {
  FullBuffer s;
  s.Fill(MaxRetransmits(0), 5);
  s.Fill(Lifetime(milliseconds(100)), 5);
  EXPECT_FALSE(s.TrySend(Priority(0)));
  EXPECT_FALSE(s.TrySend({}));
}

TEST(PartialReliabilityTest, TheLowestPriorityGoesFirstAndOfItTheOldest) {
  FullBuffer s;
  s.Fill(Priority(5), 5, 5);
  s.Fill(Priority(9), 5, 9);
  s.Fill(Priority(1), 6, 1);
  EXPECT_EQ(s.messages.buffered_amount(StreamId(9)), 0u);
  EXPECT_EQ(s.messages.buffered_amount(StreamId(5)), 4000u);
  EXPECT_TRUE(s.queue.IsConsistent());
}

TEST(PartialReliabilityTest, AReplaceableMessageGivesWayToTheNext) {
  FullBuffer s;
  s.Fill(Replaceable());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(s.TrySend(Replaceable()));
  EXPECT_EQ(s.given_up(AbandonPolicy::kReplaceable).unsent, 100u);
  EXPECT_EQ(s.messages.buffered_amount(StreamId(0)), 10000u);
  EXPECT_TRUE(s.TrySend(Priority(UINT32_MAX)));  // the lowest priority is above
  EXPECT_TRUE(s.queue.IsConsistent());
}

TEST(PartialReliabilityTest, NothingIsGivenUpThatWouldNotHelp) {
  FullBuffer s;
  s.Fill({}, 8);
  s.Fill(Priority(5), 2);
  EXPECT_FALSE(s.TrySend(Priority(0), 0, 2001));
  EXPECT_EQ(s.metrics.messages_abandoned, 0u);
  EXPECT_TRUE(s.TrySend(Priority(0), 0, 2000));
  EXPECT_EQ(s.given_up(AbandonPolicy::kPriority).unsent, 2u);
}

TEST(PartialReliabilityTest, WithoutThePeersConsentNothingIsGivenUp) {  // RFC 3758 §3.3.2
  FullBuffer s(Reliability::kFull);
  s.Fill(Priority(9));
  EXPECT_FALSE(s.TrySend({}));
  EXPECT_FALSE(s.TrySend(Priority(0)));
}

TEST(PartialReliabilityTest,
     OutstandingMessagesGiveWayAfterUnsentOnesByForwardTsn) {  // RFC 3758 §3.5 A2, RFC 7496 §3.2
  FullBuffer s;
  s.Fill(Priority(9));
  EXPECT_EQ(s.DrainTsns(), (std::vector<uint32_t>{0, 1}));  // the window
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(s.TrySend(Priority(1), 1));
  EXPECT_EQ(s.given_up(AbandonPolicy::kPriority).unsent, 8u);
  EXPECT_FALSE(s.queue.TakeForwardTsn(s.now, 100));
  // What is in flight goes last; the room is there at once, and the peer is told.
  EXPECT_TRUE(s.TrySend(Priority(1), 1));
  EXPECT_EQ(s.given_up(AbandonPolicy::kPriority).sent, 1u);
  const auto forward = s.queue.TakeForwardTsn(s.now, 100);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, Tsn(s.config.initial_tsn));
  EXPECT_TRUE(s.queue.IsConsistent());
}

TEST(PartialReliabilityTest, AMessageThatHasBegunGivesWayWithItsRest) {  // RFC 3758 §3.5 A3
  FullBuffer s;
  ASSERT_TRUE(s.TrySend(Priority(9), 0, 10000));
  EXPECT_EQ(s.DrainTsns().size(), 1u);
  EXPECT_TRUE(s.TrySend(Priority(1), 1, 10000));
  EXPECT_EQ(s.messages.buffered_amount(StreamId(0)), 0u);
  EXPECT_EQ(s.given_up(AbandonPolicy::kPriority).sent, 1u);
  // One TSN that was sent, and one that stands for the rest.
  const auto forward = s.queue.TakeForwardTsn(s.now, 100);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, Tsn(s.config.initial_tsn + 1));
  EXPECT_TRUE(s.queue.IsConsistent());
}

TEST(PartialReliabilityTest, DisplacingFromTheMiddleKeepsTheOrderOfTheRest) {  // RFC 9260 §6.5
  for (const auto policy : {StreamScheduling::kFirstComeFirstServed, StreamScheduling::kRoundRobin,
                            StreamScheduling::kPriority, StreamScheduling::kWeightedFair}) {
    Metrics metrics;
    SendQueue queue(6, policy, metrics);
    const auto add = [&](uint16_t stream, uint8_t name, const SendOptions& options) {
      Message message = MessageOf(stream, 1, name);
      queue.Add(At(Duration::zero()), std::move(message), options);
    };
    add(1, 1, {});
    add(1, 2, Priority(9));
    add(2, 3, {});
    add(1, 4, {});
    add(2, 5, Priority(8));
    add(1, 6, {});
    queue.DropUnsent(*queue.yielding().Next(0));
    queue.DropUnsent(*queue.yielding().Next(0));
    EXPECT_FALSE(queue.yielding().Next(0));
    ASSERT_TRUE(queue.IsConsistent());
    std::vector<uint8_t> of_stream_1;
    std::vector<uint8_t> order;
    while (const auto handle = queue.Front(At(Duration::zero()), Reliability::kPartial)) {
      const OutgoingMessage& message = queue.message(*handle);
      order.push_back(message.message.payload[0]);
      if (message.message.stream == StreamId(1)) of_stream_1.push_back(order.back());
      const Fragment fragment = queue.Take(1);
      queue.Release(fragment.message);
      ASSERT_TRUE(queue.IsConsistent());
    }
    EXPECT_EQ(of_stream_1, (std::vector<uint8_t>{1, 4, 6}));
    EXPECT_EQ(order.size(), 4u);
    if (policy == StreamScheduling::kFirstComeFirstServed) {
      EXPECT_EQ(order, (std::vector<uint8_t>{1, 3, 4, 6}));
    }
    EXPECT_TRUE(queue.is_idle());
  }
}

TEST(PartialReliabilityTest, CountsByPolicyStreamAndWhetherAPartWasSent) {  // RFC 7496 §4.3, RFC 7496 §4.4
  FullBuffer s;
  ASSERT_TRUE(s.TrySend(MaxRetransmits(0), 1));
  ASSERT_TRUE(s.TrySend(Lifetime(milliseconds(1)), 2));
  EXPECT_EQ(s.DrainTsns().size(), 2u);
  ASSERT_TRUE(s.TrySend(Lifetime(milliseconds(1)), 2));
  EXPECT_EQ(s.ExpireT3(), RetransmissionQueue::Expiry::kLoss);
  EXPECT_TRUE(s.DrainTsns().empty());
  EXPECT_EQ(s.given_up(AbandonPolicy::kRetransmissions).sent, 1u);
  EXPECT_EQ(s.given_up(AbandonPolicy::kLifetime).sent, 1u);
  EXPECT_EQ(s.given_up(AbandonPolicy::kLifetime).unsent, 1u);
  EXPECT_EQ(s.messages.abandoned(StreamId(1))[AbandonPolicy::kRetransmissions].sent, 1u);
  EXPECT_EQ(s.messages.abandoned(StreamId(2))[AbandonPolicy::kLifetime].unsent, 1u);
  EXPECT_EQ(s.messages.abandoned(StreamId(3))[AbandonPolicy::kLifetime].unsent, 0u);
  EXPECT_EQ(s.metrics.messages_abandoned, 3u);
}

// P34, RFC 3758 §4.1: nothing past its lifetime is sent for the first time, whatever made sending possible.
TEST(PartialReliabilityTest, ALifetimeThatEndedInTheQueueMeansNoTransmission) {
  const auto fill = [](FullBuffer& s) {
    s.Fill({}, 2);
    ASSERT_EQ(s.DrainTsns().size(), 2u);
    ASSERT_TRUE(s.TrySend(Lifetime(milliseconds(10)), 1));
    ASSERT_TRUE(s.DrainTsns().empty());
  };
  {
    FullBuffer s;  // a SACK opens the window
    fill(s);
    s.now = s.now + milliseconds(10);
    s.Sack(2);
    EXPECT_TRUE(s.DrainTsns().empty());
    EXPECT_EQ(s.given_up(AbandonPolicy::kLifetime).unsent, 1u);
    EXPECT_TRUE(s.queue.is_idle());
  }
  {
    FullBuffer s;  // T3-rtx: its one packet has room behind what is repeated
    fill(s);
    EXPECT_EQ(s.ExpireT3(), RetransmissionQueue::Expiry::kLoss);
    EXPECT_EQ(s.DrainTsns(), (std::vector<uint32_t>{0}));
    s.Sack(2);
    EXPECT_TRUE(s.DrainTsns().empty());
    EXPECT_EQ(s.given_up(AbandonPolicy::kLifetime).unsent, 1u);
  }
  {
    FullBuffer s;  // a zero window probe
    s.Fill({}, 1);
    ASSERT_EQ(s.DrainTsns().size(), 1u);
    s.a_rwnd = 0;
    s.Sack(1);
    ASSERT_TRUE(s.TrySend(Lifetime(milliseconds(10)), 1));
    ASSERT_TRUE(s.DrainTsns().empty());
    EXPECT_EQ(s.ExpireT3(), RetransmissionQueue::Expiry::kWindowProbe);
    EXPECT_TRUE(s.DrainTsns().empty());
    EXPECT_EQ(s.given_up(AbandonPolicy::kLifetime).unsent, 1u);
  }
  {
    FullBuffer s;  // in time
    fill(s);
    s.now = s.now + milliseconds(9);
    s.Sack(2);
    EXPECT_EQ(s.DrainTsns(), (std::vector<uint32_t>{2}));
  }
}

}  // namespace
}  // namespace jsp::sctp
