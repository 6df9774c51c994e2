// The chunks that begin and end an association: shutdown.h, shutdown_complete.h, cookie_echo.h. Those without a value
// are in header_test.cc.
#include "sctp/packet/chunk/shutdown.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/chunk/shutdown_complete.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

TEST(ShutdownChunkTest, ParsesCaptureAndRoundTrips) {  // RFC 9260 §3.3.8
  const auto octets = Hex("07000008 fffffffe");
  const auto shutdown = ParseOctets<ShutdownChunk, ChunkView>(octets);
  ASSERT_TRUE(shutdown);
  EXPECT_EQ(shutdown->cumulative_tsn_ack, Tsn(0xfffffffe));
  EXPECT_EQ(Written(*shutdown), octets);
}

TEST(ShutdownChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<ShutdownChunk, ChunkView>(Hex("07000008 fffffffe"), 8);
  ExpectOtherTypeRefused<ShutdownChunk, ChunkView>(Hex("07000008 fffffffe"));
}

TEST(ShutdownChunkTest, RejectsBadLength) {
  const auto shutdown = ParseOctets<ShutdownChunk, ChunkView>(Hex("07000009 00000000 00"));
  ASSERT_FALSE(shutdown);
  EXPECT_EQ(shutdown.error(), (ParseError{ParseErrc::kBadLength, 2}));
}

TEST(ShutdownCompleteChunkTest, RoundTripsItsTBit) {  // RFC 9260 §3.3.13
  for (const TagMode tag : {TagMode::kExpected, TagMode::kReflected}) {
    const auto octets = Written(ShutdownCompleteChunk{tag});
    EXPECT_EQ(octets, Hex(tag == TagMode::kReflected ? "0e010004" : "0e000004"));
    const auto complete = ParseOctets<ShutdownCompleteChunk, ChunkView>(octets);
    ASSERT_TRUE(complete);
    EXPECT_EQ(complete->tag, tag);
  }
}

TEST(ShutdownCompleteChunkTest, RejectsBadLength) {
  const auto complete = ParseOctets<ShutdownCompleteChunk, ChunkView>(Hex("0e000008 00000000"));
  ASSERT_FALSE(complete);
  EXPECT_EQ(complete.error(), (ParseError{ParseErrc::kBadLength, 2}));
  ExpectOtherTypeRefused<ShutdownCompleteChunk, ChunkView>(Hex("0e000004"));
  ExpectEveryTruncationRefused<ShutdownCompleteChunk, ChunkView>(Hex("0e000004"), 4);
}

TEST(CookieEchoChunkTest, RoundTrips) {  // RFC 9260 §3.3.11
  const auto octets = Hex("0a000007 aabbcc");
  const auto echo = ParseOctets<CookieEchoChunk, ChunkView>(octets);
  ASSERT_TRUE(echo);
  EXPECT_EQ(Copy(echo->cookie), Hex("aabbcc"));
  EXPECT_EQ(Written(*echo), octets);
}

TEST(CookieEchoChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<CookieEchoChunk, ChunkView>(Hex("0a000007 aabbcc"), 5);
  ExpectOtherTypeRefused<CookieEchoChunk, ChunkView>(Hex("0a000007 aabbcc"));
}

TEST(CookieEchoChunkTest, C13_RejectsNoCookie) {
  const auto echo = ParseOctets<CookieEchoChunk, ChunkView>(Hex("0a000004"));
  ASSERT_FALSE(echo);
  EXPECT_EQ(echo.error(), (ParseError{ParseErrc::kBadLength, 2}));
}

}  // namespace
}  // namespace jsp::sctp
