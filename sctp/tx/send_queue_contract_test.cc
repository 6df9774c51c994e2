#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "sctp/tx/sack_test_support.h"
#include "sctp/tx/send_queue.h"
namespace jsp::sctp {
namespace {

using Policy = StreamScheduler::Policy;
using ResetResult = SendQueue::ResetResult;

constexpr StreamId kA{1};
constexpr StreamId kB{2};

class SendQueueContractTest : public testing::Test {
 protected:
  void Add(StreamId stream, size_t octets, const SendOptions& options = {}) {
    queue_.Add(At(0), MakeMessage(stream.value, octets), options);
  }
  std::optional<MessageHandle> Front(int64_t at = 0) { return queue_.Front(At(at), Reliability::kPartial); }
  // All that is left of the next message, as one fragment.
  Fragment TakeMessage() {
    const auto handle = Front();
    const OutgoingMessage& message = queue_.message(handle.value());
    return queue_.Take(message.size() - message.fragmented);
  }
  // As the retransmission queue does when the peer has it.
  void Deliver() { queue_.Release(TakeMessage().message); }
  Ssn NextSsn(StreamId stream) {
    Add(stream, 1);
    const Fragment fragment = TakeMessage();
    const Ssn ssn = queue_.message(fragment.message).ssn();
    queue_.Release(fragment.message);
    return ssn;
  }
  // Gives `count` SSNs of the stream away.
  void Consume(StreamId stream, int count) {
    for (int i = 0; i < count; ++i) NextSsn(stream);
  }
  std::vector<uint16_t> LowStreams() {
    std::vector<uint16_t> low;
    while (const auto stream = queue_.PopLowStream()) low.push_back(stream->value);
    return low;
  }

