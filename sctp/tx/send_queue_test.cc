#include "sctp/tx/send_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

struct Queue {
  explicit Queue(StreamScheduler::Policy policy = StreamScheduler::Policy::kRoundRobin, size_t max_octets = 1 << 20)
      : queue(max_octets, policy, metrics) {}

  void Add(uint16_t stream, size_t size, const SendOptions& options = {}) {
    queue.Add(now, MessageOf(stream, size), options);
  }
  // Sends the next message whole and releases it; its stream, or nullopt.
  std::optional<uint16_t> SendNext(Reliability reliability = Reliability::kPartial) {
    const auto handle = queue.Front(now, reliability);
    if (!handle) return std::nullopt;
    const uint16_t stream = queue.message(*handle).message.stream.value;
    last_ssn = queue.message(*handle).ssn();
    while (!queue.message(*handle).IsFragmentedWhole()) {
      const auto& message = queue.message(*handle);
      last_fragment = queue.Take(std::min<size_t>(1000, message.size() - message.fragmented));
      last_ssn = queue.message(*handle).ssn();
    }
    queue.Release(*handle);
    return stream;
  }

  Metrics metrics;
  SendQueue queue;
  Timestamp now = At(0ms);
  Ssn last_ssn;
  Fragment last_fragment;
};

TEST(SendQueueTest, GivesFragmentsThatReferToTheMessage) {  // RFC 9260 §6.9
  Queue q;
  q.Add(3, 2500);
  const auto handle = q.queue.Front(q.now, Reliability::kFull);
  ASSERT_TRUE(handle);
  const Fragment first = q.queue.Take(1000);
  const Fragment middle = q.queue.Take(1000);
  const Fragment last = q.queue.Take(500);
  EXPECT_EQ(first.offset, 0u);
  EXPECT_TRUE(first.begins && !first.ends);
  EXPECT_EQ(middle.offset, 1000u);
  EXPECT_TRUE(!middle.begins && !middle.ends);
  EXPECT_EQ(last.offset, 2000u);
  EXPECT_EQ(last.length, 500u);
  EXPECT_TRUE(!last.begins && last.ends);
  EXPECT_TRUE(q.queue.empty());
  EXPECT_FALSE(q.queue.is_idle());
  q.queue.Release(*handle);
  EXPECT_TRUE(q.queue.is_idle());
}

TEST(SendQueueTest, NumbersOrderedMessagesPerStreamAndLeavesUnorderedOnesOut) {  // RFC 9260 §6.5
  Queue q;
  for (int i = 0; i < 3; ++i) q.Add(1, 10);
  q.Add(1, 10, UnorderedOptions());
  q.Add(1, 10);
  std::vector<uint16_t> ssns;
  while (q.SendNext()) ssns.push_back(q.last_ssn.value);
  EXPECT_EQ(ssns[0], 0);
  EXPECT_EQ(ssns[1], 1);
  EXPECT_EQ(ssns[2], 2);
  EXPECT_EQ(ssns[4], 3);
}

TEST(SendQueueTest, C19_StreamSequenceNumbersWrap) {  // RFC 9260 §6.5
  Queue q;
  for (uint32_t i = 0; i < 70000; ++i) {
    q.Add(1, 1);
    ASSERT_TRUE(q.SendNext());
    ASSERT_EQ(q.last_ssn.value, i % 65536);
  }
}

TEST(SendQueueTest, TakesTurnsByMessage) {
  Queue q;
  for (int i = 0; i < 3; ++i) q.Add(1, 5000);
  for (int i = 0; i < 2; ++i) q.Add(2, 10);
  q.Add(3, 10);
  std::vector<uint16_t> order;
  while (const auto stream = q.SendNext()) order.push_back(*stream);
  EXPECT_EQ(order, (std::vector<uint16_t>{1, 2, 3, 1, 2, 1}));
}

