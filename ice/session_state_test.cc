#include "ice/session_state.h"

#include <gtest/gtest.h>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

class SessionStateTest : public testing::Test {
 protected:
  EventQueue<Event> events_;
  SessionState session_{Options{}, events_};
};

TEST_F(SessionStateTest, TellsEveryChangeOnce) {
  session_.Start(At(0s));
  session_.Enter(State::kConnected, StateReason::kFirstValidPair);
  session_.Enter(State::kConnected, StateReason::kTrafficResumed);
  EXPECT_EQ(events_.size(), 2u);
  EXPECT_EQ(session_.state(), State::kConnected);
}

TEST_F(SessionStateTest, LeavesFailureOnlyForClosed) {
  session_.Start(At(0s));
  session_.Enter(State::kFailed, StateReason::kConsentExpired);
  session_.Enter(State::kConnected, StateReason::kTrafficResumed);
  EXPECT_EQ(session_.state(), State::kFailed);
  EXPECT_TRUE(session_.IsOver());
  session_.Enter(State::kClosed, StateReason::kClosedLocally);
  session_.Enter(State::kFailed, StateReason::kConsentExpired);
  EXPECT_EQ(session_.state(), State::kClosed);
}

TEST_F(SessionStateTest, IsPatientFromTheDescriptionWhenAllCandidatesAreTold) {  // RFC 8863 §4
  session_.Start(At(0s));
  session_.HandleCandidate(At(20s));
  session_.EndLocal();
  session_.EndRemote();
  EXPECT_EQ(session_.NextTimeout(), At(39500ms));
  EXPECT_EQ(session_.FindFailure(At(39499ms), 0), std::nullopt);
  EXPECT_EQ(session_.FindFailure(At(39500ms), 0), StateReason::kNoCandidatePairs);
  EXPECT_EQ(session_.FindFailure(At(39500ms), 3), StateReason::kAllPairsFailed);
}

TEST_F(SessionStateTest, IsPatientFromTheLastCandidateElse) {  // RFC 8838 §8
  session_.Start(At(0s));
  session_.EndLocal();
  session_.HandleCandidate(At(20s));
  EXPECT_EQ(session_.NextTimeout(), At(59500ms));
  session_.EndRemote();
  EXPECT_EQ(session_.NextTimeout(), At(39500ms));
}

TEST_F(SessionStateTest, DoesNotFailBeforeOrAfterChecking) {
  EXPECT_EQ(session_.FindFailure(At(1000s), 0), std::nullopt);
  EXPECT_EQ(session_.NextTimeout(), Timestamp::Never());
  session_.Start(At(0s));
  session_.Enter(State::kConnected, StateReason::kFirstValidPair);
  EXPECT_EQ(session_.FindFailure(At(1000s), 0), std::nullopt);
  EXPECT_EQ(session_.NextTimeout(), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::ice
