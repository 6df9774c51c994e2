#include "sctp/rx/tsn_ring.h"

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <optional>

#include "base/rng.h"
#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

// Offsets are from just before the wrap of TSNs (C19).
class RingAndMap {
 public:
  void Insert(int64_t offset, TsnRing::Id id) {
    ASSERT_TRUE(ring.MakeRoom(TsnAt(offset)));
    ring.Insert(TsnAt(offset), id);
    map[offset] = id;
  }
  void Erase(int64_t offset) {
    ring.Erase(TsnAt(offset));
    map.erase(offset);
  }
  void ExpectEqual() const {
    ASSERT_TRUE(ring.IsConsistent());
    ASSERT_EQ(ring.size(), map.size());
    ASSERT_EQ(ring.Lowest(), map.empty() ? std::nullopt : std::optional(TsnAt(map.begin()->first)));
  }
  void ExpectEqualAt(int64_t offset) const {
    const auto found = map.find(offset);
    ASSERT_EQ(ring.Find(TsnAt(offset)), found == map.end() ? std::nullopt : std::optional(found->second)) << offset;
    const auto next = map.lower_bound(offset);
    ASSERT_EQ(ring.Next(TsnAt(offset)), next == map.end() ? std::nullopt : std::optional(TsnAt(next->first))) << offset;
  }

  TsnRing ring;
  std::map<int64_t, TsnRing::Id> map;
};

TEST(TsnRingTest, AgreesWithAMapUnderRandomCommands) {
  for (const uint64_t spread : {20u, 300u, 5000u, 60000u}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " spread " << spread);
      Rng rng = Rng::FromNumber(seed);
      RingAndMap both;
      int64_t base = 0;
      for (int step = 0; step < 3000 && !testing::Test::HasFatalFailure(); ++step) {
        const int64_t offset = base + static_cast<int64_t>(rng.Below(spread));
        both.ExpectEqualAt(offset);
        both.ExpectEqualAt(offset - static_cast<int64_t>(spread));
        if (both.map.contains(offset)) {
          both.Erase(offset);
        } else if (rng.Below(3) != 0) {
          both.Insert(offset, static_cast<TsnRing::Id>(rng.Below(0x10000)));
        }
        // The window moves on, and what is behind it goes.
        if (rng.Below(20) == 0) base += static_cast<int64_t>(rng.Below(spread));
        while (!both.map.empty() && both.map.begin()->first < base) both.Erase(both.map.begin()->first);
        if (step % 50 == 0) both.ExpectEqual();
      }
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
  }
}

TEST(TsnRingTest, AWindowThatMovesKeepsASmallRing) {
  RingAndMap both;
  for (int64_t offset = 0; offset < 300'000; ++offset) {
    both.Insert(offset, 1);
    if (offset >= 40) both.Erase(offset - 40);
  }
  EXPECT_EQ(both.ring.capacity(), TsnRing::kMinCapacity);
  both.ExpectEqual();
}

TEST(TsnRingTest, AHostileJumpIsBoundedAndRefusedBeyond) {
  RingAndMap both;
  both.Insert(0, 1);
  const auto span = static_cast<int64_t>(TsnRing::kMaxSpan);
  both.Insert(span - 1, 2);
  EXPECT_EQ(both.ring.capacity(), TsnRing::kMaxSpan);
  for (const int64_t far : {span, span * 2, int64_t{1} << 40, -int64_t{1}, -span, -(int64_t{1} << 40)}) {
    EXPECT_FALSE(both.ring.MakeRoom(TsnAt(far))) << far;
  }
  both.ExpectEqual();
  both.ExpectEqualAt(0);
  both.ExpectEqualAt(span - 1);
  // The lowest one gone, the window reaches as much further.
  both.Erase(0);
  EXPECT_TRUE(both.ring.MakeRoom(TsnAt(span * 2 - 2)));
}

TEST(TsnRingTest, GivesItsStorageBackOnlyWhenNothingIsInUse) {
  RingAndMap both;
  both.Insert(5, 1);
  both.Insert(5000, 2);
  both.ring.Trim();
  both.ExpectEqual();
  EXPECT_GE(both.ring.capacity(), 5000u);
  both.Erase(5);
  both.Erase(5000);
  both.ring.Trim();
  EXPECT_EQ(both.ring.capacity(), 0u);
  both.ExpectEqual();
  both.Insert(-3, 7);  // and begins anew anywhere
  both.ExpectEqual();
  both.ExpectEqualAt(-3);
}

}  // namespace
}  // namespace jsp::sctp
