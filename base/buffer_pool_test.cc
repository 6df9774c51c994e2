#include "base/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "base/payload.h"
#include "base/rng.h"

namespace jsp {
namespace {

TEST(BufferPoolTest, RoundsUpByAtMostHalf) {
  EXPECT_EQ(BufferPool::RoundUp(0), 64u);
  EXPECT_EQ(BufferPool::RoundUp(64), 64u);
  EXPECT_EQ(BufferPool::RoundUp(65), 96u);
  EXPECT_EQ(BufferPool::RoundUp(96), 96u);
  EXPECT_EQ(BufferPool::RoundUp(97), 128u);
  EXPECT_EQ(BufferPool::RoundUp(1160), 1536u);
  EXPECT_EQ(BufferPool::RoundUp(BufferPool::kLargest), BufferPool::kLargest);
  EXPECT_EQ(BufferPool::RoundUp(BufferPool::kLargest + 1), BufferPool::kLargest + 1);
  for (size_t size = 65; size <= BufferPool::kLargest; size += 7) {
    const size_t rounded = BufferPool::RoundUp(size);
    ASSERT_GE(rounded, size);
    ASSERT_LT(rounded, size + size / 2 + 1) << size;
    ASSERT_EQ(BufferPool::RoundUp(rounded), rounded);
  }
}

TEST(BufferPoolTest, GivesABlockToTheNextTakerOfItsClass) {
  BufferPool pool;
  void* block = pool.Take(1000);
  EXPECT_EQ(pool.kept_octets(), 0u);
  pool.Give(block, 1000);
  EXPECT_EQ(pool.kept_octets(), 1024u);
  void* other = pool.Take(100);
  EXPECT_NE(other, block);
  EXPECT_EQ(pool.Take(900), block);
  EXPECT_EQ(pool.kept_octets(), 0u);
  pool.Give(block, 1024);
  pool.Give(other, 128);
  EXPECT_EQ(pool.kept_octets(), 1024u + 128);
}

TEST(BufferPoolTest, CopiesShareOnePool) {
  BufferPool pool;
  BufferPool other;
  EXPECT_FALSE(pool == other);
  other = pool;
  EXPECT_TRUE(pool == other);
  other.Give(other.Take(64), 64);
  EXPECT_EQ(pool.kept_octets(), 64u);
}

TEST(BufferPoolTest, KeepsNoMoreThanItsLimit) {
  BufferPool pool;
  std::vector<void*> blocks;
  for (size_t i = 0; i < 2 * BufferPool::kMaxKept / 65536; ++i) blocks.push_back(pool.Take(65536));
  for (void* block : blocks) pool.Give(block, 65536);
  EXPECT_EQ(pool.kept_octets(), BufferPool::kMaxKept);
}

TEST(BufferPoolTest, WhatIsInUseDrivesOutWhatIsNot) {
  BufferPool pool;
  std::vector<void*> blocks;
  for (size_t i = 0; i < BufferPool::kMaxKept / 65536; ++i) blocks.push_back(pool.Take(65536));
  for (void* block : blocks) pool.Give(block, 65536);
  // Full of blocks that nobody asks for any more.
  void* block = pool.Take(1024);
  pool.Give(block, 1024);
  EXPECT_EQ(pool.kept_octets(), BufferPool::kMaxKept - 65536 + 1024);
  EXPECT_EQ(pool.Take(1024), block);
  pool.Give(block, 1024);
}

TEST(BufferPoolTest, DoesNotKeepWhatIsLargerThanItsLargestClass) {
  BufferPool pool;
  const size_t size = BufferPool::kLargest + 1;
  pool.Give(pool.Take(size), size);
  EXPECT_EQ(pool.kept_octets(), 0u);
}

TEST(BufferPoolTest, GivesBackAllWhenItsOwnerIsIdle) {
  BufferPool pool;
  for (size_t size = 1; size < BufferPool::kLargest; size *= 3) pool.Give(pool.Take(size), size);
  EXPECT_GT(pool.kept_octets(), 0u);
  pool.Trim();
  EXPECT_EQ(pool.kept_octets(), 0u);
}

TEST(BufferPoolTest, MayEndBeforeItsPayloads) {
  auto pool = std::make_unique<BufferPool>();
  Payload kept(*pool, std::vector<uint8_t>(1000, 7));
  { const Payload given_back(*pool, std::vector<uint8_t>(100, 7)); }
  pool.reset();
  kept.resize(5000);  // takes from the heap, and goes back to it
  EXPECT_EQ(kept[999], 7);
  EXPECT_EQ(kept[1000], 0);
}

TEST(PoolAllocatorTest, NodesOfContainersComeFromThePool) {
  BufferPool pool;
  using Map = std::map<int, int, std::less<>, PoolAllocator<std::pair<const int, int>>>;
  Map map{PoolAllocator<std::pair<const int, int>>(pool)};
  for (int i = 0; i < 10; ++i) map.emplace(i, i);
  EXPECT_EQ(pool.kept_octets(), 0u);
  auto node = map.extract(3);
  map.clear();
  const size_t kept = pool.kept_octets();
  EXPECT_EQ(kept % 9, 0u);
  EXPECT_GE(kept, 9 * sizeof(std::pair<const int, int>));
  map.insert(std::move(node));
  for (int i = 10; i < 19; ++i) map.emplace(i, i);
  EXPECT_EQ(pool.kept_octets(), 0u);
  Map moved = std::move(map);
  EXPECT_EQ(moved.size(), 10u);
}

TEST(PoolAllocatorTest, AContainerOutlivesItsPool) {
  std::list<int, PoolAllocator<int>> list{PoolAllocator<int>(BufferPool())};
  list.push_back(1);
  list.push_back(2);
  EXPECT_EQ(list.back(), 2);
}

// Payloads of random sizes, moved about and dropped in any order, keep their octets; the pool stays within its limit.
TEST(BufferPoolTest, RandomUseKeepsContentsApart) {
  constexpr uint64_t kSeed = 20;
  Rng rng = Rng::FromNumber(kSeed);
  BufferPool pool;
  std::vector<std::pair<Payload, uint8_t>> held;
  for (int step = 0; step < 3000; ++step) {
    const auto mark = static_cast<uint8_t>(step);
    if (held.size() < 20 || rng.Below(2) == 0) {
      const std::vector<uint8_t> octets(rng.Below(100'000), mark);
      held.emplace_back(Payload(pool, octets), mark);
    } else {
      const size_t at = rng.Below(held.size());
      for (uint8_t octet : held[at].first) ASSERT_EQ(octet, held[at].second) << "seed " << kSeed << " step " << step;
      std::swap(held[at], held.back());
      held.pop_back();
    }
    ASSERT_LE(pool.kept_octets(), BufferPool::kMaxKept);
  }
}

}  // namespace
}  // namespace jsp
