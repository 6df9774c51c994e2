#include "sctp/packet/chunk/forward_tsn.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr char kCapture[] = "c000000c 0000000a 0001 0003";

TEST(ForwardTsnChunkTest, ParsesCapture) {  // RFC 3758 §3.2
  const auto octets = Hex(kCapture);
  const auto forward = ParseOctets<ForwardTsnChunk, ChunkView>(octets);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, Tsn(10));
  ASSERT_EQ(forward->skipped.size(), 1u);
  EXPECT_EQ(forward->skipped[0], (SkippedStream{StreamId(1), Ssn(3)}));
}

TEST(ForwardTsnChunkTest, RoundTrips) {
  const std::vector<SkippedStream> skipped{{StreamId(1), Ssn(3)}, {StreamId(65534), Ssn(65535)}};
  const ForwardTsnChunk forward{Tsn(0xfffffffe), std::span<const SkippedStream>(skipped)};
  const auto octets = Written(forward);
  EXPECT_EQ(octets, Hex("c0000010 fffffffe 00010003 fffeffff"));
  const auto parsed = ParseOctets<ForwardTsnChunk, ChunkView>(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(Written(*parsed), octets);
}

TEST(ForwardTsnChunkTest, MayListNoStream) {  // only unordered messages were skipped
  const auto forward = ParseOctets<ForwardTsnChunk, ChunkView>(Hex("c0000008 0000000a"));
  ASSERT_TRUE(forward);
  EXPECT_TRUE(forward->skipped.empty());
}

TEST(ForwardTsnChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<ForwardTsnChunk, ChunkView>(Hex(kCapture), 8);
  ExpectOtherTypeRefused<ForwardTsnChunk, ChunkView>(Hex(kCapture));
}

TEST(ForwardTsnChunkTest, C9_RejectsHalfAnEntry) {
  const auto octets = Hex(kCapture);
  for (size_t size = 9; size < 12; ++size) {
    const auto forward = ParseOctets<ForwardTsnChunk, ChunkView>(CutTo(octets, size));
    ASSERT_FALSE(forward) << size;
    EXPECT_EQ(forward.error(), (ParseError{ParseErrc::kBadLength, 2}));
  }
}

TEST(ForwardTsnChunkTest, C9_ReadsAHugeListWithoutCopyingIt) {
  std::vector<uint8_t> octets = Hex("c000fffc 0000000a");
  octets.resize(0xfffc, 0x11);
  const auto forward = ParseOctets<ForwardTsnChunk, ChunkView>(octets);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->skipped.size(), (0xfffcu - 8) / 4);
  EXPECT_EQ(forward->skipped[forward->skipped.size() - 1], (SkippedStream{StreamId(0x1111), Ssn(0x1111)}));
}

}  // namespace
}  // namespace jsp::sctp
