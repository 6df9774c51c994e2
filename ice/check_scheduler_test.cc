#include "ice/check_scheduler.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

class CheckSchedulerTest : public testing::Test {
 protected:
  static AddressPair Path(int port) { return {Address("10.0.0.1:1"), Address("192.0.2.9:" + std::to_string(port))}; }
  void Add(int port, uint64_t priority) {
    CandidatePair pair;
    pair.addresses = Path(port);
    pair.priority = priority;
    pair.foundation = std::to_string(port);
    list_.Add(pair);
  }
  // What the agent does with a due check.
  int Next(Timestamp now) {
    const auto due = scheduler_.Next(now, list_);
    if (!due) return 0;
    list_.SetState(*list_.Find(due->pair), PairState::kInProgress);
    return due->pair.remote.port;
  }
  void SetUp() override { list_.Start(); }

  Checklist list_{10};
  CheckScheduler scheduler_{Options{.max_pairs = 10}};
};

TEST_F(CheckSchedulerTest, LetsTheFirstCheckLeaveAtOnceAndPacesTheRest) {  // RFC 8445 §6.1.4.2, §14.2
  EXPECT_EQ(scheduler_.NextTimeout(list_), Timestamp::Never());
  Add(1, 1);
  Add(2, 2);
  EXPECT_LE(scheduler_.NextTimeout(list_), At(0s));
  EXPECT_EQ(Next(At(0s)), 2);
  EXPECT_EQ(Next(At(0s)), 0);
  EXPECT_EQ(scheduler_.NextTimeout(list_), At(50ms));
  EXPECT_EQ(Next(At(49ms)), 0);
  EXPECT_EQ(Next(At(50ms)), 1);
  EXPECT_EQ(scheduler_.NextTimeout(list_), Timestamp::Never());
}

TEST_F(CheckSchedulerTest, SendsOneCheckPerSlotHoweverLateItIsAsked) {
  for (const int port : {1, 2, 3}) Add(port, 1);
  EXPECT_NE(Next(At(0s)), 0);
  EXPECT_NE(Next(At(10s)), 0);
  EXPECT_EQ(Next(At(10s)), 0);
}

TEST_F(CheckSchedulerTest, ServesTriggeredChecksFirstInOrder) {
  for (const int port : {1, 2, 3}) Add(port, static_cast<uint64_t>(10 * port));
  scheduler_.EnqueueTriggered(Path(1), list_);
  scheduler_.EnqueueTriggered(Path(2), list_);
  scheduler_.EnqueueTriggered(Path(1), list_);  // already there
  EXPECT_EQ(scheduler_.triggered(), 2u);
  EXPECT_EQ(Next(At(0ms)), 1);
  EXPECT_EQ(Next(At(50ms)), 2);
  EXPECT_EQ(Next(At(100ms)), 3);
}

TEST_F(CheckSchedulerTest, ForgetsPairsThatAreGone) {
  Add(1, 1);
  Add(2, 1);
  Add(3, 1);
  scheduler_.EnqueueTriggered(Path(1), list_);
  scheduler_.EnqueueTriggered(Path(2), list_);
  scheduler_.EnqueueTriggered(Path(3), list_);
  list_.Erase(Path(1));
  scheduler_.Remove(Path(2));
  EXPECT_EQ(Next(At(0s)), 3);
}

TEST_F(CheckSchedulerTest, I8_HoldsNoMoreTriggeredChecksThanThereArePairs) {
  for (int port = 1; port <= 1000; ++port) {
    Add(port, static_cast<uint64_t>(port));  // displaces the lowest
    scheduler_.EnqueueTriggered(Path(port), list_);
    ASSERT_LE(scheduler_.triggered(), 10u);
  }
}

TEST_F(CheckSchedulerTest, LetsTheNominationFollowCloselyAndFirst) {  // RFC 8445 §B.1, §14.2
  Add(1, 1);
  Add(2, 2);
  EXPECT_EQ(Next(At(0s)), 2);
  list_.SetValid(*list_.Find(Path(2)), Validity{});
  scheduler_.EnqueueTriggered(Path(1), list_);
  scheduler_.EnqueueNomination(Path(2));
  EXPECT_EQ(scheduler_.NextTimeout(list_), At(5ms));
  EXPECT_FALSE(scheduler_.Next(At(4ms), list_));
  const auto due = scheduler_.Next(At(5ms), list_);
  ASSERT_TRUE(due);
  EXPECT_TRUE(due->nominates);
  EXPECT_EQ(due->pair, Path(2));
  EXPECT_EQ(Next(At(54ms)), 0);  // Ta counts from it
  EXPECT_EQ(Next(At(55ms)), 1);
}

TEST_F(CheckSchedulerTest, DropsACancelledNomination) {
  Add(1, 1);
  list_.SetValid(*list_.Find(Path(1)), Validity{});
  scheduler_.EnqueueNomination(Path(1));
  scheduler_.CancelNomination();
  EXPECT_FALSE(scheduler_.Next(At(0s), list_));
  scheduler_.EnqueueNomination(Path(1));
  scheduler_.Clear();
  EXPECT_EQ(scheduler_.NextTimeout(list_), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::ice
