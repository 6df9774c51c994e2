#include "ice/checklist.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Added = Checklist::Added;

CandidatePair Pair(int port, uint64_t priority, std::string foundation) {
  CandidatePair pair;
  pair.addresses = {Address("10.0.0.1:1"), Address("192.0.2.9:" + std::to_string(port))};
  pair.priority = priority;
  pair.foundation = std::move(foundation);
  return pair;
}
CandidatePair& At(Checklist& list, int port) { return *list.Find(Pair(port, 0, "").addresses); }
Validity ValidAt(Timestamp at, uint64_t priority = 1) { return Validity{0, priority, 10ms, at}; }

TEST(ChecklistTest, StartsWithTheBestPairOfEveryFoundation) {  // RFC 8445 §6.1.2.6
  Checklist list(10);
  for (const auto& [port, foundation] : {std::pair(1, "a"), {2, "b"}, {3, "a"}, {4, "b"}, {5, "c"}}) {
    EXPECT_EQ(list.Add(Pair(port, static_cast<uint64_t>(port), foundation)), Added::kInserted);
  }
  EXPECT_EQ(list.Count(PairState::kFrozen), 5u);
  list.Start();
  EXPECT_EQ(At(list, 3).state, PairState::kWaiting);
  EXPECT_EQ(At(list, 4).state, PairState::kWaiting);
  EXPECT_EQ(At(list, 5).state, PairState::kWaiting);
  EXPECT_EQ(At(list, 1).state, PairState::kFrozen);
  EXPECT_EQ(At(list, 2).state, PairState::kFrozen);
  EXPECT_TRUE(list.IsConsistent());
}

TEST(ChecklistTest, SetsLatePairsByTheRulesOfTrickleIce) {  // RFC 8838 §12
  Checklist list(10);
  list.Start();
  list.Add(Pair(1, 10, "a"));
  EXPECT_EQ(At(list, 1).state, PairState::kWaiting);  // rule 1: alone
  list.Add(Pair(2, 5, "a"));
  EXPECT_EQ(At(list, 2).state, PairState::kFrozen);  // rule 3
  list.Add(Pair(3, 20, "a"));
  EXPECT_EQ(At(list, 3).state, PairState::kWaiting);  // rule 1: topmost
  list.SetValid(At(list, 3), ValidAt(Timestamp::FromEpoch(1s)));
  list.Add(Pair(4, 1, "a"));
  EXPECT_EQ(At(list, 4).state, PairState::kWaiting);  // rule 2: the foundation succeeded
}

TEST(ChecklistTest, UnfreezesAFoundationOnSuccess) {  // RFC 8445 §7.2.5.3.3
  Checklist list(10);
  for (const int port : {1, 2, 3}) list.Add(Pair(port, 1, "a"));
  list.Add(Pair(4, 1, "b"));
  list.Add(Pair(5, 0, "b"));
  list.Start();
  list.SetValid(At(list, 1), ValidAt(Timestamp::FromEpoch(1s)));
  EXPECT_EQ(At(list, 2).state, PairState::kWaiting);
  EXPECT_EQ(At(list, 3).state, PairState::kWaiting);
  EXPECT_EQ(At(list, 5).state, PairState::kFrozen);
  EXPECT_TRUE(list.IsConsistent());
}

TEST(ChecklistTest, ThawsOnlyWhenNothingWaits) {  // RFC 8445 §6.1.4.2 step 2
  Checklist list(10);
  list.Add(Pair(1, 4, "a"));
  list.Add(Pair(2, 3, "a"));
  list.Add(Pair(3, 2, "a"));
  list.Start();
  list.ThawWhenIdle();
  EXPECT_EQ(list.Count(PairState::kFrozen), 2u);  // one waits
  list.SetState(At(list, 1), PairState::kInProgress);
  list.ThawWhenIdle();
  EXPECT_EQ(list.Count(PairState::kFrozen), 2u);  // its foundation is under way
  list.Fail(At(list, 1));
  list.ThawWhenIdle();
  EXPECT_EQ(At(list, 2).state, PairState::kWaiting);
  EXPECT_EQ(At(list, 3).state, PairState::kFrozen);
}

