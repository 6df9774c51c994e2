#include "sctp/tx/fragmenter.h"

#include <gtest/gtest.h>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

constexpr size_t kMax = 1000;

TEST(FragmenterTest, SendsWhatFitsWhole) {
  EXPECT_EQ(NextFragmentLength(1, kMax, kMax), 1u);
  EXPECT_EQ(NextFragmentLength(999, kMax, kMax), 999u);
  EXPECT_EQ(NextFragmentLength(1000, kMax, kMax), 1000u);
}

TEST(FragmenterTest, FillsAnEmptyPacketWithTheFirstPartOfALongMessage) {
  EXPECT_EQ(NextFragmentLength(1001, kMax, kMax), kMax);
  EXPECT_EQ(NextFragmentLength(1 << 20, kMax, kMax), kMax);
}

TEST(FragmenterTest, BundlesASmallMessageIntoTheRestOfAPacket) {
  EXPECT_EQ(NextFragmentLength(10, 10, kMax), 10u);
  EXPECT_EQ(NextFragmentLength(1, 1, kMax), 1u);
}

TEST(FragmenterTest, FillsTheRestOfAPacketWhenItIsWorthTheHeaders) {
  EXPECT_EQ(NextFragmentLength(5000, 250, kMax), 248u);
  EXPECT_EQ(NextFragmentLength(5000, 700, kMax), 700u);
}

// RFC 9260 §6.1 A: the silly window, seen from the sender.
TEST(FragmenterTest, WaitsForTheNextPacketRatherThanSendASliver) {
  EXPECT_EQ(NextFragmentLength(5000, 249, kMax), 0u);
  EXPECT_EQ(NextFragmentLength(5000, 1, kMax), 0u);
  EXPECT_EQ(NextFragmentLength(11, 10, kMax), 0u);
}

TEST(FragmenterTest, FillsThePacketBehindAFullOneWithAlmostAnything) {
  EXPECT_EQ(NextFragmentLength(5000, 249, kMax, Follows::kFullPacket), 248u);
  EXPECT_EQ(NextFragmentLength(5000, kMinTrainPiece, kMax, Follows::kFullPacket), kMinTrainPiece);
  EXPECT_EQ(NextFragmentLength(5000, kMinTrainPiece - 1, kMax, Follows::kFullPacket), 0u);
}

TEST(FragmenterTest, WantsNothingOfAFullPacket) { EXPECT_EQ(NextFragmentLength(1, 0, kMax), 0u); }

// A piece in the middle ends on a boundary of four octets: its padding would be wasted.
TEST(FragmenterTest, PadsNoPieceButTheLast) {
  for (size_t room = kMax / 4; room < kMax; ++room) {
    EXPECT_EQ(NextFragmentLength(5000, room, kMax) % 4, 0u) << room;
    EXPECT_GE(NextFragmentLength(5000, room, kMax) + 3, room) << room;
  }
}

TEST(FragmenterTest, NeverTakesMoreThanThereIsOrFits) {
  Rng rng = Rng::FromNumber(11);
  for (int i = 0; i < 20000; ++i) {
    const size_t max = 8 + rng.Below(2000);
    const size_t room = rng.Below(max + 50);
    const size_t remaining = 1 + rng.Below(4000);
    const size_t length = NextFragmentLength(remaining, room, max);
    ASSERT_LE(length, room);
    ASSERT_LE(length, remaining);
    ASSERT_LE(length, max);
  }
}

// No message can get stuck: an empty packet always takes something.
TEST(FragmenterTest, AlwaysMakesProgressInAnEmptyPacket) {
  for (size_t max = 4; max < 1500; max += 4) {
    for (const size_t remaining : {size_t{1}, max - 1, max, max + 1, 100 * max}) {
      size_t left = remaining;
      size_t pieces = 0;
      while (left > 0) {
        const size_t length = NextFragmentLength(left, max, max);
        ASSERT_GT(length, 0u);
        left -= length;
        ++pieces;
      }
      ASSERT_EQ(pieces, (remaining + max - 1) / max);
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
