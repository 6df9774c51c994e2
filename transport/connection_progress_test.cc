#include "transport/connection_progress.h"

#include <gtest/gtest.h>

namespace jsp::transport {
namespace {

using std::chrono::milliseconds;

constexpr Timestamp kStart = Timestamp::FromEpoch(milliseconds(1000));

TEST(ConnectionProgressTest, IsConnectedOnlyWhenDataCanFlow) {
  ConnectionProgress progress(kStart);
  EXPECT_EQ(progress.HandleIce(kStart, ice::State::kChecking, ice::StateReason::kRemoteDescriptionSet)->state,
            ConnectionState::kChecking);
  EXPECT_FALSE(progress.HandleIce(kStart + milliseconds(5), ice::State::kConnected, ice::StateReason::kFirstValidPair));
  EXPECT_EQ(progress.HandleSctpConnected(kStart + milliseconds(9))->state, ConnectionState::kConnected);
  EXPECT_EQ(progress.HandleIce(kStart, ice::State::kCompleted, ice::StateReason::kNominated)->state,
            ConnectionState::kCompleted);
  EXPECT_EQ(progress.timings().ice_connected, milliseconds(5));
  EXPECT_EQ(progress.timings().sctp_connected, milliseconds(9));
}

TEST(ConnectionProgressTest, GoesStraightToCompletedWhenNominationWasFirst) {
  ConnectionProgress progress(kStart);
  (void)progress.HandleIce(kStart, ice::State::kCompleted, ice::StateReason::kNominated);
  EXPECT_EQ(progress.HandleSctpConnected(kStart)->state, ConnectionState::kCompleted);
}

TEST(ConnectionProgressTest, RecoversFromDisconnected) {
  ConnectionProgress progress(kStart);
  (void)progress.HandleIce(kStart, ice::State::kCompleted, ice::StateReason::kNominated);
  (void)progress.HandleSctpConnected(kStart);
  EXPECT_EQ(progress.HandleIce(kStart, ice::State::kDisconnected, ice::StateReason::kNoTrafficFromPeer)->state,
            ConnectionState::kDisconnected);
  EXPECT_EQ(progress.HandleIce(kStart, ice::State::kCompleted, ice::StateReason::kTrafficResumed)->state,
            ConnectionState::kCompleted);
}

TEST(ConnectionProgressTest, FailedAndClosedAreFinalAndKeepTheFirstReason) {
  ConnectionProgress progress(kStart);
  EXPECT_EQ(progress.HandleFailure("fingerprint mismatch")->reason, "fingerprint mismatch");
  EXPECT_FALSE(progress.HandleClosed("closed locally"));
  EXPECT_FALSE(progress.HandleIce(kStart, ice::State::kConnected, ice::StateReason::kFirstValidPair));
  EXPECT_EQ(progress.state(), ConnectionState::kFailed);
  EXPECT_EQ(progress.reason(), "fingerprint mismatch");
}

TEST(ConnectionProgressTest, P11_AStalledPathKeepsTheStateAndChangesItsReason) {  // RFC 8899 §5.2, ERROR
  ConnectionProgress progress(kStart);
  (void)progress.HandleIce(kStart, ice::State::kConnected, ice::StateReason::kFirstValidPair);
  (void)progress.HandleSctpConnected(kStart);
  const auto stalled = progress.HandlePathStalled(573);
  ASSERT_TRUE(stalled);
  EXPECT_EQ(stalled->state, ConnectionState::kConnected);
  EXPECT_EQ(stalled->reason, progress.reason());
  EXPECT_TRUE(progress.reason().starts_with("stalled: the path carries small packets but none of 573 octets"));
  EXPECT_TRUE(progress.HandlePathRecovered(1432));
  EXPECT_EQ(progress.reason(), "the path carries packets again, of 1432 octets of SCTP");
  (void)progress.HandleClosed("closed locally");
  EXPECT_FALSE(progress.HandlePathStalled(573));
}

TEST(ConnectionProgressTest, NotesOnlyTheFirstTimeOfAStep) {
  ConnectionProgress progress(kStart);
  progress.HandleFirstCheck(kStart + milliseconds(3));
  progress.HandleFirstCheck(kStart + milliseconds(8));
  EXPECT_EQ(progress.timings().first_check, milliseconds(3));
}

}  // namespace
}  // namespace jsp::transport
