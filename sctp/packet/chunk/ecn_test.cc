// The two chunks of ECN: ecne.h and cwr.h.
#include <gtest/gtest.h>

#include "sctp/packet/chunk/cwr.h"
#include "sctp/packet/chunk/ecne.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

TEST(EcneChunkTest, RoundTrips) {  // RFC 9260 §3.2
  const auto octets = Hex("0c00000c fffffffe 00000003");
  const auto ecne = ParseOctets<EcneChunk, ChunkView>(octets);
  ASSERT_TRUE(ecne);
  EXPECT_EQ(ecne->lowest_tsn, Tsn(0xfffffffe));
  EXPECT_EQ(ecne->marked_packets, 3u);
  EXPECT_EQ(Written(*ecne), octets);
}

TEST(EcneChunkTest, TakesTheOneWithoutACountOfMarkedPackets) {
  const auto ecne = ParseOctets<EcneChunk, ChunkView>(Hex("0c000008 00000010"));
  ASSERT_TRUE(ecne);
  EXPECT_EQ(ecne->lowest_tsn, Tsn(0x10));
  EXPECT_EQ(ecne->marked_packets, 1u);
}

TEST(EcneChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<EcneChunk, ChunkView>(Hex("0c000008 fffffffe"), 8);
  ExpectOtherTypeRefused<EcneChunk, ChunkView>(Hex("0c000008 fffffffe"));
  ExpectOtherTypeRefused<EcneChunk, ChunkView>(Hex("0c00000c fffffffe 00000001"));
}

TEST(EcneChunkTest, RejectsBadLength) {
  for (const char* bad : {"0c000009 00000000 00", "0c000010 00000000 00000000 00000000"}) {
    const auto ecne = ParseOctets<EcneChunk, ChunkView>(Hex(bad));
    ASSERT_FALSE(ecne);
    EXPECT_EQ(ecne.error(), (ParseError{ParseErrc::kBadLength, 2}));
  }
}

TEST(CwrChunkTest, RoundTrips) {  // RFC 9260 §3.2
  const auto octets = Hex("0d000008 fffffffe");
  const auto cwr = ParseOctets<CwrChunk, ChunkView>(octets);
  ASSERT_TRUE(cwr);
  EXPECT_EQ(cwr->lowest_tsn, Tsn(0xfffffffe));
  EXPECT_EQ(Written(*cwr), octets);
}

TEST(CwrChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<CwrChunk, ChunkView>(Hex("0d000008 fffffffe"), 8);
  ExpectOtherTypeRefused<CwrChunk, ChunkView>(Hex("0d000008 fffffffe"));
}

TEST(CwrChunkTest, RejectsBadLength) {
  const auto cwr = ParseOctets<CwrChunk, ChunkView>(Hex("0d00000c 00000000 00000000"));
  ASSERT_FALSE(cwr);
  EXPECT_EQ(cwr.error(), (ParseError{ParseErrc::kBadLength, 2}));
}

}  // namespace
}  // namespace jsp::sctp
