// Reductions of the window that turn out to have been for nothing are undone (RFC 9438 §4.9), others are not.
#include "sctp/tx/spurious_recovery.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Expiry = RetransmissionQueue::Expiry;
using Tsns = std::vector<uint32_t>;

// Has measured 100 ms, and has six full packets in flight, TSN 1 to 6 after 2^32 − 2 (C19). The last probe is over.
class Flight : public testing::TestWithParam<CongestionAlgorithm> {
 protected:
  Flight() : s(Configure()) {
    s.Send(100);
    s.DrainTsns();
    s.now = s.now + 100ms;
    s.Sack(1);
    for (int i = 0; i < 6; ++i) s.Send(Sender::kFull);
    RunFor(20ms);
    EXPECT_EQ(s.queue.outstanding().size(), 6u);
    window = s.queue.congestion().cwnd();
  }
  static Sender::Config Configure() {
    Sender::Config config;
    config.options = Options{};
    config.options.congestion_control = GetParam();
    return config;
  }
  Tsns RunFor(Duration time) {
    const Timestamp end = s.now + time;
    Tsns tsns = s.DrainTsns();
    while (s.queue.NextTimeout() <= end) {
      s.now = std::max(s.now, s.queue.NextTimeout());
      (void)s.queue.HandleTimeout(s.now);
      const Tsns more = s.DrainTsns();
      tsns.insert(tsns.end(), more.begin(), more.end());
    }
    s.now = end;
    return tsns;
  }
  // Time passes until T3-rtx has expired so often; what was sent in the end.
  Tsns RunUntilTimeouts(uint64_t count) {
    Tsns sent;
    while (s.metrics.t3_expiries < count) {
      s.now = s.queue.NextTimeout();
      (void)s.queue.HandleTimeout(s.now);
      sent = s.DrainTsns();
    }
    return sent;
  }
  bool IsReduced() const { return s.queue.congestion().cwnd() < window; }

  Sender s;
  size_t window = 0;
};
INSTANTIATE_TEST_SUITE_P(Controllers, Flight,
                         testing::Values(CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic,
                                         CongestionAlgorithm::kModelBased));

TEST_P(Flight, AnAnswerSoonerThanARoundTripAfterATimeoutUndoesIt) {  // RFC 8985 §6.2 step 2, RFC 9438 §4.9.1
  EXPECT_EQ(RunUntilTimeouts(1), (Tsns{1}));
  EXPECT_TRUE(IsReduced());
  s.now = s.now + 20ms;  // the repetition cannot have been answered yet
  s.Sack(2);
  EXPECT_EQ(s.metrics.spurious_recoveries, 1u);
  EXPECT_FALSE(IsReduced());
  // What else had been taken for lost is not sent again: it is merely late.
  EXPECT_EQ(s.DrainTsns(), Tsns{});
  s.now = s.now + 10ms;
  s.Sack(7);
  EXPECT_EQ(s.metrics.retransmitted_chunks, 2u);  // the probe's, and T3-rtx's one
  EXPECT_TRUE(s.queue.is_idle());
  EXPECT_TRUE(s.queue.IsConsistent());
  // The timer has learned: it waits longer than it did.
  EXPECT_GT(s.queue.rto(), 400ms);
}

TEST_P(Flight, AnAnswerAfterARoundTripProvesNothing) {  // RFC 9260 §6.3.1 C5
  RunUntilTimeouts(1);
  s.now = s.now + 100ms;
  s.Sack(2);
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
  EXPECT_TRUE(IsReduced());
  EXPECT_FALSE(s.DrainTsns().empty());
}

TEST_P(Flight, AnEarlyAnswerThatMissesTheFirstChunkProvesNothing) {
  RunUntilTimeouts(1);
  s.now = s.now + 20ms;
  s.Sack(1, {{2, 6}});
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
  EXPECT_TRUE(IsReduced());
}

TEST_P(Flight, AfterTwoTimeoutsAnEarlyAnswerMayBeForTheFirstRepetition) {
  RunUntilTimeouts(2);
  s.now = s.now + 20ms;
  s.Sack(7);
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
}

TEST_P(Flight, ADuplicateOfWhatATimeoutRepeatedUndoesIt) {  // RFC 9260 §3.3.4, RFC 9438 §4.9.1
  RunUntilTimeouts(2);                                      // a path that stood still for long
  s.now = s.now + 150ms;
  s.Sack(7);  // all at once, and then what was repeated
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
  s.Sack(7, {}, {1});
  EXPECT_EQ(s.metrics.spurious_recoveries, 1u);
  EXPECT_FALSE(IsReduced());
  s.Sack(7, {}, {1});
  EXPECT_EQ(s.metrics.spurious_recoveries, 1u);
}

