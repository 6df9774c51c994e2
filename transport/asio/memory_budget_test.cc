#include "transport/asio/memory_budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>
namespace jsp::transport::io {
namespace {

TEST(MemoryBudgetTest, GrantsItsLimitAndNotAnOctetMore) {
  MemoryBudget budget(1000);
  EXPECT_TRUE(budget.Take(600));
  EXPECT_FALSE(budget.Take(401));
  EXPECT_TRUE(budget.Take(400));
  EXPECT_FALSE(budget.Take(1));
  EXPECT_FALSE(budget.Take(SIZE_MAX));
  EXPECT_EQ(budget.refusals(), 3u);
  budget.Give(600);
  EXPECT_EQ(budget.used(), 400u);
  EXPECT_TRUE(budget.Take(600));
}

TEST(MemoryBudgetTest, ThreadsTogetherStayBelowIt) {
  constexpr size_t kLimit = 64 * MemoryShare::kStep;
  const auto budget = std::make_shared<MemoryBudget>(kLimit);
  const MemorySource source = MemoryBudget::SourceOf(budget);
  std::atomic<size_t> covered{0};
  std::atomic<bool> has_exceeded{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 5000; ++i) {
        MemoryShare share(source);
        const size_t octets = (1 + (i * 7 + t) % 40) * MemoryShare::kStep;
        if (!share.Cover(octets)) continue;
        if (covered.fetch_add(octets) + octets > kLimit) has_exceeded = true;
        covered.fetch_sub(octets);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(has_exceeded);
  EXPECT_EQ(budget->used(), 0u);
}

}  // namespace
}  // namespace jsp::transport::io
