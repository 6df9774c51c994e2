#include "ice/consent.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Action = Consent::Action;
using Cause = Consent::Cause;

class ConsentTest : public testing::Test {
 protected:
  Rng rng_ = Rng::FromNumber(1);
};

TEST_F(ConsentTest, DoesNothingUntilStartedAndAfterStopped) {
  Consent consent{Options{}};
  consent.HandleGranted(At(0s));
  consent.HandleReceived(At(0s));
  EXPECT_EQ(consent.NextTimeout(), Timestamp::Never());
  consent.Start(At(0s), At(0s), rng_);
  EXPECT_TRUE(consent.IsRunning());
  consent.Stop();
  EXPECT_EQ(consent.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(consent.PopDue(At(100s), Cause::kTime, rng_));
}

TEST_F(ConsentTest, DrawsIntervalsFromFourToSixSeconds) {  // RFC 7675 §5.1
  Consent consent{Options{}};
  consent.Start(At(0s), At(0s), rng_);
  Timestamp last = At(0s);
  Duration sum{};
  for (int i = 0; i < 1000; ++i) {
    const Timestamp due = consent.NextTimeout();
    ASSERT_EQ(consent.PopDue(due, Cause::kTime, rng_), Action::kSendRequest);
    EXPECT_GE(due - last, 4s);
    EXPECT_LE(due - last, 6s);
    sum += due - last;
    last = due;
    consent.HandleGranted(due);
    consent.HandleReceived(due);
  }
  // Uniform over 4 to 6 s: the mean of 1,000 has a standard deviation of 18 ms.
  EXPECT_NEAR(static_cast<double>(sum.count()) / 1000, 5e6, 1e5);
}

TEST_F(ConsentTest, ExpiresThirtySecondsAfterTheLastGrant) {  // RFC 7675 §5.1
  Consent consent{Options{}};
  consent.Start(At(0s), At(0s), rng_);
  consent.HandleGranted(At(7s));
  Timestamp expired;
  for (Timestamp now = At(0s); expired == Timestamp::Never(); now = consent.NextTimeout()) {
    while (const auto action = consent.PopDue(now, Cause::kTime, rng_)) {
      if (action == Action::kExpire) expired = now;
    }
    ASSERT_LT(now, At(60s));
  }
  EXPECT_EQ(expired, At(37s));
}

// An owner that is late first says what has arrived.
TEST_F(ConsentTest, InputDoesNotEndWhatTimeAloneEnds) {  // RFC 7675 §5.1
  Consent consent{Options{}};
  consent.Start(At(0s), At(0s), rng_);
  EXPECT_FALSE(consent.HasExpired(At(29s)));
  EXPECT_TRUE(consent.HasExpired(At(30s)));
  EXPECT_FALSE(consent.PopDue(At(31s), Cause::kInput, rng_)) << "nor is anything else asked for";
  EXPECT_LE(consent.NextTimeout(), At(30s));
  consent.HandleGranted(At(31s));
  EXPECT_FALSE(consent.HasExpired(At(31s)));
  EXPECT_EQ(consent.PopDue(At(31s), Cause::kTime, rng_), Action::kSendRequest);
  EXPECT_EQ(consent.PopDue(At(61s), Cause::kTime, rng_), Action::kExpire);
}

TEST_F(ConsentTest, CountsFromTheLastSuccessOfThePairNotFromItsSelection) {
  Consent consent{Options{}};
  consent.Start(At(10s), At(5s), rng_);
  for (Timestamp now = consent.NextTimeout(); now < At(35s); now = consent.NextTimeout()) {
    while (const auto action = consent.PopDue(now, Cause::kTime, rng_)) EXPECT_NE(action, Action::kExpire);
  }
  EXPECT_EQ(consent.NextTimeout(), At(35s));
}

TEST_F(ConsentTest, TellsSilenceOnceAndAgainAfterTraffic) {
  Consent consent{Options{.consent_interval = 100s}};
  consent.Start(At(0s), At(0s), rng_);
  EXPECT_EQ(consent.NextTimeout(), At(10s));
  EXPECT_EQ(consent.PopDue(At(10s), Cause::kTime, rng_), Action::kDisconnect);
  EXPECT_FALSE(consent.PopDue(At(11s), Cause::kTime, rng_));
  consent.HandleGranted(At(12s));
  consent.HandleReceived(At(12s));
  consent.HandleSent(At(12s));
  EXPECT_EQ(consent.PopDue(At(22s), Cause::kTime, rng_), Action::kDisconnect);
}

// Traffic of the peer says that its packets arrive, and nothing of ours.
TEST_F(ConsentTest, UnansweredItAsksForACheckHalfwayAndIsDisconnectedAfterTwoThirds) {
  Consent consent{Options{}};
  consent.Start(At(0s), At(0s), rng_);
  std::vector<std::pair<Action, Timestamp>> told;
  for (Timestamp now = At(0s); now <= At(30s); now = now + std::chrono::milliseconds(100)) {
    consent.HandleReceived(now);
    while (const auto action = consent.PopDue(now, Cause::kTime, rng_)) {
      if (*action != Action::kSendRequest) told.emplace_back(*action, now);
    }
  }
  const std::vector<std::pair<Action, Timestamp>> wanted{
      {Action::kCheck, At(15s)}, {Action::kDisconnect, At(20s)}, {Action::kExpire, At(30s)}};
  EXPECT_EQ(told, wanted);
  EXPECT_FALSE(consent.IsAnswered(At(20s)));
  consent.HandleGranted(At(20s));
  EXPECT_TRUE(consent.IsAnswered(At(20s)));
}

TEST_F(ConsentTest, KeepsAliveAfterFifteenSecondsWithoutSending) {  // RFC 8445 §11
  Consent consent{Options{.consent_interval = 0s}};
  consent.Start(At(0s), At(0s), rng_);
  EXPECT_EQ(consent.NextTimeout(), At(15s));
  EXPECT_FALSE(consent.PopDue(At(14s), Cause::kTime, rng_));
  consent.HandleSent(At(14s));
  EXPECT_FALSE(consent.PopDue(At(28s), Cause::kTime, rng_));
  EXPECT_EQ(consent.PopDue(At(29s), Cause::kTime, rng_), Action::kSendKeepalive);
  EXPECT_FALSE(consent.PopDue(At(29s), Cause::kTime, rng_));
  EXPECT_EQ(consent.NextTimeout(), At(44s));
}

TEST_F(ConsentTest, AsksWhenThePeerDoesOnceFourSecondsHavePassed) {  // RFC 7675 §5.1
  for (int i = 0; i < 100; ++i) {
    Consent consent{Options{}};
    consent.Start(At(0s), At(0s), rng_);
    const Timestamp drawn = consent.NextTimeout();
    consent.HandleAsked(At(3999ms));
    EXPECT_EQ(consent.NextTimeout(), drawn) << "never more often than every four seconds";
    consent.HandleAsked(At(4s));
    EXPECT_EQ(consent.PopDue(At(4s), Cause::kTime, rng_), Action::kSendRequest);
    EXPECT_GE(consent.NextTimeout(), At(8s));
    EXPECT_LE(consent.NextTimeout(), At(10s));
    consent.HandleAsked(At(4s));
    EXPECT_FALSE(consent.PopDue(At(4s), Cause::kTime, rng_)) << "once";
  }
}

TEST_F(ConsentTest, WithoutConsentChecksNobodyAsksAlong) {
  Consent consent{Options{.consent_interval = 0s}};
  consent.HandleAsked(At(0s));
  EXPECT_EQ(consent.NextTimeout(), Timestamp::Never());
  consent.Start(At(0s), At(0s), rng_);
  consent.HandleAsked(At(10s));
  EXPECT_EQ(consent.NextTimeout(), At(15s)) << "the keepalive";
}

// RFC 7675 §5.1: within 0.8 and 1.2 of the period, and yet together with the requests of other sessions.
TEST_F(ConsentTest, RequestsFallOnInstantsThatSessionsShare) {
  std::set<Timestamp> instants;
  for (int i = 0; i < 400; ++i) {
    Consent consent{Options{}};
    const Timestamp start = At(0s) + std::chrono::milliseconds(7 * i % 100);
    consent.Start(start, start, rng_);
    instants.insert(consent.NextTimeout());
    EXPECT_GE(consent.NextTimeout() - start, 4s);
    EXPECT_LE(consent.NextTimeout() - start, 6s);
  }
  EXPECT_LE(instants.size(), 22u);
  EXPECT_GE(instants.size(), 15u) << "they are still spread";
}

}  // namespace
}  // namespace jsp::ice
