#include "ice/connectivity_check.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
#include "ice/stun_attributes.h"
namespace jsp::ice {
namespace {

class ConnectivityChecksTest : public testing::Test {
 protected:
  static AddressPair Path(int port) { return {Address("10.0.0.1:1"), Address("192.0.2.9:" + std::to_string(port))}; }
  static CheckPlan Plan(int port, CheckPurpose purpose = CheckPurpose::kCheck) {
    return {Path(port), purpose, {Role::kControlling, 7}, 99, 500ms};
  }
  void SetUp() override { checks_.SetCredentials(local_, remote_); }
  // Everything that is queued, as sent.
  std::vector<SentDatagram> Poll(Timestamp now) {
    std::vector<SentDatagram> sent;
    std::array<uint8_t, 1500> out;
    while (const auto transmit = checks_.PollTransmit(now, out)) {
      sent.push_back({now, transmit->path.local, transmit->path.remote, {out.begin(), out.begin() + transmit->size}});
    }
    return sent;
  }
  uint64_t Dropped(DropReason reason) { return metrics_.dropped[static_cast<size_t>(reason)]; }

  Rng rng_ = Rng::FromNumber(1);
  Credentials local_ = Credentials::Random(rng_);
  Credentials remote_ = Credentials::Random(rng_);
  Metrics metrics_;
  ConnectivityChecks checks_{Options{}, metrics_};
};

TEST_F(ConnectivityChecksTest, KnowsNoCredentialsAtFirst) {
  ConnectivityChecks fresh(Options{}, metrics_);
  EXPECT_FALSE(fresh.HasCredentials());
  EXPECT_TRUE(checks_.HasCredentials());
  EXPECT_TRUE(checks_.IsRemote(remote_));
  EXPECT_FALSE(checks_.IsRemote(local_));
}

TEST_F(ConnectivityChecksTest, SendsRetransmitsAndTimesOut) {  // RFC 8489 §6.2.1
  checks_.Start(At(0s), Plan(1), rng_);
  EXPECT_EQ(Poll(At(0s)).size(), 1u);
  EXPECT_EQ(checks_.NextTimeout(), At(500ms));
  EXPECT_FALSE(checks_.PopTimedOut(At(499ms)));
  EXPECT_TRUE(Poll(At(499ms)).empty());
  size_t sent = 1;
  while (sent < 7) {
    EXPECT_FALSE(checks_.PopTimedOut(checks_.NextTimeout()));
    sent += Poll(At(0s)).size();
  }
  EXPECT_EQ(checks_.NextTimeout(), At(39500ms));
  const auto timed_out = checks_.PopTimedOut(At(39500ms));
  ASSERT_TRUE(timed_out);
  EXPECT_EQ(timed_out->pair, Path(1));
  EXPECT_EQ(checks_.size(), 0u);
  EXPECT_EQ(checks_.NextTimeout(), Timestamp::Never());
  EXPECT_EQ(metrics_.checks_sent, 1u);
  EXPECT_EQ(metrics_.checks_retransmitted, 6u);
}

TEST_F(ConnectivityChecksTest, MatchesAnswersByTransaction) {
  checks_.Start(At(0s), Plan(1), rng_);
  checks_.Start(At(0s), Plan(2), rng_);
  const auto sent = Poll(At(3ms));
  ASSERT_EQ(sent.size(), 2u);
  const auto id = sent[1].View().transaction_id();
  ASSERT_NE(checks_.Find(id), nullptr);
  EXPECT_EQ(checks_.Find(id)->plan.pair, Path(2));
  EXPECT_EQ(checks_.Find(stun::TransactionId{}), nullptr);
  const CheckTransaction taken = checks_.Take(id);
  EXPECT_EQ(taken.sent_at, At(3ms));  // when it really left
  EXPECT_EQ(checks_.Find(id), nullptr);
  EXPECT_EQ(checks_.size(), 1u);
}

TEST_F(ConnectivityChecksTest, AuthenticatesAnswersWithTheRemotePassword) {  // RFC 8445 §7.2.2
  checks_.Start(At(0s), Plan(1), rng_);
  const auto request = Poll(At(0s)).at(0);
  const auto good = SuccessFor(request, request.local, remote_.pwd);
  const auto bad = SuccessFor(request, request.local, local_.pwd);
  EXPECT_TRUE(checks_.IsAuthentic(*stun::MessageView::Parse(good)));
  EXPECT_FALSE(checks_.IsAuthentic(*stun::MessageView::Parse(bad)));
}

TEST_F(ConnectivityChecksTest, WaitsForACancelledCheckWithoutRepeatingIt) {  // RFC 8445 §7.3.1.4
  checks_.Start(At(0s), Plan(1), rng_);
  const auto id = Poll(At(0s)).at(0).View().transaction_id();
  checks_.Cancel(Path(1));
  EXPECT_EQ(checks_.NextTimeout(), At(39500ms));
  EXPECT_FALSE(checks_.PopTimedOut(At(39499ms)));
  EXPECT_TRUE(Poll(At(39499ms)).empty());
  EXPECT_NE(checks_.Find(id), nullptr);
  EXPECT_FALSE(checks_.PopTimedOut(At(39500ms)));  // forgotten, and no failure
  EXPECT_EQ(checks_.size(), 0u);
}

TEST_F(ConnectivityChecksTest, DoesNotSendWhatWasCancelledBeforeItLeft) {
  checks_.Start(At(0s), Plan(1), rng_);
  checks_.Cancel(Path(1));
  EXPECT_TRUE(Poll(At(0s)).empty());
}

TEST_F(ConnectivityChecksTest, CancelsChecksButNoConsentRequests) {
  checks_.Start(At(0s), Plan(1, CheckPurpose::kConsent), rng_);
  checks_.Start(At(0s), Plan(2), rng_);
  checks_.CancelAll();
  const auto sent = Poll(At(0s));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].remote, Path(1).remote);
}

