#include "turn/server/quota.h"

#include <gtest/gtest.h>

#include <string>
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
const Timestamp kNow = Timestamp::FromEpoch(100s);

TEST(QuotaTest, CountsAllocationsOfUsersAndInAll) {  // RFC 8656 §5, §7.2
  Quota quota({.total_allocations = 3, .allocations_per_user = 2});
  const UserIndex a = quota.Enter("a");
  EXPECT_FALSE(quota.Judge("a"));
  EXPECT_EQ(quota.Enter("a"), a);
  EXPECT_EQ(quota.Judge("a"), Quota::Refusal::kUser);
  EXPECT_FALSE(quota.Judge("b"));
  const UserIndex b = quota.Enter("b");
  EXPECT_EQ(quota.Judge("c"), Quota::Refusal::kTotal);
  quota.Leave(b);
  EXPECT_FALSE(quota.Judge("c"));
  EXPECT_EQ(quota.users(), 1u);
  quota.Leave(a);
  quota.Leave(a);
  EXPECT_EQ(quota.users(), 0u);
  EXPECT_EQ(quota.allocations(), 0u);
}

TEST(QuotaTest, UsersAreForgottenWithTheirAllocations) {
  Quota quota({});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) quota.Leave(quota.Enter("user" + std::to_string(i)));
  }
  EXPECT_EQ(quota.users(), 0u);
  EXPECT_EQ(quota.Enter("x").value, 0u);  // places are used again
}

TEST(QuotaTest, BandwidthIsOfAUserAndOfAll) {  // RFC 8656 §5
  Quota quota({.bandwidth_per_user = 1000, .total_bandwidth = 1500});
  const UserIndex a = quota.Enter("a");
  const UserIndex b = quota.Enter("b");
  EXPECT_TRUE(quota.TakeBandwidth(kNow, a, 1000));
  EXPECT_FALSE(quota.TakeBandwidth(kNow, a, 1));
  EXPECT_TRUE(quota.TakeBandwidth(kNow, b, 600));
  EXPECT_FALSE(quota.TakeBandwidth(kNow, b, 1));  // all
  EXPECT_TRUE(quota.TakeBandwidth(kNow + 1s, a, 1));
}

}  // namespace
}  // namespace jsp::turn
