#include "ice/nomination.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

class NominationTest : public testing::Test {
 protected:
  CandidatePair& Add(int port, uint64_t priority) {
    CandidatePair pair;
    pair.addresses = {Address("10.0.0.1:1"), Address("192.0.2.9:" + std::to_string(port))};
    pair.priority = priority;
    pair.foundation = std::to_string(port);
    const AddressPair key = pair.addresses;
    list_.Add(std::move(pair));
    return *list_.Find(key);
  }
  void Validate(CandidatePair& pair) { list_.SetValid(pair, Validity{0, pair.priority, 1ms, At(0s)}); }
  void SetUp() override { list_.Start(); }

  Checklist list_{10};
};

TEST_F(NominationTest, SaysNothingWithoutAValidPair) {
  Nomination nomination{Options{}};
  Add(1, 1);
  EXPECT_FALSE(nomination.Choose(At(0s), list_));
  EXPECT_EQ(nomination.NextTimeout(), Timestamp::Never());
}

TEST_F(NominationTest, ChoosesTheBestPairAtOnceAndOnce) {  // RFC 8445 §8.1.1
  Nomination nomination{Options{}};
  CandidatePair& best = Add(1, 2);
  Add(2, 1);
  Validate(best);
  EXPECT_EQ(nomination.Choose(At(0s), list_), best.addresses);
  EXPECT_TRUE(nomination.HasChosen());
  EXPECT_FALSE(nomination.Choose(At(9s), list_));
  nomination.Reset();
  EXPECT_EQ(nomination.Choose(At(9s), list_), best.addresses);
}

TEST_F(NominationTest, ChoosesAnewUntilItsDeadline) {
  Options options;
  options.nomination.deadline = 60s;
  Nomination nomination{options};
  EXPECT_FALSE(nomination.Retry(At(0s))) << "nothing was chosen yet";
  CandidatePair& pair = Add(1, 2);
  Validate(pair);
  EXPECT_EQ(nomination.Choose(At(0s), list_), pair.addresses);
  EXPECT_TRUE(nomination.Retry(At(40s)));
  EXPECT_FALSE(nomination.HasChosen());
  EXPECT_EQ(nomination.Choose(At(40s), list_), pair.addresses);
  EXPECT_FALSE(nomination.Retry(At(60s))) << "counted from the first choice";
  EXPECT_TRUE(nomination.HasChosen());
}

TEST_F(NominationTest, WaitsForABetterPairUntilItsPatienceEnds) {  // RFC 8863 §4
  Nomination nomination{Options{}};
  Add(1, 2);
  CandidatePair& worse = Add(2, 1);
  Validate(worse);
  EXPECT_FALSE(nomination.Choose(At(0s), list_));
  EXPECT_EQ(nomination.NextTimeout(), At(500ms));
  EXPECT_FALSE(nomination.Choose(At(499ms), list_));
  EXPECT_EQ(nomination.Choose(At(500ms), list_), worse.addresses);
  EXPECT_EQ(nomination.NextTimeout(), Timestamp::Never());
}

TEST_F(NominationTest, StopsWaitingWhenTheBetterPairSucceedsOrFails) {
  for (const bool succeeds : {true, false}) {
    list_.Clear();
    Nomination nomination{Options{}};
    CandidatePair& better = Add(1, 2);
    CandidatePair& worse = Add(2, 1);
    Validate(worse);
    EXPECT_FALSE(nomination.Choose(At(0s), list_));
    succeeds ? Validate(better) : list_.Fail(better);
    EXPECT_EQ(nomination.Choose(At(10ms), list_), (succeeds ? better : worse).addresses);
  }
}

TEST_F(NominationTest, CountsPatienceFromTheFirstValidPair) {
  Nomination nomination{Options{}};
  Add(1, 3);
  CandidatePair& middle = Add(2, 2);
  CandidatePair& worse = Add(3, 1);
  Validate(worse);
  EXPECT_FALSE(nomination.Choose(At(0s), list_));
  Validate(middle);
  EXPECT_FALSE(nomination.Choose(At(400ms), list_));
  EXPECT_EQ(nomination.Choose(At(500ms), list_), middle.addresses);
}

TEST_F(NominationTest, IsMorePatientWithARelayedPair) {
  Nomination nomination{Options{}};
  Add(1, 2);
  CandidatePair& relayed = Add(2, 1);
  relayed.is_relayed = true;
  Validate(relayed);
  EXPECT_FALSE(nomination.Choose(At(0s), list_));
  EXPECT_EQ(nomination.NextTimeout(), At(2s));
  EXPECT_EQ(nomination.Choose(At(2s), list_), relayed.addresses);
}

TEST_F(NominationTest, AddsTheDelayThatWasAskedFor) {
  Nomination nomination{Options{.nomination = {.delay = 100ms}}};
  CandidatePair& best = Add(1, 1);
  Validate(best);
  EXPECT_FALSE(nomination.Choose(At(0s), list_));
  EXPECT_EQ(nomination.NextTimeout(), At(100ms));
  EXPECT_EQ(nomination.Choose(At(100ms), list_), best.addresses);
}

}  // namespace
}  // namespace jsp::ice