TEST(SendQueueTest, ServesInOrderOfArrivalWhenAskedTo) {
  Queue q(StreamScheduler::Policy::kFirstComeFirstServed);
  for (const uint16_t stream : std::initializer_list<uint16_t>{1, 1, 2, 1, 3, 2}) q.Add(stream, 10);
  std::vector<uint16_t> order;
  while (const auto stream = q.SendNext()) order.push_back(*stream);
  EXPECT_EQ(order, (std::vector<uint16_t>{1, 1, 2, 1, 3, 2}));
}

TEST(SendQueueTest, FinishesAMessageBeforeAnotherBegins) {  // RFC 9260 §6.9: consecutive TSNs
  Queue q;
  q.Add(1, 3000);
  ASSERT_TRUE(q.queue.Front(q.now, Reliability::kFull));
  const MessageHandle begun = q.queue.Take(1000).message;
  // As the owner of TSNs does.
  q.queue.message(begun).fragments = 1;
  q.Add(2, 10);
  EXPECT_EQ(q.queue.Front(q.now, Reliability::kFull), begun);
  q.queue.Take(2000);
  EXPECT_NE(q.queue.Front(q.now, Reliability::kFull), begun);
}

TEST(SendQueueTest, CountsBufferedAmountsExactly) {
  Queue q;
  q.Add(1, 1000);
  q.Add(1, 500);
  q.Add(2, 70);
  SendOptions control;
  control.control = true;
  q.Add(2, 999, control);
  EXPECT_EQ(q.queue.buffered_amount(StreamId(1)), 1500u);
  EXPECT_EQ(q.queue.buffered_amount(StreamId(2)), 70u);
  EXPECT_EQ(q.queue.buffered_amount(StreamId(3)), 0u);
  EXPECT_EQ(q.queue.total_buffered_amount(), 1570u);
  ASSERT_TRUE(q.queue.Front(q.now, Reliability::kFull));
  q.queue.Take(300);
  EXPECT_EQ(q.queue.buffered_amount(StreamId(1)), 1200u);
  EXPECT_EQ(q.queue.total_buffered_amount(), 1270u);
}

TEST(SendQueueTest, KeepsRoomForWhatIsOutstandingToo) {
  Queue q(StreamScheduler::Policy::kRoundRobin, 10000);
  q.Add(1, 4000);
  EXPECT_EQ(q.queue.room(), 6000u);
  const auto handle = q.queue.Front(q.now, Reliability::kFull);
  q.queue.Take(4000);
  EXPECT_EQ(q.queue.room(), 6000u);
  q.queue.Release(*handle);
  EXPECT_EQ(q.queue.room(), 10000u);
}

TEST(SendQueueTest, TellsOnceWhenAThresholdIsCrossedFromAbove) {
  Queue q;
  q.queue.SetLowThreshold(StreamId(1), 1000);
  q.Add(1, 900);
  EXPECT_TRUE(q.SendNext());
  EXPECT_FALSE(q.queue.PopLowStream());  // was never above
  q.Add(1, 2000);
  q.Add(1, 500);
  ASSERT_TRUE(q.queue.Front(q.now, Reliability::kFull));
  q.queue.Take(1499);
  EXPECT_FALSE(q.queue.PopLowStream());
  q.queue.Take(1);
  EXPECT_EQ(q.queue.PopLowStream(), StreamId(1));
  q.queue.Take(500);
  EXPECT_FALSE(q.queue.PopLowStream());
}

TEST(SendQueueTest, ZeroThresholdTellsWhenTheStreamIsEmpty) {
  Queue q;
  q.Add(1, 10);
  q.Add(1, 10);
  q.SendNext();
  EXPECT_FALSE(q.queue.PopLowStream());
  q.SendNext();
  EXPECT_EQ(q.queue.PopLowStream(), StreamId(1));
}

