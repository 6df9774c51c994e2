#include "test/support/allocations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <new>
#include <vector>
namespace jsp {
namespace {

TEST(AllocationsTest, EveryFormOfNewCountsOnce) {
  const Allocations before = CountAllocations();
  void* plain = ::operator new(100);  // calls, which the compiler may not elide as it may new-expressions
  void* array = ::operator new[](100);
  void* nothrow = ::operator new(100, std::nothrow);
  void* aligned = ::operator new (100, std::align_val_t{128});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(aligned) % 128, 0u);
  const Allocations held = CountAllocations();
  EXPECT_EQ(held.count - before.count, 4u);
  EXPECT_EQ(held.live - before.live, 4u);
  EXPECT_GE(held.octets - before.octets, 400u);
  ::operator delete (aligned, std::align_val_t{128});
  ::operator delete(nothrow);
  ::operator delete[](array);
  ::operator delete(plain);
  const Allocations after = CountAllocations();
  EXPECT_EQ(after.count, held.count);
  EXPECT_EQ(after.live, before.live);
  EXPECT_EQ(after.octets, before.octets);
}

TEST(AllocationsTest, TheLibrarysOwnTakeFromIt) {
  const Allocations before = CountAllocations();
  {
    std::vector<std::shared_ptr<int>> some(10);
    std::ranges::generate(some, [] { return std::make_shared<int>(1); });
    EXPECT_EQ(CountAllocations().live - before.live, 11u);
    std::stable_partition(some.begin(), some.end(), [](const auto& one) { return *one == 2; });
  }
  EXPECT_EQ(CountAllocations().live, before.live);
}

}  // namespace
}  // namespace jsp
