#include "sctp/tx/stream_scheduler.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

using Policy = StreamScheduler::Policy;

// What SendQueue does: it counts the messages of each stream and tells the scheduler.
class Queues {
 public:
  explicit Queues(Policy policy) : scheduler_(policy) {}
  void Queue(int id) {
    const auto stream = static_cast<uint16_t>(id);
    scheduler_.MessageQueued(StreamId(stream), ++waiting_[stream]);
  }
  // The stream whose message went out, -1 when none waits.
  int Send() {
    const auto next = scheduler_.Next();
    if (!next) return -1;
    scheduler_.MessageDone(*next, 1, --waiting_[next->value]);
    return next->value;
  }
  std::vector<int> SendAll() {
    std::vector<int> order;
    for (int stream = Send(); stream >= 0; stream = Send()) order.push_back(stream);
    return order;
  }
  void Remove(uint16_t stream) {
    waiting_.erase(stream);
    scheduler_.Remove(StreamId(stream));
  }
  StreamScheduler& scheduler() { return scheduler_; }

 private:
  StreamScheduler scheduler_;
  std::map<uint16_t, size_t> waiting_;
};

using Order = std::vector<int>;

TEST(StreamSchedulerTest, HasNoTurnToGiveWhenNothingWaits) {
  EXPECT_FALSE(StreamScheduler(Policy::kRoundRobin).Next());
  EXPECT_FALSE(StreamScheduler(Policy::kFirstComeFirstServed).Next());
}

TEST(StreamSchedulerTest, FirstComeFirstServedKeepsTheOrderOfSends) {
  Queues queues(Policy::kFirstComeFirstServed);
  for (const int stream : {3, 3, 1, 3, 2, 1}) queues.Queue(stream);
  EXPECT_EQ(queues.SendAll(), (Order{3, 3, 1, 3, 2, 1}));
}

TEST(StreamSchedulerTest, RoundRobinGivesEachStreamOneMessageInTurn) {
  Queues queues(Policy::kRoundRobin);
  for (const int stream : {3, 3, 3, 1, 2, 1}) queues.Queue(stream);
  EXPECT_EQ(queues.SendAll(), (Order{3, 1, 2, 3, 1, 3}));
}

// RFC 9260 §6.9: fragments of a message have consecutive TSNs, so a turn does not end within a message.
TEST(StreamSchedulerTest, ATurnLastsUntilTheMessageIsDone) {
  Queues queues(Policy::kRoundRobin);
  queues.Queue(5);
  for (uint16_t stream = 0; stream < 5; ++stream) {
    queues.Queue(stream);
    EXPECT_EQ(queues.scheduler().Next(), StreamId(5));
  }
  EXPECT_EQ(queues.Send(), 5);
  EXPECT_EQ(queues.scheduler().Next(), StreamId(0));
}

TEST(StreamSchedulerTest, AStreamThatRanEmptyQueuesUpAgainAtTheEnd) {
  Queues queues(Policy::kRoundRobin);
  queues.Queue(1);
  queues.Queue(2);
  queues.Queue(2);
  EXPECT_EQ(queues.Send(), 1);
  queues.Queue(1);
  EXPECT_EQ(queues.SendAll(), (Order{2, 1, 2}));
}

TEST(StreamSchedulerTest, ABusyStreamDoesNotStarveAnother) {
  Queues queues(Policy::kRoundRobin);
  for (int i = 0; i < 1000; ++i) queues.Queue(1);
  queues.Queue(2);
  EXPECT_EQ(queues.Send(), 1);
  EXPECT_EQ(queues.Send(), 2);
}

TEST(StreamSchedulerTest, RemovingAStreamTakesAllItsTurns) {
  for (const Policy policy : {Policy::kRoundRobin, Policy::kFirstComeFirstServed}) {
    Queues queues(policy);
    for (const int stream : {1, 2, 1, 3, 1}) queues.Queue(stream);
    queues.Remove(1);
    EXPECT_EQ(queues.SendAll(), (Order{2, 3}));
  }
}

TEST(StreamSchedulerTest, ClearingTakesAllTurns) {
  Queues queues(Policy::kRoundRobin);
  queues.Queue(1);
  queues.Queue(2);
  queues.scheduler().Clear();
  EXPECT_FALSE(queues.scheduler().Next());
}

// The same as the plainest description of both policies, under random commands.
TEST(StreamSchedulerTest, AgreesWithAListOfMessages) {
  for (const Policy policy : {Policy::kRoundRobin, Policy::kFirstComeFirstServed}) {
    Rng rng = Rng::FromNumber(3);
    Queues queues(policy);
    std::deque<int> turns;
    std::map<int, int> waiting;
    for (int step = 0; step < 20000; ++step) {
      if (rng.Below(100) < 49) {
        const auto stream = static_cast<uint16_t>(rng.Below(40));
        queues.Queue(stream);
        if (++waiting[stream] == 1 || policy == Policy::kFirstComeFirstServed) turns.push_back(stream);
        continue;
      }
      const int expected = turns.empty() ? -1 : turns.front();
      ASSERT_EQ(queues.Send(), expected);
      if (turns.empty()) continue;
      turns.pop_front();
      if (--waiting[expected] > 0 && policy == Policy::kRoundRobin) turns.push_back(expected);
    }
  }
}

