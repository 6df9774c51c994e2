#include "sctp/packet/chunk/heartbeat.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk/heartbeat_ack.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr char kCapture[] = "04000011 0001000d 0102030405060708 09";

TEST(HeartbeatChunkTest, ParsesCapture) {  // RFC 9260 §3.3.5
  const auto octets = Hex(kCapture);
  const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(octets);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(Copy(heartbeat->info.value), Hex("010203040506070809"));
}

TEST(HeartbeatChunkTest, RoundTrips) {
  const auto octets = Hex(kCapture);
  const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(octets);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(Written(*heartbeat), octets);
}

TEST(HeartbeatChunkTest, AckReflectsTheInfoUnchanged) {  // RFC 9260 §3.3.6
  const auto octets = Hex(kCapture);
  const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(octets);
  ASSERT_TRUE(heartbeat);
  auto ack = Written(HeartbeatAckChunk{heartbeat->info});
  EXPECT_EQ(ack[0], 5);
  EXPECT_TRUE((ParseOctets<HeartbeatAckChunk, ChunkView>(ack)));
  ack[0] = 4;
  EXPECT_EQ(ack, octets);
}

TEST(HeartbeatChunkTest, AcceptsFinalPaddingInItsLength) {  // RFC 9260 §3.2: robust implementations accept both
  const auto octets = Hex("04000014 0001000d 0102030405060708 09000000");
  const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(octets);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->info.value.size(), 9u);
}

TEST(HeartbeatChunkTest, AcceptsAnEmptyInfo) {
  const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(Hex("04000008 00010004"));
  ASSERT_TRUE(heartbeat);
  EXPECT_TRUE(heartbeat->info.value.empty());
}

TEST(HeartbeatChunkTest, RejectsEveryTruncation) {
  const auto octets = Hex(kCapture);
  ExpectEveryTruncationRefused<HeartbeatChunk, ChunkView>(octets, octets.size());
  ExpectEveryTruncationRefused<HeartbeatAckChunk, ChunkView>(Written(HeartbeatAckChunk{{octets}}), 8);
  ExpectOtherTypeRefused<HeartbeatChunk, ChunkView>(octets);
}

TEST(HeartbeatChunkTest, RejectsBadLength) {
  const auto empty = ParseOctets<HeartbeatChunk, ChunkView>(Hex("04000004"));
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error(), (ParseError{ParseErrc::kBadLength, 2}));
  EXPECT_FALSE((ParseOctets<HeartbeatChunk, ChunkView>(Hex("0400000c 00010009 01020304"))));
}

TEST(HeartbeatChunkTest, RejectsAnotherParameterInPlaceOfTheInfo) {
  const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(Hex("0400000c 00020008 01020304"));
  ASSERT_FALSE(heartbeat);
  EXPECT_EQ(heartbeat.error(), (ParseError{ParseErrc::kBadType, 4}));
}

}  // namespace
}  // namespace jsp::sctp