TEST(SendQueueTest, KnowsWhenASmallMessageLastPassedWaitingOnes) {
  Queue q;
  q.Add(2, 100);
  EXPECT_EQ(q.queue.last_overtaking(), Timestamp::Never());  // nothing else waits
  q.Add(2, 100);
  EXPECT_EQ(q.queue.last_overtaking(), Timestamp::Never());  // only its own stream
  SendOptions control;
  control.control = true;
  q.Add(3, 100, control);
  EXPECT_EQ(q.queue.last_overtaking(), Timestamp::Never());  // no message of the application
  q.now = At(1s);
  q.Add(4, 16 * 1024 + 1);
  EXPECT_EQ(q.queue.last_overtaking(), Timestamp::Never());  // bulk itself
  q.now = At(2s);
  q.Add(5, 16 * 1024);
  EXPECT_EQ(q.queue.last_overtaking(), At(2s));
}

TEST(SendQueueTest, P34_DropsExpiredMessagesBeforeTheirFirstTransmission) {  // RFC 3758 §4.1
  Queue q;
  q.Add(1, 10, Lifetime(100ms));
  q.Add(1, 20, Lifetime(500ms));
  q.Add(1, 30);
  q.now = At(100ms);
  const auto front = q.queue.Front(q.now, Reliability::kPartial);
  ASSERT_TRUE(front);
  EXPECT_EQ(q.queue.message(*front).size(), 20u);
  EXPECT_EQ(q.queue.buffered_amount(StreamId(1)), 50u);
  EXPECT_EQ(q.metrics.messages_abandoned, 1u);
  q.now = At(10s);
  EXPECT_EQ(q.queue.message(*q.queue.Front(q.now, Reliability::kPartial)).size(), 30u);
  q.SendNext();
  EXPECT_EQ(q.last_ssn, Ssn(0));  // what was dropped has no number
  EXPECT_TRUE(q.queue.is_idle());
}

TEST(SendQueueTest, ExpiredMessagesAreReliableWithoutThePeersConsent) {  // RFC 3758 §3.3.2
  Queue q;
  q.Add(1, 10, Lifetime(100ms));
  q.now = At(10s);
  EXPECT_TRUE(q.queue.Front(q.now, Reliability::kFull));
}

TEST(SendQueueTest, HoldsBackWhenSsnsWouldBecomeAmbiguous) {  // RFC 9260 §6.1
  Queue q;
  for (int i = 0; i < 65536; ++i) q.Add(1, 1);
  std::vector<MessageHandle> outstanding;
  while (const auto handle = q.queue.Front(q.now, Reliability::kFull)) {
    q.queue.Take(1);
    outstanding.push_back(*handle);
  }
  EXPECT_EQ(outstanding.size(), 65535u);
  q.queue.Release(outstanding.front());
  EXPECT_TRUE(q.queue.Front(q.now, Reliability::kFull));
}

TEST(SendQueueTest, DropsTheRestOfAMessageThatHasBegun) {  // RFC 3758 §3.5 A3
  Queue q;
  q.Add(1, 3000);
  q.Add(1, 10);
  const auto begun = q.queue.Front(q.now, Reliability::kFull);
  q.queue.Take(1000);
  q.queue.DropRest(*begun);
  EXPECT_EQ(q.queue.buffered_amount(StreamId(1)), 10u);
  EXPECT_NE(q.queue.Front(q.now, Reliability::kFull), begun);
}

TEST(SendQueueTest, AStreamIsDrainedWhenItsLastMessageIsReleased) {  // RFC 6525 §5.1.2
  Queue q;
  q.Add(1, 10);
  q.queue.BeginReset(StreamId(1));
  q.queue.BeginReset(StreamId(2));
  q.queue.BeginReset(StreamId(2));
  EXPECT_TRUE(q.queue.is_resetting(StreamId(1)));
  EXPECT_EQ(q.queue.PopDrained(), StreamId(2));
  EXPECT_FALSE(q.queue.PopDrained());
  q.SendNext();
  EXPECT_EQ(q.queue.PopDrained(), StreamId(1));
  q.queue.EndReset(StreamId(1), SendQueue::ResetResult::kPerformed);
  EXPECT_FALSE(q.queue.is_resetting(StreamId(1)));
  q.Add(1, 10);
  q.SendNext();
  EXPECT_EQ(q.last_ssn, Ssn(0));
}