// Octets that each of two saturated streams got of 1,000 turns of these sizes.
std::pair<size_t, size_t> Shares(StreamScheduler& scheduler, size_t first, size_t second) {
  scheduler.SetFraming(Framing::kIData);
  scheduler.MessageQueued(StreamId(1), 1);
  scheduler.MessageQueued(StreamId(2), 1);
  std::pair<size_t, size_t> octets{0, 0};
  for (int i = 0; i < 1000; ++i) {
    const bool is_first = scheduler.Next() == StreamId(1);
    (is_first ? octets.first : octets.second) += is_first ? first : second;
    scheduler.FragmentSent(is_first ? first : second);
  }
  return octets;
}

TEST(StreamSchedulerTest, WeightsShareOctets) {  // RFC 8260 §3.6, RFC 8831 §6.4
  StreamScheduler scheduler(Policy::kWeightedFair);
  scheduler.SetPriority(StreamId(2), 512);
  const auto [first, second] = Shares(scheduler, 1000, 1000);
  EXPECT_NEAR(static_cast<double>(second) / static_cast<double>(first), 2, 0.02);
}

TEST(StreamSchedulerTest, FairnessCountsOctetsNotTurns) {  // RFC 8260 §3.5, RFC 8260 §3.6
  StreamScheduler scheduler(Policy::kWeightedFair);
  const auto [first, second] = Shares(scheduler, 1200, 100);
  EXPECT_NEAR(static_cast<double>(second) / static_cast<double>(first), 1, 0.02);
}

TEST(StreamSchedulerTest, RoundRobinInterleavesFragments) {  // RFC 8260 §3.2
  StreamScheduler scheduler(Policy::kRoundRobin);
  const auto [first, second] = Shares(scheduler, 1000, 1000);
  EXPECT_EQ(first, second);
}

TEST(StreamSchedulerTest, FirstComeFirstServedInterleavesNothing) {  // RFC 8260 §3.1
  StreamScheduler scheduler(Policy::kFirstComeFirstServed);
  EXPECT_EQ(Shares(scheduler, 1000, 1000).second, 0u);
}

TEST(StreamSchedulerTest, ThePriorityGoesFirstAndEqualsTakeTurns) {  // RFC 8260 §3.4
  StreamScheduler scheduler(Policy::kPriority);
  scheduler.SetFraming(Framing::kIData);
  scheduler.SetPriority(StreamId(7), 1024);
  for (const uint16_t stream : std::initializer_list<uint16_t>{1, 2, 7}) scheduler.MessageQueued(StreamId(stream), 1);
  EXPECT_EQ(scheduler.Next(), StreamId(7));
  scheduler.FragmentSent(1000);
  EXPECT_EQ(scheduler.Next(), StreamId(7));
  scheduler.MessageDone(StreamId(7), 1000, 0);
  for (const uint16_t stream : std::initializer_list<uint16_t>{1, 2, 1, 2}) {
    EXPECT_EQ(scheduler.Next(), StreamId(stream));
    scheduler.FragmentSent(1000);
  }
}

TEST(StreamSchedulerTest, SilenceEarnsNoCredit) {
  StreamScheduler scheduler(Policy::kWeightedFair);
  scheduler.SetFraming(Framing::kIData);
  scheduler.MessageQueued(StreamId(1), 1);
  for (int i = 0; i < 1000; ++i) scheduler.FragmentSent(1000);
  scheduler.MessageQueued(StreamId(2), 1);
  int second = 0;
  for (int i = 0; i < 100; ++i) {
    second += scheduler.Next() == StreamId(2) ? 1 : 0;
    scheduler.FragmentSent(1000);
  }
  EXPECT_NEAR(second, 50, 1);
}

TEST(StreamSchedulerTest, WithoutInterleavingATurnIsAMessage) {  // RFC 9260 §6.9
  for (const Policy policy : {Policy::kRoundRobin, Policy::kWeightedFair, Policy::kPriority}) {
    StreamScheduler scheduler(policy);
    scheduler.MessageQueued(StreamId(1), 1);
    scheduler.MessageQueued(StreamId(2), 1);
    const auto turn = scheduler.Next();
    for (int i = 0; i < 50; ++i) {
      scheduler.FragmentSent(1000);
      EXPECT_EQ(scheduler.Next(), turn);
    }
    scheduler.MessageDone(*turn, 1000, 1);
    EXPECT_NE(scheduler.Next(), turn);
  }
}

TEST(StreamSchedulerTest, AMessageDroppedOutOfTurnTakesItsTurnWithIt) {
  for (const Policy policy :
       {Policy::kFirstComeFirstServed, Policy::kRoundRobin, Policy::kWeightedFair, Policy::kPriority}) {
    StreamScheduler scheduler(policy);
    scheduler.SetFraming(Framing::kIData);
    scheduler.MessageQueued(StreamId(1), 1);
    scheduler.MessageQueued(StreamId(2), 1);
    scheduler.MessageDone(StreamId(2), 0, 0);
    EXPECT_EQ(scheduler.Next(), StreamId(1));
    scheduler.MessageDone(StreamId(1), 1000, 0);
    EXPECT_FALSE(scheduler.Next());
  }
}

}  // namespace
}  // namespace jsp::sctp
