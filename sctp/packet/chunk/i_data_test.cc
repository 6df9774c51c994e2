#include "sctp/packet/chunk/i_data.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

// The first of several fragments: flags B; TSN 1, stream 2, MID 3, PPID 53, "hi".
constexpr char kFirst[] = "40020016 00000001 0002 0000 00000003 00000035 6869";
// The last: flags E, U; FSN 7.
constexpr char kLast[] = "40050016 00000009 0002 0000 00000003 00000007 6869";

TEST(IDataChunkTest, ParsesTheFirstFragmentWithItsPpid) {  // RFC 8260 §2.1
  const auto octets = Hex(kFirst);
  const auto chunk = ParseOctets<IDataChunk, ChunkView>(octets);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->data.tsn, Tsn(1));
  EXPECT_EQ(chunk->data.stream, StreamId(2));
  EXPECT_EQ(chunk->data.mid, Mid(3));
  EXPECT_EQ(chunk->data.ppid, Ppid(53));
  EXPECT_EQ(chunk->data.fsn, 0u);
  EXPECT_TRUE(chunk->data.beginning);
  EXPECT_FALSE(chunk->data.end);
  EXPECT_EQ(Copy(chunk->data.payload), Hex("6869"));
}

TEST(IDataChunkTest, ParsesALaterFragmentWithItsFsn) {  // RFC 8260 §2.1
  const auto octets = Hex(kLast);
  const auto chunk = ParseOctets<IDataChunk, ChunkView>(octets);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->data.fsn, 7u);
  EXPECT_EQ(chunk->data.ppid, Ppid(0));
  EXPECT_TRUE(chunk->data.unordered);
  EXPECT_TRUE(chunk->data.end);
}

TEST(IDataChunkTest, RoundTrips) {
  for (const char* capture : {kFirst, kLast}) {
    const auto octets = Hex(capture);
    EXPECT_EQ(Written(*ParseOctets<IDataChunk, ChunkView>(octets)), octets);
  }
}

TEST(IDataChunkTest, IgnoresWhatIsReservedAndSendsZero) {  // RFC 8260 §2.1
  const auto octets = Hex("40f20016 00000001 0002 ffff 00000003 00000035 6869");
  const auto chunk = ParseOctets<IDataChunk, ChunkView>(octets);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(Written(*chunk), Hex(kFirst));
}

TEST(IDataChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<IDataChunk, ChunkView>(Hex(kFirst), 20);
  ExpectOtherTypeRefused<IDataChunk, ChunkView>(Hex(kFirst));
}

TEST(IForwardTsnChunkTest, RoundTrips) {  // RFC 8260 §2.3.1
  const std::vector<SkippedMessages> skipped{{StreamId(1), 0, Mid(3)},
                                             {StreamId(2), SkippedMessages::kUnordered, Mid(0xffffffff)}};
  const IForwardTsnChunk forward{Tsn(0xfffffffe), std::span<const SkippedMessages>(skipped)};
  const auto octets = Written(forward);
  EXPECT_EQ(octets, Hex("c2000018 fffffffe 0001 0000 00000003 0002 0001 ffffffff"));
  const auto parsed = ParseOctets<IForwardTsnChunk, ChunkView>(octets);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->skipped.size(), 2u);
  EXPECT_FALSE(parsed->skipped[0].is_unordered());
  EXPECT_TRUE(parsed->skipped[1].is_unordered());
  EXPECT_EQ(Written(*parsed), octets);
}

TEST(IForwardTsnChunkTest, C9_RejectsTruncationAndHalfAnEntry) {
  const auto octets = Hex("c2000010 0000000a 0001 0000 00000003");
  ExpectEveryTruncationRefused<IForwardTsnChunk, ChunkView>(octets, 8);
  ExpectOtherTypeRefused<IForwardTsnChunk, ChunkView>(octets);
  for (size_t size = 9; size < 16; ++size) {
    EXPECT_FALSE((ParseOctets<IForwardTsnChunk, ChunkView>(CutTo(octets, size)))) << size;
  }
}

}  // namespace
}  // namespace jsp::sctp
