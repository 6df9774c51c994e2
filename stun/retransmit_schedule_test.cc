#include "stun/retransmit_schedule.h"

#include <gtest/gtest.h>

#include <vector>
namespace jsp::stun {
namespace {

using std::chrono::milliseconds;

Timestamp At(int64_t ms) { return Timestamp::FromEpoch(milliseconds(ms)); }

// Sends at once and then at every deadline until the schedule gives up; the last entry is when it did.
std::vector<int64_t> SendTimes(const RetransmitOptions& options) {
  RetransmitSchedule schedule(options);
  std::vector<int64_t> times;
  Timestamp now = At(0);
  do {
    times.push_back(std::chrono::duration_cast<milliseconds>(now - At(0)).count());
    schedule.HandleSent(now);
    now = schedule.NextDeadline();
  } while (schedule.MaySendAgain());
  times.push_back(std::chrono::duration_cast<milliseconds>(now - At(0)).count());
  return times;
}

TEST(RetransmitScheduleTest, SendsSevenTimesAndFailsAt39500Milliseconds) {  // RFC 8489 §6.2.1, its own example
  EXPECT_EQ(SendTimes({}), (std::vector<int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500, 39500}));
}

TEST(RetransmitScheduleTest, RtoIsNotRoundedToSeconds) {  // RFC 8489 §6.2.1
  EXPECT_EQ(SendTimes({.rto = milliseconds(733), .rc = 3, .rm = 2}), (std::vector<int64_t>{0, 733, 2199, 3665}));
}

TEST(RetransmitScheduleTest, ReliableTransportSendsOnceAndFailsAfterTi) {  // RFC 8489 §6.2.2
  EXPECT_EQ(SendTimes(RetransmitOptions::Reliable()), (std::vector<int64_t>{0, 39500}));
}

TEST(RetransmitScheduleTest, ALateSendingMovesTheNextDeadline) {
  RetransmitSchedule schedule({});
  schedule.HandleSent(At(0));
  schedule.HandleSent(At(700));  // the owner was 200 ms late
  EXPECT_EQ(schedule.NextDeadline(), At(1700));
  EXPECT_EQ(schedule.sent(), 2u);
}

TEST(RetransmitScheduleTest, HasNoDeadlineBeforeTheFirstSending) {
  const RetransmitSchedule schedule({});
  EXPECT_EQ(schedule.NextDeadline(), Timestamp::Never());
  EXPECT_TRUE(schedule.MaySendAgain());
}

TEST(RetransmitScheduleTest, AHugeRequestCountDoesNotOverflowTheInterval) {
  RetransmitSchedule schedule({.rto = milliseconds(500), .rc = 200, .rm = 16});
  Timestamp now = At(0);
  for (int i = 0; i < 199; ++i) {
    schedule.HandleSent(now);
    ASSERT_GT(schedule.NextDeadline(), now) << i;
    now = schedule.NextDeadline();
  }
}

TEST(RetransmitScheduleTest, ACountOfZeroNeverRetransmits) {
  RetransmitSchedule schedule({.rto = milliseconds(100), .rc = 0, .rm = 3});
  schedule.HandleSent(At(0));
  EXPECT_FALSE(schedule.MaySendAgain());
  EXPECT_EQ(schedule.NextDeadline(), At(300));
}

}  // namespace
}  // namespace jsp::stun
