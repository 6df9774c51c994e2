#include "base/timer_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace jsp {
namespace {

using std::chrono_literals::operator""ms;

enum class Id : uint8_t { kA, kB, kC, kCount };

Timestamp At(Duration d) { return Timestamp::FromEpoch(d); }

TEST(TimerTableTest, IsIdleUntilATimerIsArmed) {
  TimerTable<Id> timers;
  EXPECT_EQ(timers.Next(), Timestamp::Never());
  EXPECT_FALSE(timers.IsArmed(Id::kB));
  EXPECT_EQ(timers.PopExpired(At(1000ms)), std::nullopt);
  EXPECT_EQ(timers.PopExpired(Timestamp::Never()), std::nullopt);
}

TEST(TimerTableTest, NextIsTheEarliestDeadlineAndRearmingReplacesIt) {
  TimerTable<Id> timers;
  timers.Arm(Id::kA, At(30ms));
  timers.Arm(Id::kC, At(10ms));
  EXPECT_EQ(timers.Next(), At(10ms));
  timers.Arm(Id::kC, At(50ms));
  EXPECT_EQ(timers.Next(), At(30ms));
  timers.Disarm(Id::kA);
  EXPECT_FALSE(timers.IsArmed(Id::kA));
  EXPECT_EQ(timers.Next(), At(50ms));
}

TEST(TimerTableTest, PopsEachDueTimerOnceAndLeavesTheOthers) {
  TimerTable<Id> timers;
  timers.Arm(Id::kA, At(10ms));
  timers.Arm(Id::kB, At(20ms));
  timers.Arm(Id::kC, At(21ms));
  EXPECT_EQ(timers.PopExpired(At(9ms)), std::nullopt);
  EXPECT_EQ(timers.PopExpired(At(20ms)), Id::kA);
  EXPECT_EQ(timers.PopExpired(At(20ms)), Id::kB);
  EXPECT_EQ(timers.PopExpired(At(20ms)), std::nullopt);
  EXPECT_TRUE(timers.IsArmed(Id::kC));
  EXPECT_EQ(timers.Next(), At(21ms));
}

}  // namespace
}  // namespace jsp