TEST(SendQueueTest, AFailedResetGoesOnNumbering) {  // RFC 6525 §5.2.7 H3
  Queue q;
  q.Add(1, 10);
  q.SendNext();
  q.queue.BeginReset(StreamId(1));
  q.queue.EndReset(StreamId(1), SendQueue::ResetResult::kFailed);
  q.Add(1, 10);
  q.SendNext();
  EXPECT_EQ(q.last_ssn, Ssn(1));
}

TEST(SendQueueTest, ResetsAllStreamsAtOnce) {  // RFC 6525 §5.1.2 A4
  Queue q;
  q.Add(1, 10);
  q.Add(2, 10);
  EXPECT_FALSE(q.queue.AreAllFresh());
  EXPECT_FALSE(q.queue.IsDrained(StreamId(1)));
  q.queue.BeginReset(StreamId(2));
  q.queue.BeginResetAll();
  EXPECT_TRUE(q.queue.is_resetting(StreamId(77)));
  while (q.SendNext()) {
  }
  EXPECT_TRUE(q.queue.IsDrained(StreamId(1)));
  EXPECT_FALSE(q.queue.IsFresh(StreamId(1)));
  EXPECT_TRUE(q.queue.IsFresh(StreamId(77)));
  // Refused: the reset of its own that a stream waits for goes on.
  q.queue.EndResetAll(SendQueue::ResetResult::kFailed);
  EXPECT_FALSE(q.queue.is_resetting(StreamId(1)));
  EXPECT_TRUE(q.queue.is_resetting(StreamId(2)));
  q.queue.BeginResetAll();
  q.queue.EndResetAll(SendQueue::ResetResult::kPerformed);
  EXPECT_FALSE(q.queue.is_resetting(StreamId(2)));
  EXPECT_FALSE(q.queue.PopDrained());
  EXPECT_TRUE(q.queue.AreAllFresh());
  q.Add(1, 10);
  q.SendNext();
  EXPECT_EQ(q.last_ssn, Ssn(0));
}

TEST(SendQueueTest, DropsStreamsThatTheHandshakeDidNotAllow) {  // RFC 9260 §5.1.1
  for (const auto policy : {StreamScheduler::Policy::kRoundRobin, StreamScheduler::Policy::kFirstComeFirstServed}) {
    Queue q(policy);
    for (uint16_t stream = 0; stream < 10; ++stream) {
      q.Add(stream, 100);
      q.Add(stream, 100);
    }
    (void)q.queue.Front(q.now, Reliability::kFull);
    q.queue.DropStreamsFrom(5);
    EXPECT_EQ(q.queue.total_buffered_amount(), 1000u);
    size_t sent = 0;
    while (const auto stream = q.SendNext()) {
      EXPECT_LT(*stream, 5);
      ++sent;
    }
    EXPECT_EQ(sent, 10u);
    EXPECT_TRUE(q.queue.is_idle());
  }
}

TEST(SendQueueTest, ForgetsEverythingOnClear) {
  Queue q;
  for (uint16_t stream = 0; stream < 10; ++stream) q.Add(stream, 100);
  (void)q.queue.Front(q.now, Reliability::kFull);
  q.queue.Take(50);
  q.queue.Clear();
  EXPECT_TRUE(q.queue.is_idle());
  EXPECT_EQ(q.queue.total_buffered_amount(), 0u);
  EXPECT_FALSE(q.queue.Front(q.now, Reliability::kFull));
  q.Add(1, 10);
  EXPECT_EQ(q.SendNext(), 1);
}