  Metrics metrics_;
  SendQueue queue_{10000, Policy::kRoundRobin, metrics_};
};

using Low = std::vector<uint16_t>;

TEST_F(SendQueueContractTest, BeginsEmptyAndIdle) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_TRUE(queue_.is_idle());
  EXPECT_EQ(queue_.room(), 10000u);
  EXPECT_FALSE(Front());
  EXPECT_EQ(queue_.buffered_amount(kA), 0u);
}

TEST_F(SendQueueContractTest, CutsAMessageIntoConsecutivePieces) {
  Add(kA, 100);
  const MessageHandle handle = Front().value();
  const Fragment first = queue_.Take(40);
  EXPECT_EQ(Front(), handle);
  const Fragment middle = queue_.Take(40);
  EXPECT_EQ(Front(), handle);
  const Fragment last = queue_.Take(20);
  EXPECT_FALSE(Front());
  EXPECT_EQ(first.offset, 0u);
  EXPECT_EQ(middle.offset, 40u);
  EXPECT_EQ(last.offset, 80u);
  EXPECT_EQ(last.length, 20u);
  EXPECT_TRUE(first.begins && !first.ends);
  EXPECT_TRUE(!middle.begins && !middle.ends);
  EXPECT_TRUE(!last.begins && last.ends);
}

TEST_F(SendQueueContractTest, AMessageInOnePieceBeginsAndEnds) {
  Add(kA, 100);
  const Fragment fragment = TakeMessage();
  EXPECT_TRUE(fragment.begins && fragment.ends);
}

TEST_F(SendQueueContractTest, IsEmptyWhenAllIsInFragmentsAndIdleWhenAllIsReleased) {
  Add(kA, 100);
  EXPECT_FALSE(queue_.empty());
  const Fragment fragment = TakeMessage();
  EXPECT_TRUE(queue_.empty());
  EXPECT_FALSE(queue_.is_idle());
  queue_.Release(fragment.message);
  EXPECT_TRUE(queue_.is_idle());
}

// The limit counts what is queued and what is outstanding together.
TEST_F(SendQueueContractTest, RoomReturnsWithTheReleaseAndNotWithTheSending) {
  Add(kA, 4000);
  EXPECT_EQ(queue_.room(), 6000u);
  Add(kB, 7000);
  EXPECT_EQ(queue_.room(), 0u);
  const Fragment fragment = TakeMessage();
  EXPECT_EQ(queue_.room(), 0u);
  queue_.Release(fragment.message);
  EXPECT_EQ(queue_.room(), 3000u);
}

TEST_F(SendQueueContractTest, TurnsGoRoundTheStreams) {
  Add(kA, 1);
  Add(kA, 2);
  Add(kB, 3);
  EXPECT_EQ(TakeMessage().length, 1u);
  EXPECT_EQ(TakeMessage().length, 3u);
  EXPECT_EQ(TakeMessage().length, 2u);
}

TEST_F(SendQueueContractTest, AMessageThatHasBegunIsFinishedBeforeAnother) {
  Add(kA, 100);
  const MessageHandle begun = Front().value();
  queue_.Take(10);
  Add(kB, 1);
  Add(kA, 1);
  EXPECT_EQ(Front(), begun);
  queue_.Take(90);
  EXPECT_NE(Front(), begun);
}

// ---- buffered amount

TEST_F(SendQueueContractTest, CountsTheBufferedAmountOfEachStreamExactly) {
  Add(kA, 100);
  Add(kA, 50);
  Add(kB, 7);
  EXPECT_EQ(queue_.buffered_amount(kA), 150u);
  EXPECT_EQ(queue_.buffered_amount(kB), 7u);
  EXPECT_EQ(queue_.total_buffered_amount(), 157u);
  Front();
  queue_.Take(30);
  EXPECT_EQ(queue_.buffered_amount(kA), 120u);
  queue_.Take(70);
  EXPECT_EQ(queue_.buffered_amount(kA), 50u);
  EXPECT_EQ(queue_.total_buffered_amount(), 57u);
  TakeMessage();
  TakeMessage();
  EXPECT_EQ(queue_.buffered_amount(kA), 0u);
  EXPECT_EQ(queue_.total_buffered_amount(), 0u);
}

TEST_F(SendQueueContractTest, ReleasingDoesNotChangeTheBufferedAmount) {
  Add(kA, 100);
  const Fragment fragment = TakeMessage();
  Add(kA, 20);
  queue_.Release(fragment.message);
  EXPECT_EQ(queue_.buffered_amount(kA), 20u);
}

TEST_F(SendQueueContractTest, ControlMessagesAreNotBufferedAmount) {
  Add(kA, 100, Control());
  EXPECT_EQ(queue_.buffered_amount(kA), 0u);
  EXPECT_EQ(queue_.total_buffered_amount(), 0u);
  // They do take room.
  EXPECT_EQ(queue_.room(), 9900u);
  Deliver();
  EXPECT_EQ(queue_.buffered_amount(kA), 0u);
  EXPECT_EQ(LowStreams(), Low{});
}

TEST_F(SendQueueContractTest, TellsWhenTheBufferedAmountFallsToItsThreshold) {
  queue_.SetLowThreshold(kA, 60);
  Add(kA, 100);
  EXPECT_EQ(LowStreams(), Low{});
  Front();
  queue_.Take(39);
  EXPECT_EQ(LowStreams(), Low{});
  queue_.Take(1);
  EXPECT_EQ(queue_.buffered_amount(kA), 60u);
  EXPECT_EQ(LowStreams(), Low{1});
}

TEST_F(SendQueueContractTest, TellsOncePerCrossing) {
  queue_.SetLowThreshold(kA, 60);
  Add(kA, 100);
  Front();
  queue_.Take(50);
  queue_.Take(50);
  EXPECT_EQ(LowStreams(), Low{1});
  Add(kA, 61);
  TakeMessage();
  EXPECT_EQ(LowStreams(), Low{1});
}

TEST_F(SendQueueContractTest, NeverAboveTheThresholdIsNoCrossing) {
  queue_.SetLowThreshold(kA, 60);
  Add(kA, 60);
  TakeMessage();
  EXPECT_EQ(LowStreams(), Low{});
}

TEST_F(SendQueueContractTest, TheThresholdIsZeroUntilItIsSet) {
  Add(kA, 10);
  Add(kB, 10);
  Front();
  queue_.Take(9);
  EXPECT_EQ(LowStreams(), Low{});
  queue_.Take(1);
  TakeMessage();
  EXPECT_EQ(LowStreams(), (Low{1, 2}));
}

// ---- lifetime

// P34, RFC 3758 §4.1: stale data is not even sent once.
TEST_F(SendQueueContractTest, P34_DropsAMessagePastItsLifetimeBeforeItsFirstTransmission) {
  Add(kA, 100, Lifetime(50));
  EXPECT_TRUE(Front(49));
  EXPECT_FALSE(Front(50));
  EXPECT_TRUE(queue_.is_idle());
  EXPECT_EQ(queue_.buffered_amount(kA), 0u);
  EXPECT_EQ(queue_.total_buffered_amount(), 0u);
  EXPECT_EQ(queue_.room(), 10000u);
  EXPECT_EQ(metrics_.messages_abandoned, 1u);
}

TEST_F(SendQueueContractTest, P34_DroppingTellsThatTheBufferedAmountIsLow) {
  Add(kA, 100, Lifetime(50));
  EXPECT_FALSE(Front(60));
  EXPECT_EQ(LowStreams(), Low{1});
}

TEST_F(SendQueueContractTest, P34_DropsAllStaleMessagesOnTheWayToAFreshOne) {
  for (int i = 0; i < 20; ++i) Add(kA, 10, Lifetime(50));
  Add(kB, 10, Lifetime(50));
  Add(kA, 77);
  const auto front = Front(60);
  ASSERT_TRUE(front);
  EXPECT_EQ(queue_.message(*front).size(), 77u);
  EXPECT_EQ(metrics_.messages_abandoned, 21u);
  EXPECT_EQ(queue_.buffered_amount(kA), 77u);
}

// A message that never had a TSN has no SSN either: the receiver waits for nothing.
TEST_F(SendQueueContractTest, P34_ADroppedMessageLeavesNoHoleInTheSequence) {
  EXPECT_EQ(NextSsn(kA), Ssn(0));
  Add(kA, 10, Lifetime(50));
  EXPECT_FALSE(Front(60));
  EXPECT_EQ(NextSsn(kA), Ssn(1));
}

TEST_F(SendQueueContractTest, AMessageThatHasBegunIsNotDroppedHere) {
  Add(kA, 100, Lifetime(50));
  Front();
  queue_.Take(10);
  EXPECT_TRUE(Front(60));
  EXPECT_EQ(metrics_.messages_abandoned, 0u);
}

// RFC 3758 §3.3.1: a peer without FORWARD TSN gets everything.
TEST_F(SendQueueContractTest, FullReliabilityIgnoresLifetimes) {
  Add(kA, 100, Lifetime(50));
  EXPECT_TRUE(queue_.Front(At(1000000), Reliability::kFull));
}

TEST_F(SendQueueContractTest, ALifetimeOfZeroIsOverAtOnce) {
  Add(kA, 100, Lifetime(0));
  EXPECT_FALSE(Front(0));
}

// RFC 3758 §3.5 A3.
TEST_F(SendQueueContractTest, DropsTheRestOfAMessageThatHasBegun) {
  Add(kA, 100);
  Add(kA, 5);
  const Fragment fragment = (Front(), queue_.Take(30));
  queue_.DropRest(fragment.message);
  EXPECT_EQ(queue_.buffered_amount(kA), 5u);
  const auto next = Front();
  ASSERT_TRUE(next);
  EXPECT_EQ(queue_.message(*next).size(), 5u);
  // The message itself stays until it is released.
  EXPECT_EQ(queue_.room(), 10000u - 105);
  queue_.Release(fragment.message);
  EXPECT_EQ(queue_.room(), 10000u - 5);
}

TEST_F(SendQueueContractTest, HasNoRestToDropOfAMessageThatIsInFragmentsWhole) {
  Add(kA, 100);
  const Fragment fragment = TakeMessage();
  Add(kA, 5);
  Front();
  queue_.DropRest(fragment.message);
  EXPECT_EQ(queue_.buffered_amount(kA), 5u);
  EXPECT_TRUE(Front());
}

// ---- stream sequence numbers

TEST_F(SendQueueContractTest, CountsSsnsPerStream) {
  EXPECT_EQ(NextSsn(kA), Ssn(0));
  EXPECT_EQ(NextSsn(kA), Ssn(1));
  EXPECT_EQ(NextSsn(kB), Ssn(0));
  EXPECT_EQ(NextSsn(kA), Ssn(2));
}

TEST_F(SendQueueContractTest, UnorderedMessagesTakeNoSsn) {
  EXPECT_EQ(NextSsn(kA), Ssn(0));
  Add(kA, 1, Unordered());
  Deliver();
  EXPECT_EQ(NextSsn(kA), Ssn(1));
}

TEST_F(SendQueueContractTest, AMessageInPiecesTakesOneSsn) {
  Add(kA, 10);
  const Fragment fragment = (Front(), queue_.Take(5));
  queue_.Take(5);
  EXPECT_EQ(queue_.message(fragment.message).ssn(), Ssn(0));
  EXPECT_EQ(NextSsn(kA), Ssn(1));
}

TEST_F(SendQueueContractTest, C19_SsnsWrap) {
  Consume(kA, 65534);
  EXPECT_EQ(NextSsn(kA), Ssn(65534));
  EXPECT_EQ(NextSsn(kA), Ssn(65535));
  EXPECT_EQ(NextSsn(kA), Ssn(0));
  EXPECT_EQ(NextSsn(kA), Ssn(1));
}

// RFC 9260 §6.1: two messages with the same SSN are never outstanding together.
TEST_F(SendQueueContractTest, WaitsBeforeAnSsnWouldBeOutstandingTwice) {
  SendQueue large(1 << 20, Policy::kRoundRobin, metrics_);
  std::vector<MessageHandle> outstanding;
  const auto send = [&](const SendOptions& options) {
    large.Add(At(0), MakeMessage(1, 1), options);
    const auto front = large.Front(At(0), Reliability::kFull);
    if (front) outstanding.push_back(large.Take(1).message);
    return front.has_value();
  };
  for (int i = 0; i < 65535; ++i) ASSERT_TRUE(send({}));
  EXPECT_FALSE(send({}));
  large.Release(outstanding.front());
  ASSERT_TRUE(large.Front(At(0), Reliability::kFull));
  EXPECT_EQ(large.message(large.Take(1).message).ssn(), Ssn(65535));
  // An unordered message has no SSN to be mistaken.
  EXPECT_TRUE(send(Unordered()));
}

// ---- reset

TEST_F(SendQueueContractTest, AnIdleStreamIsDrainedAtOnce) {
  queue_.BeginReset(kA);
  EXPECT_TRUE(queue_.is_resetting(kA));
  EXPECT_FALSE(queue_.is_resetting(kB));
  EXPECT_EQ(queue_.PopDrained(), kA);
  EXPECT_FALSE(queue_.PopDrained());
}

TEST_F(SendQueueContractTest, AStreamIsDrainedWhenItsLastMessageIsReleased) {
  Add(kA, 10);
  Add(kA, 10);
  queue_.BeginReset(kA);
  EXPECT_FALSE(queue_.PopDrained());
  const Fragment first = TakeMessage();
  const Fragment second = TakeMessage();
  EXPECT_FALSE(queue_.PopDrained());
  queue_.Release(second.message);
  EXPECT_FALSE(queue_.PopDrained());
  queue_.Release(first.message);
  EXPECT_EQ(queue_.PopDrained(), kA);
  EXPECT_FALSE(queue_.PopDrained());
}

TEST_F(SendQueueContractTest, AStreamIsDrainedWhenItsLastMessageExpires) {
  Add(kA, 10, Lifetime(50));
  queue_.BeginReset(kA);
  EXPECT_FALSE(Front(60));
  EXPECT_EQ(queue_.PopDrained(), kA);
}

TEST_F(SendQueueContractTest, BeginningAResetTwiceDrainsOnce) {
  queue_.BeginReset(kA);
  queue_.BeginReset(kA);
  EXPECT_EQ(queue_.PopDrained(), kA);
  EXPECT_FALSE(queue_.PopDrained());
}

// RFC 6525 §5.2.7 H4.
TEST_F(SendQueueContractTest, APerformedResetBeginsAtSsnZero) {
  Consume(kA, 5);
  Consume(kB, 3);
  queue_.BeginReset(kA);
  queue_.EndReset(kA, ResetResult::kPerformed);
  EXPECT_FALSE(queue_.is_resetting(kA));
  EXPECT_EQ(NextSsn(kA), Ssn(0));
  EXPECT_EQ(NextSsn(kB), Ssn(3));
}

TEST_F(SendQueueContractTest, AFailedResetGoesOnCounting) {
  Consume(kA, 5);
  queue_.BeginReset(kA);
  queue_.EndReset(kA, ResetResult::kFailed);
  EXPECT_FALSE(queue_.is_resetting(kA));
  EXPECT_EQ(NextSsn(kA), Ssn(5));
}

TEST_F(SendQueueContractTest, AResetKeepsTheLowThreshold) {
  queue_.SetLowThreshold(kA, 60);
  queue_.BeginReset(kA);
  queue_.EndReset(kA, ResetResult::kPerformed);
  Add(kA, 100);
  Front();
  queue_.Take(50);
  EXPECT_EQ(LowStreams(), Low{1});
}

TEST_F(SendQueueContractTest, EndingAResetThatNeverBeganChangesNothing) {
  Consume(kA, 2);
  queue_.EndReset(kA, ResetResult::kPerformed);
  queue_.EndReset(kB, ResetResult::kPerformed);
  EXPECT_EQ(NextSsn(kA), Ssn(2));
}

TEST_F(SendQueueContractTest, AStreamCanBeResetAgain) {
  for (int round = 0; round < 3; ++round) {
    Consume(kA, 4);
    queue_.BeginReset(kA);
    EXPECT_EQ(queue_.PopDrained(), kA);
    queue_.EndReset(kA, ResetResult::kPerformed);
  }
  EXPECT_EQ(NextSsn(kA), Ssn(0));
}

// ---- fewer streams, and starting anew

// RFC 9260 §5.1.1.
TEST_F(SendQueueContractTest, DropsTheStreamsThatThePeerDoesNotAllow) {
  Add(StreamId(0), 10);
  Add(StreamId(5), 100);
  Add(StreamId(5), 100);
  Add(StreamId(4), 7);
  Add(StreamId(65534), 100);
  queue_.DropStreamsFrom(5);
  EXPECT_EQ(queue_.total_buffered_amount(), 17u);
  EXPECT_EQ(queue_.buffered_amount(StreamId(5)), 0u);
  EXPECT_EQ(metrics_.messages_abandoned, 3u);
  EXPECT_EQ(queue_.room(), 10000u - 17);
  EXPECT_EQ(TakeMessage().length, 10u);
  EXPECT_EQ(TakeMessage().length, 7u);
  EXPECT_FALSE(Front());
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SendQueueContractTest, DroppingNoStreamChangesNothing) {
  Add(kA, 10);
  Front();
  queue_.DropStreamsFrom(65535);
  EXPECT_EQ(queue_.buffered_amount(kA), 10u);
  EXPECT_EQ(TakeMessage().length, 10u);
}

TEST_F(SendQueueContractTest, ClearingForgetsEverything) {
  queue_.SetLowThreshold(kA, 5);
  Consume(kA, 3);
  Add(kA, 10);
  TakeMessage();
  Add(kB, 10);
  Front();
  queue_.BeginReset(StreamId(9));
  queue_.Clear();
  EXPECT_TRUE(queue_.empty());
  EXPECT_TRUE(queue_.is_idle());
  EXPECT_EQ(queue_.total_buffered_amount(), 0u);
  EXPECT_FALSE(Front());
  EXPECT_FALSE(queue_.PopLowStream());
  EXPECT_FALSE(queue_.PopDrained());
  EXPECT_FALSE(queue_.is_resetting(StreamId(9)));
  // A restarted association counts from zero.
  EXPECT_EQ(NextSsn(kA), Ssn(0));
}

}  // namespace
}  // namespace jsp::sctp
