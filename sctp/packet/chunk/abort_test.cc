#include "sctp/packet/chunk/abort.h"

#include <gtest/gtest.h>

#include <array>

#include "sctp/packet/chunk/error.h"
#include "sctp/packet/error_cause/protocol_violation.h"
#include "sctp/packet/error_cause/user_initiated_abort.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

TEST(AbortChunkTest, ParsesCapture) {  // RFC 9260 §3.3.7
  const auto abort = ParseOctets<AbortChunk, ChunkView>(Hex("06010004"));
  ASSERT_TRUE(abort);
  EXPECT_EQ(abort->tag, TagMode::kReflected);
  EXPECT_TRUE(abort->causes.begin() == abort->causes.end());
}

TEST(AbortChunkTest, RoundTripsWithCauses) {
  std::array<uint8_t, 64> buffer;
  ByteWriter writer(buffer);
  const auto reason = Hex("627965");
  UserInitiatedAbortCause{reason}.Write(writer);
  ProtocolViolationCause{reason}.Write(writer);
  AbortChunk abort;
  abort.causes = CauseRange(writer.written());
  const auto octets = Written(abort);
  EXPECT_EQ(octets, Hex("06000013 000c0007 62796500 000d0007 627965"));
  const auto parsed = ParseOctets<AbortChunk, ChunkView>(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->tag, TagMode::kExpected);
  auto cause = parsed->causes.begin();
  EXPECT_EQ(Copy(UserInitiatedAbortCause::Parse(*cause)->value), reason);
  ++cause;
  EXPECT_TRUE(ProtocolViolationCause::Parse(*cause));
}

TEST(AbortChunkTest, C17_AcceptsAnUnknownCause) {
  const auto octets = Hex("06000009 ffff0005 aa");
  const auto abort = ParseOctets<AbortChunk, ChunkView>(octets);
  ASSERT_TRUE(abort);
  EXPECT_STREQ(ToString((*abort->causes.begin()).type), "unknown cause");
}

TEST(AbortChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<AbortChunk, ChunkView>(Hex("06000009 000c0005 aa"), 4);
  ExpectOtherTypeRefused<AbortChunk, ChunkView>(Hex("06000004"));
}

TEST(AbortChunkTest, RejectsBadLength) {  // RFC 9260 §3.3.7: "with a format error … MUST silently discard it"
  for (const char* text : {"06000005 00", "06000007 000c00", "06000008 000c0003", "06000008 000c0005"}) {
    const auto abort = ParseOctets<AbortChunk, ChunkView>(Hex(text));
    ASSERT_FALSE(abort) << text;
    EXPECT_EQ(abort.error().code, ParseErrc::kBadLength) << text;
  }
}

TEST(ErrorChunkTest, ParsesCapture) {  // RFC 9260 §3.3.10
  const auto octets = Hex("0900000c 00010008 00050000");
  const auto error = ParseOctets<ErrorChunk, ChunkView>(octets);
  ASSERT_TRUE(error);
  EXPECT_EQ((*error->causes.begin()).type, CauseCode::kInvalidStreamIdentifier);
  EXPECT_EQ(Written(*error), octets);
}

TEST(ErrorChunkTest, RejectsEveryTruncation) {
  const auto octets = Hex("0900000c 00010008 00050000");
  ExpectEveryTruncationRefused<ErrorChunk, ChunkView>(octets, octets.size());
  ExpectOtherTypeRefused<ErrorChunk, ChunkView>(octets);
}

TEST(ErrorChunkTest, RejectsBadLength) {  // RFC 9260 §3.3.10: "one or more error causes"
  EXPECT_FALSE((ParseOctets<ErrorChunk, ChunkView>(Hex("09000004"))));
  EXPECT_FALSE((ParseOctets<ErrorChunk, ChunkView>(Hex("09000008 00010009"))));
}

}  // namespace
}  // namespace jsp::sctp
