#include "dtls/clock_shim.h"

#include <gtest/gtest.h>
#include <openssl/rand.h>
#include <sys/time.h>

#include <array>
namespace jsp::dtls {
namespace {

using namespace std::chrono_literals;

int64_t Microseconds() {
  timeval now = {};
  EXPECT_EQ(gettimeofday(&now, nullptr), 0);
  return int64_t{now.tv_sec} * 1000000 + now.tv_usec;
}

// This binary links //dtls:virtual_clock.
TEST(ClockShimTest, GettimeofdayAnswersTheInnermostScope) {
  EXPECT_EQ(CurrentOpenSslTime(), std::nullopt);
  {
    const ScopedOpenSslClock outer(Timestamp::FromEpoch(5s + 7us));
    EXPECT_EQ(Microseconds(), 5000007);
    {
      const ScopedOpenSslClock inner(Timestamp::FromEpoch(0s));
      EXPECT_EQ(Microseconds(), 0);
    }
    EXPECT_EQ(Microseconds(), 5000007);
  }
  EXPECT_EQ(CurrentOpenSslTime(), std::nullopt);
}

TEST(ClockShimTest, GettimeofdayAnswersTheRealTimeOutsideOfAnyScope) {
  EXPECT_GT(Microseconds(), int64_t{1577836800} * 1000000);  // after 2019
}

std::array<uint8_t, 40> RandomOctets() {
  std::array<uint8_t, 40> octets{};
  EXPECT_EQ(RAND_bytes(octets.data(), 20), 1);
  EXPECT_EQ(RAND_priv_bytes(octets.data() + 20, 20), 1);
  return octets;
}

TEST(ClockShimTest, SeededRandomNumbersRepeat) {
  ASSERT_TRUE(SeedOpenSslRandomForSimulation(3));
  const auto first = RandomOctets();
  const auto second = RandomOctets();
  EXPECT_NE(first, second);
  ASSERT_TRUE(SeedOpenSslRandomForSimulation(3));
  EXPECT_EQ(RandomOctets(), first);
  ASSERT_TRUE(SeedOpenSslRandomForSimulation(4));
  EXPECT_NE(RandomOctets(), first);
  EXPECT_EQ(RAND_status(), 1);
}

}  // namespace
}  // namespace jsp::dtls
