#include "ice/selection.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

class SelectionTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
    for (const int port : {1, 2, 3}) {
      Candidate remote = Host("192.0.2.9:" + std::to_string(port));
      remote.priority = static_cast<uint32_t>(port);
      ASSERT_TRUE(pairing_.AddRemote(remote));
    }
    session_.Start(At(0s));
    pairing_.Start(Role::kControlling);
  }
  CandidatePair& Pair(int port) {
    return *pairing_.checklist().Find({Address("10.0.0.1:1"), Address("192.0.2.9:" + std::to_string(port))});
  }
  CandidatePair& Valid(int port, Timestamp now) {
    pairing_.SetValid(Pair(port), Address("10.0.0.1:1"), 10ms, now);
    return Pair(port);
  }
  int Selected() const { return selection_.pair() ? selection_.pair()->remote.address.port : 0; }

  Options options_;
  Metrics metrics_;
  EventQueue<Event> events_;
  Rng rng_ = Rng::FromNumber(1);
  SessionState session_{options_, events_};
  Pairing pairing_{options_, metrics_};
  Selection selection_{options_, pairing_, session_, events_, rng_};
};

TEST_F(SelectionTest, SelectsTheFirstValidPairAndThenBetterOnes) {  // RFC 8445 §12.1
  EXPECT_EQ(Selected(), 0);
  selection_.HandleValid(At(0s), Valid(2, At(0s)));
  EXPECT_EQ(Selected(), 2);
  EXPECT_EQ(session_.state(), State::kConnected);
  selection_.HandleValid(At(0s), Valid(1, At(0s)));
  EXPECT_EQ(Selected(), 2);
  selection_.HandleValid(At(0s), Valid(3, At(0s)));
  EXPECT_EQ(Selected(), 3);
  EXPECT_TRUE(Pair(3).is_selected);
  EXPECT_FALSE(Pair(2).is_selected);
}

TEST_F(SelectionTest, StaysWhereTheNominationIsUnderWay) {
  selection_.HandleValid(At(0s), Valid(1, At(0s)));
  pairing_.checklist().Fail(Pair(2));
  pairing_.checklist().Fail(Pair(3));
  ASSERT_TRUE(selection_.ChooseNomination(At(0s)));
  selection_.HandleValid(At(1s), Valid(3, At(1s)));
  EXPECT_EQ(Selected(), 1);
}

TEST_F(SelectionTest, CompletesOnANomination) {  // RFC 8445 §8.1.2
  selection_.HandleValid(At(0s), Valid(1, At(0s)));
  selection_.HandleNominated(At(0s), Valid(2, At(0s)));
  EXPECT_EQ(Selected(), 2);
  EXPECT_TRUE(selection_.pair()->nominated);
  EXPECT_EQ(session_.state(), State::kCompleted);
  EXPECT_TRUE(pairing_.IsCompleted());
  EXPECT_FALSE(selection_.ChooseNomination(At(10s)));
  const size_t told = events_.size();
  selection_.HandleNominated(At(0s), Pair(2));  // a peer repeats itself
  EXPECT_EQ(events_.size(), told);
}

TEST_F(SelectionTest, FollowsNominationsOnlyUpwardsWhileThePairLives) {  // RFC 8445 §8.1.1
  Valid(1, At(0s));
  Valid(3, At(0s));
  selection_.HandleNominated(At(0s), Valid(2, At(0s)));
  selection_.HandleNominated(At(0s), Pair(1));
  EXPECT_EQ(Selected(), 2);
  selection_.HandleNominated(At(0s), Pair(3));
  EXPECT_EQ(Selected(), 3);
}

TEST_F(SelectionTest, LeavesASilentPairForOneThatAnswers) {
  Valid(1, At(0s));
  selection_.HandleNominated(At(0s), Valid(3, At(0s)));
  session_.Enter(State::kDisconnected, StateReason::kNoTrafficFromPeer);
  EXPECT_TRUE(selection_.IsSilent());
  selection_.HandleValid(At(12s), Valid(1, At(12s)));
  EXPECT_EQ(Selected(), 1);
  selection_.HandleGranted(At(12s), Pair(1).addresses);
  EXPECT_EQ(session_.state(), State::kCompleted);
}

TEST_F(SelectionTest, HearsOnlyTrafficOfTheSelectedPair) {
  Valid(2, At(0s));
  selection_.HandleNominated(At(0s), Valid(3, At(0s)));
  const AddressPair other = Pair(2).addresses;
  session_.Enter(State::kDisconnected, StateReason::kNoTrafficFromPeer);
  selection_.HandleTraffic(At(11s), other);
  EXPECT_TRUE(selection_.IsSilent());
  selection_.HandleTraffic(At(11s), Pair(3).addresses);
  EXPECT_FALSE(selection_.IsSilent());
}

TEST_F(SelectionTest, JudgesHowFreshAPairIs) {  // RFC 7675 §5.1
  Valid(1, At(0s));
  EXPECT_TRUE(selection_.IsFresh(At(4999ms), Pair(1)));
  EXPECT_FALSE(selection_.IsFresh(At(5s), Pair(1)));
  EXPECT_FALSE(selection_.IsFresh(At(0s), Pair(2)));
}

TEST_F(SelectionTest, ForgetsEverythingWhenStopped) {
  selection_.HandleValid(At(0s), Valid(1, At(0s)));
  selection_.Stop();
  EXPECT_EQ(Selected(), 0);
  EXPECT_FALSE(Pair(1).is_selected);
  EXPECT_EQ(selection_.NextTimeout(), Timestamp::Never());
}

TEST_F(SelectionTest, RefreshesTheTypeOfItsRemoteCandidate) {
  auto [pair, is_new] = pairing_.FindOrAdd({Address("10.0.0.1:1"), Address("192.0.2.9:7")}, 9);
  ASSERT_TRUE(is_new);
  selection_.HandleValid(At(0s), Valid(7, At(0s)));
  ASSERT_TRUE(pairing_.AddRemote(Relayed("192.0.2.9:7")));
  EXPECT_EQ(selection_.pair()->remote.type, CandidateType::kPeerReflexive);
  selection_.Refresh();
  EXPECT_EQ(selection_.pair()->remote.type, CandidateType::kRelayed);
}

}  // namespace
}  // namespace jsp::ice
