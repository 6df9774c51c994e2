#include "sctp/tx/hystart.h"

#include <gtest/gtest.h>
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Verdict = HyStart::Verdict;

// Rounds of 16 samples each; a round's SACKs acknowledge what left after the round before began.
class Rounds {
 public:
  Verdict Run(Duration rtt, int samples = 16) {
    const uint64_t prior = delivered_;
    Verdict verdict = Verdict::kSlowStart;
    for (int i = 0; i < samples; ++i) {
      delivered_ += 1200;
      verdict = hystart_.HandleAck(delivered_, prior, rtt);
    }
    return verdict;
  }

 private:
  HyStart hystart_;
  uint64_t delivered_ = 1;
};

TEST(HyStartTest, AConstantRoundTripKeepsSlowStart) {
  Rounds rounds;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rounds.Run(50ms), Verdict::kSlowStart);
}

TEST(HyStartTest, AGrowingRoundTripMakesItConservativeWithinTheRound) {  // RFC 9406 §4.2
  Rounds rounds;
  EXPECT_EQ(rounds.Run(50ms), Verdict::kSlowStart);
  // 50 ms / 8 is above the 4 ms of MIN_RTT_THRESH.
  EXPECT_EQ(rounds.Run(56ms), Verdict::kSlowStart);
  EXPECT_EQ(rounds.Run(57ms, 7), Verdict::kSlowStart);
  EXPECT_EQ(rounds.Run(57ms, 1), Verdict::kConservative);
}

TEST(HyStartTest, TheThresholdIsBetweenFourAndSixteenMilliseconds) {  // RFC 9406 §4.3
  Rounds lan;
  EXPECT_EQ(lan.Run(1ms), Verdict::kSlowStart);
  EXPECT_EQ(lan.Run(4ms), Verdict::kSlowStart);
  EXPECT_EQ(lan.Run(5ms), Verdict::kConservative);
  Rounds satellite;
  EXPECT_EQ(satellite.Run(600ms), Verdict::kSlowStart);
  EXPECT_EQ(satellite.Run(615ms), Verdict::kSlowStart);
  EXPECT_EQ(satellite.Run(616ms), Verdict::kConservative);
}

TEST(HyStartTest, LeavesSlowStartAfterFiveConservativeRounds) {  // RFC 9406 §4.2
  Rounds rounds;
  rounds.Run(50ms);
  EXPECT_EQ(rounds.Run(60ms), Verdict::kConservative);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(rounds.Run(60ms), Verdict::kConservative);
  EXPECT_EQ(rounds.Run(60ms), Verdict::kLeave);
  EXPECT_EQ(rounds.Run(50ms), Verdict::kLeave);
}

TEST(HyStartTest, AQueueOfHalfARoundTripLeavesAtOnce) {
  Rounds rounds;
  rounds.Run(50ms);
  EXPECT_EQ(rounds.Run(74ms), Verdict::kConservative);
  EXPECT_EQ(rounds.Run(75ms, 7), Verdict::kConservative);
  EXPECT_EQ(rounds.Run(75ms, 1), Verdict::kLeave);
  // Of a short round trip, 16 ms.
  Rounds lan;
  lan.Run(2ms);
  EXPECT_EQ(lan.Run(17ms), Verdict::kConservative);
  EXPECT_EQ(lan.Run(18ms), Verdict::kLeave);
}

TEST(HyStartTest, ASpuriousGrowthIsForgiven) {  // RFC 9406 §4.2
  Rounds rounds;
  rounds.Run(50ms);
  EXPECT_EQ(rounds.Run(60ms), Verdict::kConservative);
  EXPECT_EQ(rounds.Run(50ms), Verdict::kSlowStart);
}

TEST(HyStartTest, SingleSpikesAreNoGrowth) {
  Rounds rounds;
  rounds.Run(50ms);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(rounds.Run(90ms, 7), Verdict::kSlowStart);
    EXPECT_EQ(rounds.Run(50ms, 1), Verdict::kSlowStart);
  }
}

}  // namespace
}  // namespace jsp::sctp
