#include "base/time.h"

#include <gtest/gtest.h>

namespace jsp {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;

static_assert(Timestamp() == Timestamp::Never());

TEST(TimestampTest, NeverIsLaterThanEverythingAndStaysNever) {
  EXPECT_LT(Timestamp::FromEpoch(Duration::max() - 1us), Timestamp::Never());
  EXPECT_EQ(Timestamp::Never() + 5ms, Timestamp::Never());
}

TEST(TimestampTest, AddsAndSubtractsInMicroseconds) {
  const Timestamp start = Timestamp::FromEpoch(1500us);
  EXPECT_EQ(start + 2ms, Timestamp::FromEpoch(3500us));
  EXPECT_EQ((start + 2ms) - start, 2000us);
}

TEST(TimestampTest, DifferenceSaturatesAtZeroWhenTimeGoesBackwards) {
  EXPECT_EQ(Timestamp::FromEpoch(1ms) - Timestamp::FromEpoch(9ms), Duration::zero());
}

TEST(TimestampTest, OnGridIsTheFirstCommonInstantInTheInterval) {
  const auto at = [](int value) { return Timestamp::FromEpoch(std::chrono::milliseconds(value)); };
  EXPECT_EQ(Timestamp::OnGrid(at(1234), at(1000), at(2000), 100ms), at(1300));
  EXPECT_EQ(Timestamp::OnGrid(at(1300), at(1000), at(2000), 100ms), at(1300));
  EXPECT_EQ(Timestamp::OnGrid(at(1234), at(1000), at(1299), 100ms), at(1200));
  EXPECT_EQ(Timestamp::OnGrid(at(1234), at(1201), at(1299), 100ms), at(1234)) << "none in the interval";
  EXPECT_EQ(Timestamp::OnGrid(Timestamp::Never(), at(0), Timestamp::Never(), 100ms), Timestamp::Never());
}

}  // namespace
}  // namespace jsp
