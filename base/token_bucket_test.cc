#include "base/token_bucket.h"

#include <gtest/gtest.h>
namespace jsp {
namespace {

using namespace std::chrono_literals;
const Timestamp kNow = Timestamp::FromEpoch(100s);

TEST(TokenBucketTest, GivesABurstAndThenTheRate) {
  TokenBucket bucket(10, 20);
  int taken = 0;
  while (bucket.Take(kNow, 1)) ++taken;
  EXPECT_EQ(taken, 20);
  EXPECT_FALSE(bucket.Take(kNow + 99ms, 1));
  EXPECT_TRUE(bucket.Take(kNow + 100ms, 1));
  EXPECT_FALSE(bucket.Take(kNow + 199ms, 1));
  EXPECT_TRUE(bucket.Take(kNow + 200ms, 1));
  taken = 0;
  while (bucket.Take(kNow + 1h, 1)) ++taken;
  EXPECT_EQ(taken, 20);
}

TEST(TokenBucketTest, LosesNoFractions) {  // asked a thousand times a second, it still gives ten
  TokenBucket bucket(10, 1);
  int taken = 0;
  for (int ms = 0; ms < 10000; ++ms) taken += bucket.Take(kNow + Duration(1000 * ms), 1);
  EXPECT_GE(taken, 100);
  EXPECT_LE(taken, 101);
}

TEST(TokenBucketTest, ADebtIsPaidFirst) {
  TokenBucket bucket(1000, 1000);
  EXPECT_TRUE(bucket.Take(kNow, 64000));  // larger than the burst: once
  EXPECT_FALSE(bucket.Take(kNow + 63s, 1));
  EXPECT_TRUE(bucket.Take(kNow + 64s, 1));
}

TEST(TokenBucketTest, NoRateIsNoLimit) {
  TokenBucket bucket;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(bucket.Take(kNow, 1'000'000'000));
}

TEST(TokenBucketTest, HugeRatesDoNotOverflow) {
  TokenBucket bucket(100'000'000'000, 100'000'000'000);
  EXPECT_TRUE(bucket.Take(kNow, 99'999'999'999));
  EXPECT_TRUE(bucket.Take(kNow + 24h * 365, 99'999'999'999));
}

TEST(StrangerLimitTest, T6_IsOfFixedSizeAndBySource) {
  Rng rng = Rng::FromNumber(1);
  StrangerLimit limit(2, rng);
  const auto take = [&](const IpAddress& ip) {
    int taken = 0;
    while (limit.Take(kNow, ip)) ++taken;
    return taken;
  };
  EXPECT_EQ(take(*IpAddress::Parse("192.0.2.1")), 20);
  EXPECT_EQ(take(*IpAddress::Parse("192.0.2.2")), 20);
  EXPECT_EQ(take(*IpAddress::Parse("2001:db8::1")), 20);
  EXPECT_EQ(take(*IpAddress::Parse("2001:db8::2")), 0);  // the same /64
  EXPECT_EQ(take(*IpAddress::Parse("2001:db8:0:1::2")), 20);
}

TEST(StrangerLimitTest, SpreadsSourcesAndIsKeyed) {
  Rng rng = Rng::FromNumber(1);
  StrangerLimit limit(1, rng);
  int first = 0;
  for (uint32_t i = 0; i < 1000; ++i) first += limit.Take(kNow, IpAddress::V4(0x0a000000 + i));
  EXPECT_EQ(first, 1000);  // ten each: of 4,096 buckets no ten of a thousand share one
  StrangerLimit unlimited(0, rng);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(unlimited.Take(kNow, {}));
}

}  // namespace
}  // namespace jsp