TEST_P(Flight, ADuplicateWhileOthersAreMissingProvesNothing) {
  RunUntilTimeouts(1);
  s.now = s.now + 150ms;
  s.Sack(2, {}, {1});  // 2 to 6 are lost as before
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
  EXPECT_TRUE(IsReduced());
}

TEST_P(Flight, DuplicatesOfWhatWasNeverRepeatedProveNothing) {
  RunUntilTimeouts(1);
  s.now = s.now + 150ms;
  s.Sack(7, {}, {2, 3, 4, 0x80000000u});
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
}

// Losses by reordering: 1 and 2 arrive after 6, and after they were sent again.
class Reordered : public Flight {
 protected:
  void Reorder() {
    s.now = s.now + 100ms;
    s.Sack(1, {{3, 6}});
    repeated = RunFor(30ms);
    EXPECT_EQ(repeated, (Tsns{1, 2}));
  }
  Tsns repeated;
};
INSTANTIATE_TEST_SUITE_P(Controllers, Reordered,
                         testing::Values(CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic));

TEST_P(Reordered, DuplicatesOfAllThatWasRepeatedUndoTheLoss) {  // RFC 9438 §4.9.2
  Reorder();
  EXPECT_TRUE(IsReduced());
  s.Sack(7);
  EXPECT_TRUE(IsReduced());
  s.now = s.now + 70ms;
  s.Sack(7, {}, {1});
  EXPECT_TRUE(IsReduced());
  s.Sack(7, {}, {2});
  EXPECT_FALSE(IsReduced());
  EXPECT_EQ(s.metrics.spurious_recoveries, 1u);
  EXPECT_FALSE(s.queue.congestion().in_fast_recovery());
}

TEST_P(Reordered, OneRepetitionThatWasNeededIsALoss) {
  Reorder();
  s.now = s.now + 70ms;
  s.Sack(7, {}, {2});
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
  EXPECT_TRUE(IsReduced());
}

TEST_P(Reordered, ThenALongerDelayIsForgiven) {  // RFC 8985 §6.2 step 4
  Reorder();
  s.Sack(7, {}, {1, 2});
  ASSERT_EQ(s.metrics.spurious_recoveries, 1u);
  for (int i = 0; i < 6; ++i) s.Send(Sender::kFull);
  RunFor(20ms);
  s.now = s.now + 100ms;
  s.Sack(7, {{8, 12}});
  // 25 ms was the window for reordering; it is twice as long now.
  EXPECT_EQ(RunFor(25ms), Tsns{});
  EXPECT_EQ(RunFor(30ms), (Tsns{7}));
}

TEST(SpuriousRecoveryTest, TheSecondRepetitionOfALostChunkIsADuplicateAndProvesNothing) {
  SpuriousRecovery spurious;
  spurious.Begin(SpuriousRecovery::Cause::kTime,
                 CongestionControl(CongestionAlgorithm::kCubic, {1176, 11760, 1 << 20}));
  const std::vector<Tsn> tsn{Tsn(0xffffffff)};
  spurious.HandleRepeated(At(0ms), tsn[0]);
  spurious.HandleRepeated(At(50ms), tsn[0]);
  EXPECT_FALSE(spurious.HandleDuplicates(tsn, false));
  EXPECT_TRUE(spurious.HandleDuplicates(tsn, false));
}

TEST_P(Flight, ATimeoutAmidKnownLossesIsNotUndone) {
  s.now = s.now + 60ms;
  s.Sack(1, {{3, 3}});
  RunUntilTimeouts(1);
  s.now = s.now + 20ms;
  s.Sack(7, {}, {1});
  EXPECT_EQ(s.metrics.spurious_recoveries, 0u);
}

TEST(SpuriousRecoveryTest, ManyRepetitionsAreRealLossesAndAreForgotten) {
  SpuriousRecovery spurious;
  const CongestionControl before(CongestionAlgorithm::kCubic, {1176, 11760, 1 << 20});
  spurious.Begin(SpuriousRecovery::Cause::kTime, before);
  std::vector<Tsn> tsns;
  for (uint32_t i = 0; i <= SpuriousRecovery::kMaxRepeated; ++i) {
    tsns.push_back(Tsn(0xfffffff0u + i));
    spurious.HandleRepeated(At(0ms), tsns.back());
  }
  EXPECT_FALSE(spurious.HandleDuplicates(tsns, false));
}

}  // namespace
}  // namespace jsp::sctp
