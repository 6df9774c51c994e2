#include "ice/check_runner.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
namespace jsp::ice {
namespace {

class CheckRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
    for (const int port : {1, 2}) {
      Candidate remote = Host("192.0.2.9:" + std::to_string(port));
      remote.priority = static_cast<uint32_t>(port);
      ASSERT_TRUE(pairing_.AddRemote(remote));
    }
    runner_.transactions().SetCredentials(Credentials::Random(rng_), Credentials::Random(rng_));
    pairing_.Start(Role::kControlling);
  }
  static AddressPair Path(int port) { return {Address("10.0.0.1:1"), Address("192.0.2.9:" + std::to_string(port))}; }
  CandidatePair& Pair(int port) { return *pairing_.checklist().Find(Path(port)); }
  size_t InFlight() { return runner_.transactions().size(); }

  Options options_;
  Metrics metrics_;
  Rng rng_ = Rng::FromNumber(1);
  Pairing pairing_{options_, metrics_};
  CheckRunner runner_{options_, pairing_, metrics_, rng_};
  RoleAttribute role_{Role::kControlling, 7};
};

TEST_F(CheckRunnerTest, StartsOneCheckPerSlot) {
  runner_.Run(At(0s), role_);
  runner_.Run(At(0s), role_);
  EXPECT_EQ(InFlight(), 1u);
  EXPECT_EQ(Pair(2).state, PairState::kInProgress);
  EXPECT_EQ(Pair(2).checks.requests_sent, 1u);
  EXPECT_EQ(runner_.NextTimeout(), At(50ms));
  runner_.Run(At(50ms), role_);
  EXPECT_EQ(Pair(1).state, PairState::kInProgress);
  EXPECT_FALSE(runner_.IsIdle());
}

TEST_F(CheckRunnerTest, RepeatsChecksInFreeSlotsWhileNothingIsValid) {  // RFC 8445 §14.2
  Options options;
  options.check.repeats = 2;
  CheckRunner runner(options, pairing_, metrics_, rng_);
  runner.transactions().SetCredentials(Credentials::Random(rng_), Credentials::Random(rng_));
  std::vector<std::pair<Timestamp, uint32_t>> sent;  // when, and how many by then of both pairs
  Timestamp now = At(0s);
  for (int i = 0; i < 12; ++i) {
    runner.Run(now, role_);
    const uint32_t count = Pair(1).checks.requests_sent + Pair(2).checks.requests_sent;
    if (sent.empty() || sent.back().second != count) sent.emplace_back(now, count);
    now = std::min(runner.NextTimeout(), now + 50ms);
  }
  // The first checks of both, then each again after 100 ms and after 100 ms more.
  ASSERT_EQ(sent.size(), 6u);
  for (size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i].first, At(i * 50ms));
  EXPECT_EQ(Pair(1).checks.requests_sent, 3u);
}

TEST_F(CheckRunnerTest, RepeatsNothingOnceAPairIsValid) {
  Options options;
  options.check.repeats = 2;
  CheckRunner runner(options, pairing_, metrics_, rng_);
  runner.transactions().SetCredentials(Credentials::Random(rng_), Credentials::Random(rng_));
  runner.Run(At(0s), role_);
  runner.Run(At(50ms), role_);
  (void)pairing_.SetValid(Pair(2), Address("10.0.0.1:1"), 40ms, At(60ms));
  runner.Settle(Path(2));
  runner.Run(At(500ms), role_);
  EXPECT_EQ(Pair(1).checks.requests_sent, 1u);
}

TEST_F(CheckRunnerTest, TriggersAPairInEveryState) {  // RFC 8445 §7.3.1.4
  for (const PairState state : {PairState::kFrozen, PairState::kWaiting, PairState::kInProgress, PairState::kFailed}) {
    pairing_.checklist().SetState(Pair(1), state);
    runner_.Trigger(Pair(1));
    EXPECT_EQ(Pair(1).state, PairState::kWaiting);
  }
  runner_.Run(At(0s), role_);
  EXPECT_EQ(Pair(1).state, PairState::kInProgress);  // before the better pair 2
}

TEST_F(CheckRunnerTest, FailsOnlyWhatWasChecked) {
  runner_.Fail(Path(1));
  EXPECT_EQ(Pair(1).state, PairState::kWaiting);  // it waits for its next check
  runner_.Run(At(0s), role_);
  runner_.Fail(Path(2));
  EXPECT_EQ(Pair(2).state, PairState::kFailed);
  runner_.Fail(Path(77));  // gone
}

TEST_F(CheckRunnerTest, NeverFailsTheSelectedPair) {  // only consent does
  pairing_.SetValid(Pair(1), Address("10.0.0.1:1"), 1ms, At(0s));
  Pair(1).is_selected = true;
  runner_.Fail(Path(1));
  EXPECT_EQ(Pair(1).state, PairState::kSucceeded);
}

TEST_F(CheckRunnerTest, ForgetsFailedPairsAfterCompletion) {
  pairing_.Complete();
  const auto [pair, is_new] = pairing_.FindOrAdd(Path(1), 1);
  ASSERT_NE(pair, nullptr);
  runner_.Trigger(*pair);
  runner_.Run(At(0s), role_);
  runner_.Fail(Path(1));
  EXPECT_EQ(pairing_.checklist().size(), 0u);
  EXPECT_TRUE(runner_.IsIdle());
}

TEST_F(CheckRunnerTest, SettlesAValidPair) {
  runner_.Run(At(0s), role_);
  runner_.Trigger(Pair(2));
  pairing_.SetValid(Pair(2), Address("10.0.0.1:1"), 1ms, At(1ms));
  runner_.Settle(Path(2));
  runner_.Run(At(50ms), role_);
  EXPECT_EQ(Pair(1).state, PairState::kInProgress);  // the triggered check of pair 2 is no longer wanted
  EXPECT_EQ(Pair(2).checks.requests_sent, 1u);
}

TEST_F(CheckRunnerTest, ConcludesWithoutForgettingWhatIsUnderWay) {  // RFC 8445 §8.1.2
  runner_.Run(At(0s), role_);
  runner_.Trigger(Pair(1));
  runner_.Conclude();
  EXPECT_EQ(InFlight(), 1u);
  EXPECT_FALSE(runner_.transactions().PopTimedOut(At(60s)));
  runner_.Clear();
  EXPECT_EQ(InFlight(), 0u);
}

TEST_F(CheckRunnerTest, AsksConsentOnlyOfPairsThatExist) {
  runner_.StartConsent(At(0s), Path(1), role_);
  runner_.StartConsent(At(0s), Path(77), role_);
  EXPECT_EQ(metrics_.consent_requests_sent, 1u);
}

}  // namespace
}  // namespace jsp::ice
