#include "sctp/packet/chunk/sack.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

// The example of RFC 9260 §3.3.4, and two duplicates.
constexpr char kExample[] = "03000020 0000000c 00001234 0002 0002  0002 0003 0005 0005  0000000a 0000000b";

TEST(SackChunkTest, ParsesCapture) {  // RFC 9260 §3.3.4
  const auto octets = Hex(kExample);
  const auto sack = ParseOctets<SackChunk, ChunkView>(octets);
  ASSERT_TRUE(sack);
  EXPECT_EQ(sack->cumulative_tsn_ack, Tsn(12));
  EXPECT_EQ(sack->a_rwnd, 4660u);
  ASSERT_EQ(sack->gap_ack_blocks.size(), 2u);
  EXPECT_EQ(sack->gap_ack_blocks[0], (GapAckBlock{2, 3}));
  EXPECT_EQ(sack->gap_ack_blocks[1], (GapAckBlock{5, 5}));
  ASSERT_EQ(sack->duplicate_tsns.size(), 2u);
  EXPECT_EQ(sack->duplicate_tsns[0], Tsn(10));
  EXPECT_EQ(sack->duplicate_tsns[1], Tsn(11));
}

TEST(SackChunkTest, RoundTrips) {
  const auto octets = Hex(kExample);
  const auto sack = ParseOctets<SackChunk, ChunkView>(octets);
  ASSERT_TRUE(sack);
  EXPECT_EQ(Written(*sack), octets);
}

TEST(SackChunkTest, WritesTheOwnersLists) {
  const std::vector<GapAckBlock> blocks{{2, 3}, {5, 5}};
  const std::vector<Tsn> duplicates{Tsn(10), Tsn(11)};
  const SackChunk sack{Tsn(12), 4660, std::span<const GapAckBlock>(blocks), std::span<const Tsn>(duplicates)};
  EXPECT_EQ(Written(sack), Hex(kExample));
}

TEST(SackChunkTest, RejectsEveryTruncation) {
  const auto octets = Hex(kExample);
  ExpectEveryTruncationRefused<SackChunk, ChunkView>(octets, octets.size());
  ExpectOtherTypeRefused<SackChunk, ChunkView>(octets);
}

TEST(SackChunkTest, RejectsBadLength) {
  auto octets = Hex(kExample);
  octets.insert(octets.end(), 4, uint8_t{0});
  octets[3] = static_cast<uint8_t>(octets.size());
  const auto sack = ParseOctets<SackChunk, ChunkView>(octets);
  ASSERT_FALSE(sack);
  EXPECT_EQ(sack.error(), (ParseError{ParseErrc::kBadLength, 12}));
}

TEST(SackChunkTest, C3_RejectsEveryPairOfCountsButTheRightSum) {
  for (uint8_t blocks = 0; blocks < 8; ++blocks) {
    for (uint8_t duplicates = 0; duplicates < 8; ++duplicates) {
      auto octets = Hex(kExample);
      octets[13] = blocks;
      octets[15] = duplicates;
      EXPECT_EQ((ParseOctets<SackChunk, ChunkView>(octets).has_value()), blocks + duplicates == 4);
    }
  }
}

TEST(SackChunkTest, C3_RejectsHugeCounts) {
  auto octets = Hex(kExample);
  octets[12] = octets[13] = 0xff;
  EXPECT_FALSE((ParseOctets<SackChunk, ChunkView>(octets)));
  octets[14] = octets[15] = 0xff;
  EXPECT_FALSE((ParseOctets<SackChunk, ChunkView>(octets)));
}

TEST(SackChunkTest, SmallestOneHasNoLists) {
  const SackChunk sack{.cumulative_tsn_ack = Tsn(0xffffffff), .a_rwnd = 0, .gap_ack_blocks = {}, .duplicate_tsns = {}};
  EXPECT_EQ(sack.Size(), SackChunk::kHeaderSize);
  EXPECT_EQ(Written(sack), Hex("03000010 ffffffff 00000000 0000 0000"));
}

}  // namespace
}  // namespace jsp::sctp
