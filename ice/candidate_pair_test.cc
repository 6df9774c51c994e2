#include "ice/candidate_pair.h"

#include <gtest/gtest.h>

#include <unordered_set>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

CandidatePair Make(uint64_t priority, const char* remote) {
  CandidatePair pair;
  pair.addresses = {Address("10.0.0.1:1"), Address(remote)};
  pair.priority = priority;
  return pair;
}

TEST(CandidatePairTest, OrdersByPriorityAndThenFixedly) {  // RFC 8445 §6.1.2.3
  const CandidatePair high = Make(2, "192.0.2.9:9");
  const CandidatePair low = Make(1, "192.0.2.9:1");
  EXPECT_TRUE(IsPreferred(high, low));
  EXPECT_FALSE(IsPreferred(low, high));
  const CandidatePair other = Make(1, "192.0.2.9:2");
  EXPECT_TRUE(IsPreferred(low, other));
  EXPECT_FALSE(IsPreferred(other, low));
  EXPECT_FALSE(IsPreferred(low, low));
}

TEST(CandidatePairTest, HashesBothAddressesInOrder) {
  const AddressPair pair{Address("10.0.0.1:1"), Address("192.0.2.9:2")};
  const AddressPair swapped{pair.remote, pair.local};
  EXPECT_NE(AddressPairHash{}(pair), AddressPairHash{}(swapped));
  std::unordered_set<size_t> hashes;
  for (uint16_t port = 1; port <= 1000; ++port) {
    hashes.insert(AddressPairHash{}({pair.local, {pair.remote.ip, port}}));
  }
  EXPECT_GT(hashes.size(), 990u);
}

}  // namespace
}  // namespace jsp::ice
