#include "base/backoff.h"

#include <gtest/gtest.h>

#include <chrono>

namespace jsp {
namespace {

using std::chrono_literals::operator""ms;

TEST(BackoffTest, DoublesUpToTheCeilingAndStaysThere) {
  Backoff backoff(500ms, 3000ms, 10);
  EXPECT_EQ(backoff.Next(), 500ms);
  EXPECT_EQ(backoff.Next(), 1000ms);
  EXPECT_EQ(backoff.Next(), 2000ms);
  EXPECT_EQ(backoff.Next(), 3000ms);
  EXPECT_EQ(backoff.Next(), 3000ms);
}

TEST(BackoffTest, IsExhaustedAfterTheLastAttempt) {
  Backoff backoff(1ms, 1ms, 2);
  EXPECT_FALSE(backoff.IsExhausted());
  backoff.Next();
  EXPECT_FALSE(backoff.IsExhausted());
  backoff.Next();
  EXPECT_TRUE(backoff.IsExhausted());
  EXPECT_EQ(backoff.attempts(), 2u);
}

TEST(BackoffTest, NeverExceedsACeilingBelowTheInitialInterval) {
  Backoff backoff(500ms, 100ms, 3);
  EXPECT_EQ(backoff.Next(), 100ms);
  EXPECT_EQ(backoff.Next(), 100ms);
}

TEST(BackoffTest, DoesNotOverflowAfterManyAttempts) {
  Backoff backoff(1ms, 60000ms, 1000);
  for (int i = 0; i < 999; ++i) backoff.Next();
  EXPECT_EQ(backoff.Next(), 60000ms);
}

}  // namespace
}  // namespace jsp
