#include "sctp/packet/chunk/pad.h"

#include <gtest/gtest.h>

#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

TEST(PadChunkTest, ParsesCaptureWhateverItsContentAndFlags) {  // RFC 4820 §3
  for (const auto& octets : {Hex("84000008 00000000"), Hex("84ff0008 deadbeef"), Hex("84000004")}) {
    const auto pad = ParseOctets<PadChunk, ChunkView>(octets);
    ASSERT_TRUE(pad);
    EXPECT_EQ(pad->size, octets.size());
  }
}

TEST(PadChunkTest, RoundTripsEverySizeThatAPacketCanHave) {
  for (size_t size = 4; size <= 2000; size += 4) {
    const auto octets = Written(PadChunk{size});
    ASSERT_EQ(octets.size(), size);
    EXPECT_EQ((ParseOctets<PadChunk, ChunkView>(octets)->size), size);
  }
}

TEST(PadChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<PadChunk, ChunkView>(Hex("84000008 00000000"), 4);
  ExpectOtherTypeRefused<PadChunk, ChunkView>(Hex("84000008 00000000"));
}

}  // namespace
}  // namespace jsp::sctp
