// The headers of packets, chunks, parameters and causes: common_header.h, chunk_header.h, parameter_header.h,
// cause_header.h.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sctp/packet/cause_header.h"
#include "sctp/packet/chunk/cookie_ack.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

TEST(CommonHeaderTest, RoundTripsWithoutItsChecksum) {  // RFC 9260 §3.1
  const auto octets = Hex("1388 1389 deadbeef");
  const auto header = wire::Read<CommonHeader>(octets);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header, (CommonHeader{5000, 5001, VerificationTag(0xdeadbeef)}));
  std::array<uint8_t, kChecksumOffset> out;
  wire::Write(std::span<uint8_t, kChecksumOffset>(out), *header);
  EXPECT_EQ(Copy(out), octets);
}

TEST(ChunkHeaderTest, ViewHasTypeFlagsValueAndTheWholeChunk) {  // RFC 9260 §3.2
  const auto octets = Hex("c0 81 0006 aabb");
  const auto chunk = ViewOf<ChunkView>(octets);
  EXPECT_EQ(chunk.type, ChunkType::kForwardTsn);
  EXPECT_EQ(chunk.flags, 0x81);
  EXPECT_EQ(Copy(chunk.value), Hex("aabb"));
  EXPECT_EQ(Copy(chunk.octets), octets);
}

TEST(ChunkHeaderTest, WritesTypeFlagsAndLength) {
  std::array<uint8_t, 4> out;
  ByteWriter writer(out);
  WriteChunkHeader(writer, ChunkType::kReconfig, 7, 0x1234);
  EXPECT_EQ(Copy(out), Hex("82 07 1234"));
}

TEST(ChunkHeaderTest, TBitIsTheLowestFlag) {  // RFC 9260 §8.5.1
  EXPECT_EQ(TagModeOf(0), TagMode::kExpected);
  EXPECT_EQ(TagModeOf(1), TagMode::kReflected);
  EXPECT_EQ(TagModeOf(0xfe), TagMode::kExpected);
  EXPECT_EQ(TagModeOf(0xff), TagMode::kReflected);
}

template <class T>
class EmptyChunkTest : public testing::Test {};
using EmptyChunks = testing::Types<ShutdownAckChunk, CookieAckChunk>;
TYPED_TEST_SUITE(EmptyChunkTest, EmptyChunks);

TYPED_TEST(EmptyChunkTest, RoundTrips) {  // RFC 9260 §3.3.9, §3.3.12
  const auto octets = Written(TypeParam{});
  ASSERT_EQ(octets.size(), 4u);
  EXPECT_EQ(octets[0], static_cast<uint8_t>(TypeParam::kType));
  EXPECT_EQ(octets[3], 4);
  EXPECT_TRUE((ParseOctets<TypeParam, ChunkView>(octets)));
}

TYPED_TEST(EmptyChunkTest, IgnoresFlags) {
  auto octets = Written(TypeParam{});
  octets[1] = 0xff;
  EXPECT_TRUE((ParseOctets<TypeParam, ChunkView>(octets)));
}

TYPED_TEST(EmptyChunkTest, RejectsBadLength) {
  auto octets = Written(TypeParam{});
  octets[3] = 5;
  octets.push_back(0);
  const auto parsed = ParseOctets<TypeParam, ChunkView>(octets);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error(), (ParseError{ParseErrc::kBadLength, 2}));
}

TYPED_TEST(EmptyChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<TypeParam, ChunkView>(Written(TypeParam{}), 4);
  ExpectOtherTypeRefused<TypeParam, ChunkView>(Written(TypeParam{}));
}

TEST(ParameterHeaderTest, ViewHasTypeValueAndTheWholeParameter) {  // RFC 9260 §3.2.1
  const auto octets = Hex("8008 0006 82c0");
  const auto parameter = ViewOf<ParameterView>(octets);
  EXPECT_EQ(parameter.type, ParameterType::kSupportedExtensions);
  EXPECT_EQ(Copy(parameter.value), Hex("82c0"));
  EXPECT_EQ(Copy(parameter.octets), octets);
}

TEST(CauseHeaderTest, ViewHasCodeValueAndTheWholeCause) {  // RFC 9260 §3.3.10
  const auto octets = Hex("000c 0006 6f6b");
  const auto cause = ViewOf<CauseView>(octets);
  EXPECT_EQ(cause.type, CauseCode::kUserInitiatedAbort);
  EXPECT_EQ(Copy(cause.value), Hex("6f6b"));
  EXPECT_EQ(Copy(cause.octets), octets);
}

TEST(CauseHeaderTest, EveryCodeOfTheTableHasItsOwnName) {  // RFC 9260 §3.3.10 table 11
  std::set<std::string> names;
  for (uint16_t code = 1; code <= 13; ++code) names.insert(ToString(CauseCode{code}));
  EXPECT_EQ(names.size(), 13u);
  EXPECT_EQ(names.count("unknown cause"), 0u);
  EXPECT_STREQ(ToString(CauseCode{0}), "unknown cause");
  EXPECT_STREQ(ToString(CauseCode{14}), "unknown cause");
  EXPECT_STREQ(ToString(CauseCode::kStaleCookie), "Stale Cookie");
}

}  // namespace
}  // namespace jsp::sctp
