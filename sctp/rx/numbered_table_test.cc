#include "sctp/rx/numbered_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "test/support/allocations.h"
namespace jsp::sctp {
namespace {

using Table = NumberedTable<uint16_t, std::unique_ptr<int>>;

Table::Id Add(Table& table, uint32_t group, uint16_t number) {
  return table.Add(group, number, std::make_unique<int>(number));
}
std::vector<int> Collect(const Table& table, uint32_t group, uint16_t from, uint16_t count) {
  std::vector<Table::Id> ids;
  table.Collect(group, from, count, ids);
  std::vector<int> values;
  for (const Table::Id id : ids) values.push_back(*table[id]);
  return values;
}

TEST(NumberedTableTest, FindsWhatWasAddedUntilItIsTaken) {
  Table table(1);
  EXPECT_EQ(table.Find(0, 0), Table::kNone);
  EXPECT_EQ(table.First(0), Table::kNone);
  const auto id = Add(table, 7, 9);
  EXPECT_EQ(table.Find(7, 9), id);
  EXPECT_EQ(table.NumberOf(id), 9);
  EXPECT_EQ(table.GroupOf(id), 7u);
  EXPECT_EQ(table.Find(7, 8), Table::kNone);
  EXPECT_EQ(table.Find(9, 7), Table::kNone);
  EXPECT_EQ(*table.Take(id), 9);
  EXPECT_EQ(table.Find(7, 9), Table::kNone);
  EXPECT_TRUE(table.empty());
}

TEST(NumberedTableTest, C19_CollectsInOrderOverTheWrap) {
  Table table(1);
  for (const int number : {3, 65535, 0, 65534, 40000}) Add(table, 1, static_cast<uint16_t>(number));
  Add(table, 2, 65535);
  EXPECT_EQ(Collect(table, 1, 65534, 3), (std::vector{65534, 65535, 0}));       // by number
  EXPECT_EQ(Collect(table, 1, 65534, 100), (std::vector{65534, 65535, 0, 3}));  // by group
  EXPECT_EQ(Collect(table, 1, 4, 10), std::vector<int>{});
  EXPECT_EQ(Collect(table, 3, 0, 65535), std::vector<int>{});
  EXPECT_EQ(Collect(table, 1, 0, 0), std::vector<int>{});
}

TEST(NumberedTableTest, C22_AFarNumberCostsAsMuchAsANearOne) {
  const auto octets_of = [](uint16_t step) {
    Table table(1);
    const uint64_t before = CountAllocations().octets;
    for (uint32_t i = 0; i < 1000; ++i) Add(table, i, static_cast<uint16_t>(i * step));
    return CountAllocations().octets - before;
  };
  EXPECT_EQ(octets_of(1), octets_of(32749));
}

TEST(NumberedTableTest, KeepsItsStorageUntilItIsTrimmed) {
  Table table(1);
  std::vector<std::unique_ptr<int>> values(100);
  const auto round = [&] {
    for (uint16_t i = 0; i < 100; ++i) table.Add(i % 3u, i, std::move(values[i]));
    for (uint16_t i = 0; i < 100; ++i) values[i] = table.Take(table.Find(i % 3u, i));
  };
  round();
  const uint64_t before = CountAllocations().count;
  for (int i = 0; i < 10; ++i) round();
  EXPECT_EQ(CountAllocations().count - before, 0u);
  table.Trim();
  round();
  EXPECT_GT(CountAllocations().count - before, 0u);
}

// Against a map, with few groups and numbers so that all of them meet.
TEST(NumberedTableTest, DoesWhatAMapDoes) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    Table table(rng.Random<uint64_t>());
    std::map<std::pair<uint32_t, uint16_t>, int> model;
    for (int step = 0; step < 2000; ++step) {
      const auto group = static_cast<uint32_t>(rng.Below(5));
      const auto number = static_cast<uint16_t>(65500 + rng.Below(100));
      const auto id = table.Find(group, number);
      ASSERT_EQ(id != Table::kNone, model.contains({group, number}));
      if (id == Table::kNone) {
        Add(table, group, number);
        model[{group, number}] = number;
      } else if (rng.Below(2) == 0) {
        ASSERT_EQ(*table.Take(id), number);
        model.erase({group, number});
      }
      ASSERT_EQ(table.size(), model.size());
      const auto of_group = std::ranges::count_if(model, [&](const auto& each) { return each.first.first == group; });
      int seen = 0;
      for (auto each = table.First(group); each != Table::kNone; each = table.After(each)) ++seen;
      ASSERT_EQ(seen, of_group);
      const auto count = static_cast<uint16_t>(rng.Below(120));
      std::vector<int> expected;
      for (uint16_t i = 0; i < count; ++i) {
        const auto at = static_cast<uint16_t>(number + i);
        if (model.contains({group, at})) expected.push_back(at);
      }
      ASSERT_EQ(Collect(table, group, number, count), expected);
    }
  }
}

// C22: numbers with nothing in their low bits, which many hashes throw into one bucket.
TEST(NumberedTableTest, C22_ChosenNumbersDoNotMeet) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    NumberedTable<uint32_t, int> table(Rng::FromNumber(seed).Random<uint64_t>());
    for (uint32_t i = 0; i < 4096; ++i) table.Add(i % 64, i << 20, 0);
    EXPECT_LT(table.longest_bucket(), 64u);
  }
}

}  // namespace
}  // namespace jsp::sctp
