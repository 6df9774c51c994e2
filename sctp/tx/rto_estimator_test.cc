#include "sctp/tx/rto_estimator.h"

#include <gtest/gtest.h>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr RtoEstimator::Limits kLimits{.initial = milliseconds(500), .min = milliseconds(220), .max = seconds(10)};

TEST(RtoEstimatorTest, BeginsWithTheInitialRtoAndNoRoundTrip) {
  const RtoEstimator rto(kLimits);
  EXPECT_EQ(rto.rto(), milliseconds(500));
  EXPECT_EQ(rto.srtt(), Duration::zero());
}

// RFC 9260 §6.3.1 C2.
TEST(RtoEstimatorTest, TakesThreeTimesTheFirstMeasurement) {
  RtoEstimator rto(kLimits);
  rto.Measure(milliseconds(400));
  EXPECT_EQ(rto.srtt(), milliseconds(400));
  EXPECT_EQ(rto.rto(), milliseconds(400 + 4 * 200));
}

// RFC 9260 §6.3.1 C3: RTTVAR is moved by the old SRTT, then SRTT.
TEST(RtoEstimatorTest, SmoothsFurtherMeasurements) {
  RtoEstimator rto(kLimits);
  rto.Measure(milliseconds(400));
  rto.Measure(milliseconds(800));
  // RTTVAR = 3/4 × 200 + 1/4 × 400 = 250; SRTT = 7/8 × 400 + 1/8 × 800 = 450.
  EXPECT_EQ(rto.srtt(), milliseconds(450));
  EXPECT_EQ(rto.rto(), milliseconds(450 + 4 * 250));
  rto.Measure(milliseconds(50));
  // RTTVAR = 3/4 × 250 + 1/4 × 400 = 287.5; SRTT = 7/8 × 450 + 1/8 × 50 = 400.
  EXPECT_EQ(rto.srtt(), milliseconds(400));
  EXPECT_EQ(rto.rto(), milliseconds(400 + 4 * 287 + 2));
}

TEST(RtoEstimatorTest, ConvergesOnAConstantRoundTrip) {
  RtoEstimator rto(kLimits);
  for (int i = 0; i < 100; ++i) rto.Measure(milliseconds(700));
  EXPECT_EQ(rto.srtt(), milliseconds(700));
  // RFC 9260 §6.3.1 G1: the variation never falls below the granularity of the clock.
  EXPECT_EQ(rto.rto(), milliseconds(700 + 4 * 1));
}

// RFC 9260 §6.3.1 C6.
TEST(RtoEstimatorTest, NeverFallsBelowTheMinimum) {
  RtoEstimator rto(kLimits);
  for (int i = 0; i < 100; ++i) rto.Measure(milliseconds(5));
  EXPECT_EQ(rto.srtt(), milliseconds(5));
  EXPECT_EQ(rto.rto(), milliseconds(220));
}

// RFC 9260 §6.3.1 C7.
TEST(RtoEstimatorTest, NeverExceedsTheMaximum) {
  RtoEstimator rto(kLimits);
  rto.Measure(seconds(60));
  EXPECT_EQ(rto.rto(), seconds(10));
  rto.BackOff();
  EXPECT_EQ(rto.rto(), seconds(10));
}

// RFC 9260 §6.3.3 E2.
TEST(RtoEstimatorTest, DoublesAtEveryExpiryUpToTheMaximum) {
  RtoEstimator rto(kLimits);
  for (const int expected : {1000, 2000, 4000, 8000, 10000, 10000}) {
    rto.BackOff();
    EXPECT_EQ(rto.rto(), milliseconds(expected));
  }
}

// RFC 9260 §6.3.3: a new measurement "collapses" a backed-off RTO.
TEST(RtoEstimatorTest, AMeasurementUndoesTheBackOff) {
  RtoEstimator rto(kLimits);
  rto.Measure(milliseconds(400));
  for (int i = 0; i < 5; ++i) rto.BackOff();
  EXPECT_EQ(rto.rto(), seconds(10));
  rto.Measure(milliseconds(400));
  EXPECT_EQ(rto.rto(), milliseconds(400 + 4 * 150));
}

TEST(RtoEstimatorTest, BackingOffLeavesTheRoundTripAlone) {
  RtoEstimator rto(kLimits);
  rto.Measure(milliseconds(400));
  rto.BackOff();
  EXPECT_EQ(rto.srtt(), milliseconds(400));
}

// Two datagrams within the same tick of the owner's clock.
TEST(RtoEstimatorTest, SurvivesARoundTripOfZero) {
  RtoEstimator rto(kLimits);
  rto.Measure(Duration::zero());
  EXPECT_EQ(rto.rto(), milliseconds(220));
  rto.Measure(milliseconds(400));
  EXPECT_EQ(rto.srtt(), milliseconds(50));
  // RTTVAR = 3/4 × 1 + 1/4 × 400 = 100.75.
  EXPECT_EQ(rto.rto(), milliseconds(50) + 4 * Duration(100750));
}

TEST(RtoEstimatorTest, StaysWithinItsLimitsWhateverIsMeasured) {
  Rng rng = Rng::FromNumber(7);
  RtoEstimator rto(kLimits);
  for (int i = 0; i < 5000; ++i) {
    if (rng.Below(5) == 0) {
      rto.BackOff();
    } else {
      rto.Measure(Duration(rng.Below(uint64_t{1} << rng.Below(40))));
    }
    ASSERT_GE(rto.rto(), kLimits.min);
    ASSERT_LE(rto.rto(), kLimits.max);
    ASSERT_GE(rto.srtt(), Duration::zero());
  }
}

}  // namespace
}  // namespace jsp::sctp
