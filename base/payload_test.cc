#include "base/payload.h"

#include <gtest/gtest.h>

#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jsp {
namespace {

using Octets = std::vector<uint8_t>;

static_assert(!std::is_copy_constructible_v<Payload> && std::is_nothrow_move_constructible_v<Payload>);
static_assert(std::is_convertible_v<const Payload&, std::span<const uint8_t>>);
static_assert(std::is_convertible_v<Octets, Payload>);

TEST(PayloadTest, IsEmptyAtFirst) {
  Payload payload;
  EXPECT_TRUE(payload.empty());
  EXPECT_EQ(payload.size(), 0u);
  EXPECT_EQ(payload.begin(), payload.end());
  EXPECT_EQ(payload, Octets());
}

TEST(PayloadTest, TakesAVectorWithoutACopy) {
  Octets octets = {1, 2, 3};
  const uint8_t* storage = octets.data();
  Payload payload(std::move(octets));
  EXPECT_EQ(payload.data(), storage);
  EXPECT_EQ(payload, Octets({1, 2, 3}));
  Payload moved = std::move(payload);
  EXPECT_EQ(moved.data(), storage);
  const Octets back = std::move(moved).IntoVector();
  EXPECT_EQ(back.data(), storage);
  EXPECT_TRUE(moved.empty());  // NOLINT: as vectors are after a move
}

TEST(PayloadTest, GrowsOutOfAVectorThatWasMovedIn) {
  Payload payload(Octets{1, 2});
  payload.append(Octets{3});
  payload.push_back(4);
  EXPECT_EQ(payload, Octets({1, 2, 3, 4}));
  payload.resize(1);
  EXPECT_EQ(std::move(payload).IntoVector(), Octets{1});
}

TEST(PayloadTest, AShrunkVectorComesBackShrunk) {
  Payload payload(Octets{1, 2, 3});
  payload.resize(2);
  EXPECT_EQ(std::move(payload).IntoVector(), Octets({1, 2}));
}

TEST(PayloadTest, IsMadeOfWhatHoldsOctets) {
  EXPECT_EQ(Payload("ab"), Octets({'a', 'b'}));
  EXPECT_EQ(Payload({5, 6}), Octets({5, 6}));
  const Octets octets{1, 2, 3};
  EXPECT_EQ(Payload(std::span(octets).first(2)), Octets({1, 2}));
  EXPECT_EQ(Payload(octets.begin() + 1, octets.end()), Octets({2, 3}));
  EXPECT_EQ(Payload("xyz").text(), "xyz");
}

TEST(PayloadTest, NewOctetsAreZero) {
  Payload payload;
  payload.resize(3);
  EXPECT_EQ(payload, Octets({0, 0, 0}));
  payload[1] = 9;
  payload.resize(1);
  payload.resize(3);
  EXPECT_EQ(payload, Octets({0, 0, 0}));
  payload.assign(2, 5);
  EXPECT_EQ(payload, Octets({5, 5}));
}

TEST(PayloadTest, AppendingDoublesTheStorage) {
  BufferPool pool;
  Payload payload(pool);
  const Octets fragment(1000, 3);
  int moves = 0;
  for (int i = 0; i < 64; ++i) {
    const size_t before = payload.capacity();
    payload.append(fragment);
    if (payload.capacity() != before) ++moves;
  }
  EXPECT_EQ(payload.size(), 64'000u);
  EXPECT_LE(moves, 7);
  EXPECT_LE(payload.capacity(), 128'000u);
}

TEST(PayloadTest, ReservesOnceForWhatIsKnown) {
  BufferPool pool;
  Payload payload(pool);
  payload.reserve(5000);
  const uint8_t* storage = payload.data();
  payload.append(Octets(5000, 1));
  EXPECT_EQ(payload.data(), storage);
}

TEST(PayloadTest, ReturnsItsStorageToThePool) {
  BufferPool pool;
  const uint8_t* storage = nullptr;
  {
    Payload payload(pool, Octets(1000, 1));
    storage = payload.data();
    Payload moved;
    moved = std::move(payload);
    EXPECT_EQ(moved.data(), storage);
  }
  EXPECT_EQ(pool.kept_octets(), 1024u);
  EXPECT_EQ(Payload(pool, Octets(1010, 1)).data(), storage);
  // Growing gives the old storage back, too.
  Payload grown(pool, Octets(1000, 1));
  grown.append(Octets(1000, 2));
  EXPECT_EQ(pool.kept_octets(), 1024u);
  EXPECT_EQ(grown[999], 1);
  EXPECT_EQ(grown[1000], 2);
}

TEST(PayloadTest, AssignmentGivesBackWhatWasThere) {
  BufferPool pool;
  Payload payload(pool, Octets(1000, 1));
  payload = Payload(pool, Octets(64, 2));
  EXPECT_EQ(pool.kept_octets(), 1024u);
  payload = Octets{1};
  EXPECT_EQ(pool.kept_octets(), 1024u + 64);
  EXPECT_EQ(payload, Octets{1});
  payload = {};
  EXPECT_TRUE(payload.empty());
  auto& same = payload;
  payload = Octets{7};
  payload = std::move(same);
  EXPECT_EQ(payload, Octets{7});
}

TEST(PayloadTest, DetachedItIsPlainMemoryInTheSamePlace) {
  BufferPool pool;
  Payload payload(pool, Octets(1000, 1));
  const uint8_t* storage = payload.data();
  payload.Detach();
  EXPECT_EQ(payload.data(), storage);
  payload.append(Octets(1000, 2));
  payload = {};
  EXPECT_EQ(pool.kept_octets(), 0u);
  payload.Detach();  // of no pool
}

TEST(PayloadTest, IntoVectorCopiesWhatAPoolHas) {
  BufferPool pool;
  Payload payload(pool, Octets{1, 2, 3});
  EXPECT_EQ(std::move(payload).IntoVector(), Octets({1, 2, 3}));
  EXPECT_EQ(pool.kept_octets(), 64u);
}

TEST(PayloadTest, AClearedOneKeepsItsStorage) {
  BufferPool pool;
  Payload payload(pool, Octets(1000, 1));
  const uint8_t* storage = payload.data();
  payload.clear();
  payload.append(Octets(900, 2));
  EXPECT_EQ(payload.data(), storage);
  EXPECT_EQ(payload.size(), 900u);
}

TEST(PayloadTest, AClonesOctetsAreItsOwn) {
  const Payload payload({1, 2});
  Payload clone = payload.Clone();
  clone[0] = 9;
  EXPECT_EQ(payload, Octets({1, 2}));
  EXPECT_EQ(clone, Octets({9, 2}));
  EXPECT_FALSE(payload == clone);
}

}  // namespace
}  // namespace jsp