TEST_F(ConnectivityChecksTest, SendsConsentRequestsOnceAndForgetsThemAtExpiry) {  // RFC 7675 §5.1
  checks_.Start(At(0s), Plan(1, CheckPurpose::kConsent), rng_);
  EXPECT_EQ(Poll(At(0s)).size(), 1u);
  EXPECT_EQ(checks_.NextTimeout(), At(30s));
  EXPECT_EQ(checks_.PopTimedOut(At(30s))->purpose, CheckPurpose::kConsent);
  EXPECT_TRUE(Poll(At(30s)).empty());
  EXPECT_EQ(metrics_.consent_requests_sent, 1u);
  EXPECT_EQ(metrics_.checks_sent, 0u);
}

TEST_F(ConnectivityChecksTest, NominatesOnlyWhileControlling) {  // RFC 8445 §7.1.2
  checks_.Start(At(0s), Plan(1, CheckPurpose::kNomination), rng_);
  CheckPlan controlled = Plan(2, CheckPurpose::kNomination);
  controlled.role.role = Role::kControlled;
  checks_.Start(At(0s), controlled, rng_);
  const auto sent = Poll(At(0s));
  EXPECT_TRUE(sent.at(0).Nominates());
  EXPECT_FALSE(sent.at(1).Nominates());
}

TEST_F(ConnectivityChecksTest, RemembersOnlyTheLastTransactionsOfAPair) {
  std::vector<stun::TransactionId> ids;
  for (size_t i = 0; i < 3 * kMaxTransactionsPerPair; ++i) {
    checks_.Start(At(0s), Plan(1), rng_);
    ids.push_back(Poll(At(0s)).at(0).View().transaction_id());
  }
  EXPECT_EQ(checks_.size(), kMaxTransactionsPerPair);
  EXPECT_EQ(checks_.Find(ids.front()), nullptr);
  EXPECT_NE(checks_.Find(ids.back()), nullptr);
}

TEST_F(ConnectivityChecksTest, BoundsWhatNobodyPolls) {
  for (int port = 1; port <= 1000; ++port) checks_.Start(At(0s), Plan(port), rng_);
  EXPECT_EQ(Dropped(DropReason::kQueueFull), 1000u - kMaxQueuedMessages);
  EXPECT_EQ(Poll(At(0s)).size(), kMaxQueuedMessages);
  // What was not queued is sent again like everything that was lost.
  while (checks_.PopTimedOut(At(500ms))) continue;
  EXPECT_FALSE(Poll(At(500ms)).empty());
}

TEST_F(ConnectivityChecksTest, TimesOutInTheOrderOfDeadlines) {
  ConnectivityChecks checks(Options{.check = {.max_transmissions = 1}}, metrics_);
  checks.SetCredentials(local_, remote_);
  for (const int port : {3, 1, 2}) checks.Start(At(std::chrono::milliseconds(port)), Plan(port), rng_);
  for (const int port : {1, 2, 3}) EXPECT_EQ(checks.PopTimedOut(At(60s))->pair.remote.port, port);
}

TEST_F(ConnectivityChecksTest, SendsKeepalivesAfterEverythingElse) {
  checks_.StartKeepalive(Path(1), rng_);
  checks_.Start(At(0s), Plan(2), rng_);
  const auto sent = Poll(At(0s));
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(sent[0].IsCheck());
  EXPECT_TRUE(sent[1].Is(stun::MessageClass::kIndication));
  EXPECT_EQ(metrics_.keepalives_sent, 1u);
}

TEST_F(ConnectivityChecksTest, ForgetsEverythingWhenCleared) {
  checks_.Start(At(0s), Plan(1), rng_);
  checks_.StartKeepalive(Path(1), rng_);
  checks_.Clear();
  EXPECT_TRUE(Poll(At(0s)).empty());
  EXPECT_EQ(checks_.size(), 0u);
  EXPECT_EQ(checks_.NextTimeout(), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::ice