TEST(ChecklistTest, KeepsTheBetterOfTwoRedundantPairs) {  // RFC 8445 §6.1.2.4
  Checklist list(10);
  list.Add(Pair(1, 5, "a"));
  CandidatePair better = Pair(1, 9, "b");
  better.local = 3;
  EXPECT_EQ(list.Add(better), Added::kRedundant);
  EXPECT_EQ(At(list, 1).priority, 9u);
  EXPECT_EQ(At(list, 1).local, 3);
  EXPECT_EQ(At(list, 1).foundation, "b");
  EXPECT_EQ(list.Add(Pair(1, 7, "c")), Added::kRedundant);
  EXPECT_EQ(At(list, 1).priority, 9u);
  list.SetState(At(list, 1), PairState::kInProgress);  // RFC 8838 §10: what was checked stays as it is
  list.Add(Pair(1, 99, "d"));
  EXPECT_EQ(At(list, 1).priority, 9u);
  EXPECT_EQ(list.size(), 1u);
}

TEST(ChecklistTest, I8_MakesRoomByFailedPairsFirstAndThenTheLowest) {  // RFC 8445 §6.1.2.5, RFC 8838 §10
  Checklist list(3);
  list.Start();
  for (const int port : {1, 2, 3}) list.Add(Pair(port, static_cast<uint64_t>(port * 10), std::to_string(port)));
  EXPECT_EQ(list.Add(Pair(4, 5, "4")), Added::kNoRoom);  // lower than all
  list.Fail(At(list, 3));
  EXPECT_EQ(list.Add(Pair(4, 5, "4")), Added::kInserted);
  EXPECT_EQ(list.Find(Pair(3, 0, "").addresses), nullptr);
  EXPECT_EQ(list.Add(Pair(5, 100, "5")), Added::kInserted);
  EXPECT_EQ(list.Find(Pair(4, 0, "").addresses), nullptr);
  for (const int port : {1, 2, 5}) list.SetState(At(list, port), PairState::kInProgress);
  EXPECT_EQ(list.Add(Pair(6, 1000, "6")), Added::kNoRoom);  // what is under way stays
  EXPECT_TRUE(list.IsConsistent());
}

TEST(ChecklistTest, I8_ATriggeredPairMayDisplaceTheStalestValidOneButNotTheSelected) {
  Checklist list(3);
  list.Start();
  for (const int port : {1, 2, 3}) {
    list.Add(Pair(port, 1, std::to_string(port)));
    list.SetValid(At(list, port), ValidAt(Timestamp::FromEpoch(std::chrono::seconds(port))));
  }
  At(list, 1).is_selected = true;
  ASSERT_NE(list.AddTriggered(Pair(4, 1, "4")), nullptr);
  EXPECT_EQ(list.Find(Pair(2, 0, "").addresses), nullptr);
  EXPECT_EQ(At(list, 4).state, PairState::kWaiting);
  At(list, 3).is_nominated = true;
  EXPECT_EQ(list.AddTriggered(Pair(5, 1, "5")), nullptr);
  EXPECT_TRUE(list.IsConsistent());
}

TEST(ChecklistTest, KeepsOnlyValidPairsAfterANomination) {  // RFC 8445 §8.1.2
  Checklist list(10);
  for (const int port : {1, 2, 3, 4, 5}) list.Add(Pair(port, 1, std::to_string(port % 2)));
  list.Start();
  list.SetValid(At(list, 1), ValidAt(Timestamp::FromEpoch(1s)));
  list.SetState(At(list, 2), PairState::kInProgress);
  list.Fail(At(list, 3));
  list.KeepOnlyValid();
  EXPECT_EQ(list.size(), 1u);
  EXPECT_FALSE(list.HasPending());
  EXPECT_TRUE(list.IsConsistent());
}

