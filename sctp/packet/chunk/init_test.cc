#include "sctp/packet/chunk/init.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/parameter/forward_tsn_supported.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/packet/parameter/supported_extensions.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr char kCapture[] = "010000281122334400020000ffffffff00000001c0000004800100080000000180080008 82c040c2";

InitChunk ValidInit() {
  InitChunk init;
  init.initiate_tag = VerificationTag(1);
  init.a_rwnd = kMinInitialWindow;
  init.outbound_streams = 1;
  init.inbound_streams = 1;
  init.initial_tsn = Tsn(0xfffffffe);
  return init;
}

TEST(InitChunkTest, ParsesCapture) {  // RFC 9260 §3.3.2
  const auto octets = Hex(kCapture);
  const auto init = ParseOctets<InitChunk, ChunkView>(octets);
  ASSERT_TRUE(init);
  EXPECT_EQ(init->initiate_tag, VerificationTag(0x11223344));
  EXPECT_EQ(init->a_rwnd, 131072u);
  EXPECT_EQ(init->outbound_streams, 65535);
  EXPECT_EQ(init->inbound_streams, 65535);
  EXPECT_EQ(init->initial_tsn, Tsn(1));
  EXPECT_FALSE(init->Defect());
  std::vector<unsigned> types;
  for (const ParameterView& parameter : init->parameters) types.push_back(static_cast<unsigned>(parameter.type));
  EXPECT_EQ(types, (std::vector<unsigned>{0xc000, 0x8001, 0x8008}));
}

TEST(InitChunkTest, RoundTrips) {
  const auto octets = Hex(kCapture);
  const auto init = ParseOctets<InitChunk, ChunkView>(octets);
  ASSERT_TRUE(init);
  EXPECT_EQ(Written(*init), octets);
}

TEST(InitChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<InitChunk, ChunkView>(Hex(kCapture), 20);
  ExpectOtherTypeRefused<InitChunk, ChunkView>(Hex(kCapture));
}

TEST(InitChunkTest, C2_RejectsAParameterThatIsPartlyOutside) {
  const auto octets = Hex(kCapture);
  // After the fixed part, parameters end at 24, 32 and 40.
  for (size_t size = 20; size <= octets.size(); ++size) {
    const bool whole = size == 20 || size == 24 || size == 32 || size == 40;
    const auto cut = CutTo(octets, size);
    EXPECT_EQ((ParseOctets<InitChunk, ChunkView>(cut).has_value()), whole) << size;
  }
}

TEST(InitChunkTest, C2_RejectsAParameterLengthBelowFour) {
  for (uint8_t length = 0; length < 4; ++length) {
    auto octets = Hex(kCapture);
    octets[23] = length;  // of the first parameter
    const auto init = ParseOctets<InitChunk, ChunkView>(octets);
    ASSERT_FALSE(init) << int{length};
    EXPECT_EQ(init.error(), (ParseError{ParseErrc::kBadLength, 20}));
  }
}

TEST(InitChunkTest, C12_NamesTheDefectOfAnInitThatMustNotBeAnswered) {  // RFC 9260 §3.3.2
  EXPECT_FALSE(ValidInit().Defect());
  InitChunk init = ValidInit();
  init.initiate_tag = VerificationTag(0);
  EXPECT_EQ(init.Defect(), InitDefect::kZeroInitiateTag);
  init = ValidInit();
  init.outbound_streams = 0;
  EXPECT_EQ(init.Defect(), InitDefect::kNoOutboundStreams);
  init = ValidInit();
  init.inbound_streams = 0;
  EXPECT_EQ(init.Defect(), InitDefect::kNoInboundStreams);
  init = ValidInit();
  init.a_rwnd = 1499;
  EXPECT_EQ(init.Defect(), InitDefect::kWindowTooSmall);
}

TEST(InitChunkTest, C12_DefectiveFieldsStillParseForTheAnswer) {
  const auto octets = Written(InitChunk{});
  const auto init = ParseOctets<InitChunk, ChunkView>(octets);
  ASSERT_TRUE(init);
  EXPECT_EQ(init->Defect(), InitDefect::kZeroInitiateTag);
}

TEST(InitChunkTest, LengthDoesNotCountThePaddingOfTheLastParameter) {  // RFC 9260 §3.2
  std::array<uint8_t, 32> buffer;
  ByteWriter writer(buffer);
  const auto extensions = Hex("82");
  ForwardTsnSupported{}.Write(writer);
  SupportedExtensions{extensions}.Write(writer);
  InitChunk init = ValidInit();
  init.parameters = ParameterRange(writer.written());
  const auto octets = Written(init);
  EXPECT_EQ(octets.size(), 20u + 4 + 5);
  const auto parsed = ParseOctets<InitChunk, ChunkView>(octets);
  ASSERT_TRUE(parsed);
  auto parameter = parsed->parameters.begin();
  EXPECT_TRUE(ForwardTsnSupported::Parse(*parameter));
  ++parameter;
  EXPECT_EQ(Copy(SupportedExtensions::Parse(*parameter)->value), extensions);
}

TEST(InitAckChunkTest, RoundTripsWithItsCookie) {  // RFC 9260 §3.3.3
  std::array<uint8_t, 64> buffer;
  ByteWriter writer(buffer);
  const auto cookie = Hex("00112233445566778899");
  StateCookieParameter{cookie}.Write(writer);
  InitAckChunk ack;
  ack.initiate_tag = VerificationTag(0x80000000);
  ack.a_rwnd = 4 << 20;
  ack.outbound_streams = 10;
  ack.inbound_streams = 20;
  ack.initial_tsn = Tsn(0xfffffffe);
  ack.parameters = ParameterRange(writer.written());
  const auto octets = Written(ack);
  EXPECT_EQ(octets[0], 2);
  const auto parsed = ParseOctets<InitAckChunk, ChunkView>(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->initiate_tag, ack.initiate_tag);
  EXPECT_EQ(parsed->a_rwnd, ack.a_rwnd);
  EXPECT_EQ(parsed->outbound_streams, 10);
  EXPECT_EQ(parsed->inbound_streams, 20);
  EXPECT_EQ(parsed->initial_tsn, ack.initial_tsn);
  const auto found = StateCookieParameter::Parse(*parsed->parameters.begin());
  ASSERT_TRUE(found);
  EXPECT_EQ(Copy(found->value), cookie);
}

TEST(InitAckChunkTest, IsNotAnInit) {
  InitAckChunk ack;
  EXPECT_FALSE((ParseOctets<InitChunk, ChunkView>(Written(ack))));
  ExpectEveryTruncationRefused<InitAckChunk, ChunkView>(Written(ack), 20);
}

}  // namespace
}  // namespace jsp::sctp
