#include "base/few_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>

namespace jsp {
namespace {

TEST(FewMapTest, FindsWhatWasPutThereAndNothingElse) {
  FewMap<uint16_t, int> map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.Find(7), nullptr);
  const auto [value, is_new] = map.TryEmplace(7, 70);
  EXPECT_TRUE(is_new);
  EXPECT_EQ(*value, 70);
  const auto [same, is_again] = map.TryEmplace(7, 71);
  EXPECT_FALSE(is_again);
  EXPECT_EQ(*same, 70) << "what was there stays";
  map[8] += 80;
  EXPECT_TRUE(map.Contains(8));
  EXPECT_FALSE(map.Contains(9));
  EXPECT_EQ(map.size(), 2u);
  EXPECT_TRUE(map.Erase(7));
  EXPECT_FALSE(map.Erase(7));
  ASSERT_NE(map.Find(8), nullptr);
  EXPECT_EQ(*map.Find(8), 80);
  map.Clear();
  EXPECT_TRUE(map.empty());
}

// The key may be part of what goes.
TEST(FewMapTest, ErasesByAKeyThatItHoldsItself) {
  for (const size_t count : {3u, 100u}) {
    FewMap<uint32_t, uint32_t> map;
    for (uint32_t i = 0; i < count; ++i) map[i] = i;
    EXPECT_TRUE(map.Erase(*map.Find(1)));
    EXPECT_EQ(map.size(), count - 1);
    EXPECT_FALSE(map.Contains(1));
  }
}

TEST(FewMapTest, HoldsValuesThatOnlyMove) {
  FewMap<uint16_t, std::unique_ptr<int>> map;
  for (uint16_t i = 0; i < 40; ++i) map.TryEmplace(i, std::make_unique<int>(i));
  const int* third = map.Find(3)->get();
  for (uint16_t i = 4; i < 40; ++i) map.Erase(i);
  EXPECT_EQ(map.Find(3)->get(), third);
  EXPECT_EQ(**map.Find(0), 0);
}

// Around kFew, where array and table change places, and far beyond.
TEST(FewMapTest, DoesWhatAMapDoes) {
  for (const unsigned keys : {4u, 8u, 9u, 12u, 2000u}) {
    std::mt19937 random(keys);
    FewMap<uint16_t, uint32_t> map;
    std::map<uint16_t, uint32_t> oracle;
    for (int step = 0; step < 5000; ++step) {
      const auto key = static_cast<uint16_t>(random() % keys);
      if (random() % 2 == 0) {
        const auto value = static_cast<uint32_t>(random());
        EXPECT_EQ(map.TryEmplace(key, value).second, oracle.try_emplace(key, value).second);
      } else {
        EXPECT_EQ(map.Erase(key), oracle.erase(key) > 0);
      }
      ASSERT_EQ(map.size(), oracle.size());
      const auto expected = oracle.find(key);
      const uint32_t* found = map.Find(key);
      ASSERT_EQ(found != nullptr, expected != oracle.end());
      EXPECT_TRUE(found == nullptr || *found == expected->second);
    }
    std::map<uint16_t, uint32_t> visited;
    std::as_const(map).ForEach([&](uint16_t key, uint32_t value) { EXPECT_TRUE(visited.emplace(key, value).second); });
    EXPECT_EQ(visited, oracle) << keys;
  }
}

}  // namespace
}  // namespace jsp