TEST(ChecklistTest, KnowsTheBestValidPairAndWhetherABetterOneIsPending) {
  Checklist list(10);
  for (const int port : {1, 2, 3}) list.Add(Pair(port, static_cast<uint64_t>(port), std::to_string(port)));
  list.Start();
  EXPECT_EQ(list.BestValid(), nullptr);
  EXPECT_EQ(list.HighestWaiting(), &At(list, 3));
  list.SetValid(At(list, 1), ValidAt(Timestamp::FromEpoch(1s), 7));
  list.SetValid(At(list, 2), ValidAt(Timestamp::FromEpoch(1s), 5));
  EXPECT_EQ(list.BestValid(), &At(list, 1));  // by the priority of the valid pair
  EXPECT_TRUE(list.HasPendingBetterThan(At(list, 1)));
  list.SetState(At(list, 3), PairState::kInProgress);
  EXPECT_TRUE(list.HasPendingBetterThan(At(list, 1)));
  list.Fail(At(list, 3));
  EXPECT_FALSE(list.HasPendingBetterThan(At(list, 1)));
  EXPECT_EQ(list.HighestWaiting(), nullptr);
}

TEST(ChecklistTest, WhatThePeerChecksDisplacesWhatHasBeenUnansweredLongest) {  // RFC 8445 §7.3.1.4
  Checklist list(3);
  for (int i = 1; i <= 3; ++i) {
    list.Add(Pair(i, static_cast<uint64_t>(10 - i), std::to_string(i)));
    list.SetState(At(list, i), PairState::kInProgress);
    At(list, i).checks.last_at = Timestamp::FromEpoch(Duration(i == 2 ? 1 : 5));
  }
  list.SetValid(At(list, 1), ValidAt(Timestamp::FromEpoch(Duration(0))));
  At(list, 1).is_selected = true;
  ASSERT_NE(list.AddTriggered(Pair(4, 1, "4")), nullptr);
  EXPECT_EQ(list.Find(Pair(2, 1, "2").addresses), nullptr);
  EXPECT_NE(list.Find(Pair(3, 1, "3").addresses), nullptr);
  At(list, 3).nominate_on_success = true;
  list.SetState(At(list, 4), PairState::kInProgress);
  ASSERT_NE(list.AddTriggered(Pair(5, 1, "5")), nullptr);
  EXPECT_EQ(list.Find(Pair(4, 1, "4").addresses), nullptr);
  EXPECT_EQ(list.AddTriggered(Pair(6, 1, "6")), nullptr) << "one in use, one nominated, one that waits";
}

TEST(ChecklistTest, AFailedPairIsNoLongerValidOrNominated) {
  Checklist list(2);
  list.Add(Pair(1, 1, "a"));
  list.SetValid(At(list, 1), ValidAt(Timestamp::FromEpoch(1s)));
  At(list, 1).is_nominated = true;
  list.Fail(At(list, 1));
  EXPECT_FALSE(At(list, 1).valid);
  EXPECT_FALSE(At(list, 1).is_nominated);
  EXPECT_EQ(list.BestValid(), nullptr);
}

TEST(ChecklistTest, StaysConsistentUnderRandomCommands) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    Checklist list(1 + rng.Below(8));
    for (int i = 0; i < 200; ++i) {
      const int port = static_cast<int>(1 + rng.Below(12));
      CandidatePair pair = Pair(port, rng.Below(50), std::to_string(rng.Below(3)));
      CandidatePair* known = list.Find(pair.addresses);
      switch (rng.Below(8)) {
        case 0:
          list.Start();
          break;
        case 1:
          if (known == nullptr) list.AddTriggered(pair);
          break;
        case 2:
          if (known != nullptr) list.SetValid(*known, ValidAt(Timestamp::FromEpoch(Duration(i))));
          break;
        case 3:
          if (known != nullptr) list.Fail(*known);
          break;
        case 4:
          if (known != nullptr && !known->valid) list.SetState(*known, PairState::kInProgress);
          break;
        case 5:
          list.ThawWhenIdle();
          break;
        case 6:
          if (rng.Below(10) == 0) list.KeepOnlyValid();
          if (rng.Below(20) == 0) list.Clear();
          break;
        default:
          list.Add(pair);
      }
      ASSERT_TRUE(list.IsConsistent()) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace jsp::ice
