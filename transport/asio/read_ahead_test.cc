#include "transport/asio/read_ahead.h"

#include <gtest/gtest.h>
namespace jsp::transport::io {
namespace {

// How many of `count` reads are tried where every `period`th that is tried finds something.
int Tried(ReadAhead& ahead, int count, int period) {
  int tried = 0;
  for (int i = 0; i < count; ++i) {
    if (!ahead.ShouldTry()) continue;
    ++tried;
    ahead.HandleResult(tried % period == 0);
  }
  return tried;
}

TEST(ReadAheadTest, IsTriedNowAndThenWhereItFindsNothing) {
  ReadAhead ahead;
  EXPECT_EQ(Tried(ahead, 6400, 1'000'000), 100);
}

TEST(ReadAheadTest, IsAlwaysTriedWhereItFindsSomethingHalfOfTheTime) {
  ReadAhead ahead;
  EXPECT_GE(Tried(ahead, 6400, 2), 6000);
}

TEST(ReadAheadTest, IsGivenUpWhereItFindsSomethingTooRarely) {
  ReadAhead ahead;
  EXPECT_LE(Tried(ahead, 6400, 8), 1000);
}

TEST(ReadAheadTest, FollowsTheTimes) {
  ReadAhead ahead;
  (void)Tried(ahead, 6400, 1'000'000);
  EXPECT_GE(Tried(ahead, 1000, 1), 850);
  EXPECT_LE(Tried(ahead, 1000, 1'000'000), 50);
}

}  // namespace
}  // namespace jsp::transport::io