TEST(MessagePoolTest, ReusesSlotsAndCountsOctets) {
  MessagePool pool;
  const auto add = [&](size_t size) {
    OutgoingMessage message;
    message.message = MessageOf(0, size);
    return pool.Add(std::move(message));
  };
  const MessageHandle first = add(10);
  const MessageHandle second = add(20);
  EXPECT_NE(first, second);
  EXPECT_EQ(pool.octets(), 30u);
  pool.Release(first);
  EXPECT_EQ(pool.octets(), 20u);
  EXPECT_EQ(add(5), first);
  EXPECT_EQ(pool.size(), 2u);
  EXPECT_EQ(pool[second].size(), 20u);
}

TEST(MessagePoolTest, GivesALargeSlabBackWhenTrimmedEmpty) {
  MessagePool pool;
  std::vector<MessageHandle> handles;
  for (size_t i = 0; i < 10000; ++i) {
    OutgoingMessage message;
    message.message = MessageOf(0, 1);
    handles.push_back(pool.Add(std::move(message)));
  }
  for (const MessageHandle handle : handles) pool.Release(handle);
  pool.Trim();
  EXPECT_EQ(pool.size(), 0u);
  EXPECT_EQ(pool.octets(), 0u);
  OutgoingMessage message;
  message.message = MessageOf(0, 3);
  EXPECT_EQ(pool.Add(std::move(message)), MessageHandle(0));
}

TEST(FragmenterTest, TakesWholeWhatFits) {  // RFC 9260 §6.9
  EXPECT_EQ(NextFragmentLength(1, 1160, 1160), 1u);
  EXPECT_EQ(NextFragmentLength(1160, 1160, 1160), 1160u);
  EXPECT_EQ(NextFragmentLength(57, 57, 1160), 57u);
}

TEST(FragmenterTest, FillsThePacketButNotWithCrumbs) {
  EXPECT_EQ(NextFragmentLength(65536, 1160, 1160), 1160u);
  EXPECT_EQ(NextFragmentLength(65536, 603, 1160), 600u);
  EXPECT_EQ(NextFragmentLength(65536, 290, 1160), 288u);
  EXPECT_EQ(NextFragmentLength(65536, 289, 1160), 0u);
  EXPECT_EQ(NextFragmentLength(300, 289, 1160), 0u);
}

TEST(FragmenterTest, NeverExceedsRoomOrRemainderOrLimit) {
  for (size_t remaining = 1; remaining < 2600; remaining += 7) {
    for (size_t room = 1; room <= 1200; room += 3) {
      const size_t length = NextFragmentLength(remaining, room, 1160);
      ASSERT_LE(length, std::min({remaining, room, size_t{1160}}));
      ASSERT_TRUE(room < 1160 || length > 0);
    }
  }
}

TEST(StreamSchedulerTest, RemovesAStreamWithAllItsTurns) {
  StreamScheduler scheduler(StreamScheduler::Policy::kFirstComeFirstServed);
  for (const uint16_t stream : std::initializer_list<uint16_t>{1, 2, 1, 3}) {
    scheduler.MessageQueued(StreamId(stream), 1);
  }
  scheduler.Remove(StreamId(1));
  EXPECT_EQ(scheduler.Next(), StreamId(2));
  scheduler.MessageDone(StreamId(2), 1, 0);
  EXPECT_EQ(scheduler.Next(), StreamId(3));
  scheduler.MessageDone(StreamId(3), 1, 0);
  EXPECT_FALSE(scheduler.Next());
}

TEST(StreamSchedulerTest, GivesEachOfManyStreamsOneTurnPerRound) {
  StreamScheduler scheduler(StreamScheduler::Policy::kRoundRobin);
  for (uint16_t stream = 0; stream < 1000; ++stream) {
    scheduler.MessageQueued(StreamId(stream), 1);
    scheduler.MessageQueued(StreamId(stream), 2);
  }
  for (int round = 0; round < 2; ++round) {
    for (uint16_t stream = 0; stream < 1000; ++stream) {
      ASSERT_EQ(scheduler.Next(), StreamId(stream));
      scheduler.MessageDone(StreamId(stream), 1, round == 0 ? 1 : 0);
    }
  }
  EXPECT_FALSE(scheduler.Next());
}

}  // namespace
}  // namespace jsp::sctp
