#include "sctp/packet/tlv.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/rng.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

size_t Count(const ParameterRange& range) {
  size_t count = 0;
  for (const ParameterView& parameter : range) {
    EXPECT_GE(parameter.octets.size(), kTlvHeaderSize);
    ++count;
  }
  return count;
}

TEST(TlvTest, PaddedSizeRoundsUpToFour) {
  EXPECT_EQ(PaddedSize(4), 4u);
  EXPECT_EQ(PaddedSize(5), 8u);
  EXPECT_EQ(PaddedSize(7), 8u);
  EXPECT_EQ(PaddedSize(8), 8u);
  EXPECT_EQ(PaddedSize(kMaxTlvSize), 65536u);
}

TEST(TlvTest, C1_LengthBelowFourIsNoItem) {  // RFC 9260 §3.2
  for (uint8_t length = 0; length < 4; ++length) {
    const std::array<uint8_t, 8> octets{0, 0, 0, length, 0, 0, 0, 0};
    EXPECT_EQ(FrontTlvSize(octets), 0u) << int{length};
    EXPECT_EQ(WholeTlvOctets(octets), 0u);
    EXPECT_EQ(Count(ParameterRange(octets)), 0u);
  }
}

TEST(TlvTest, C2_ItemPartlyOutsideOfItsContainerIsNoItem) {
  const auto octets = Hex("0001 0008 00000000  0001 0009 00000000");
  EXPECT_EQ(FrontTlvSize(octets), 8u);
  EXPECT_EQ(WholeTlvOctets(octets), 8u);
  EXPECT_FALSE(ParameterRange(octets).IsWhole());
  EXPECT_EQ(Count(ParameterRange(octets)), 1u);
}

TEST(TlvTest, PaddingIsSkippedAndMayHaveAnyValue) {  // RFC 9260 §3.2.1
  const auto octets = Hex("0001 0005 aa ffffff  0002 0006 bbbb ffff");
  const ParameterRange range(octets);
  ASSERT_TRUE(range.IsWhole());
  auto it = range.begin();
  EXPECT_EQ((*it).type, ParameterType{1});
  EXPECT_EQ(Copy((*it).value), Hex("aa"));
  ++it;
  EXPECT_EQ((*it).type, ParameterType{2});
  EXPECT_EQ(Copy((*it).value), Hex("bbbb"));
  EXPECT_EQ(Copy((*it).octets), Hex("0002 0006 bbbb"));
  ++it;
  EXPECT_TRUE(it == range.end());
}

TEST(TlvTest,
     PaddingOfTheLastItemMayBeMissing) {  // RFC 9260 §3.2: "whether or not the final padding has been included"
  for (const char* text : {"0001 0005 aa", "0001 0005 aa 00", "0001 0005 aa 0000", "0001 0005 aa 000000"}) {
    const auto octets = Hex(text);
    EXPECT_TRUE(ParameterRange(octets).IsWhole()) << text;
    EXPECT_EQ(Count(ParameterRange(octets)), 1u) << text;
  }
}

TEST(TlvTest, OctetsAfterTheLastItemAreNotWhole) {
  EXPECT_FALSE(ParameterRange(Hex("0001 0004 00")).IsWhole());
  EXPECT_FALSE(ParameterRange(Hex("0001 0004 000000")).IsWhole());
  EXPECT_FALSE(ParameterRange(Hex("00")).IsWhole());
  EXPECT_TRUE(ParameterRange().IsWhole());
}

TEST(TlvTest, WritesThePaddingBeforeTheNextItem) {
  std::array<uint8_t, 32> buffer;
  ByteWriter writer(buffer);
  const auto a = Hex("aa");
  const auto b = Hex("bbbbbb");
  using One = OpaqueTlv<ParameterView, ParameterType::kStateCookie>;
  One{a}.Write(writer);
  EXPECT_EQ(writer.size(), 5u);
  One{b}.Write(writer);
  EXPECT_EQ(Copy(writer.written()), Hex("0007 0005 aa 000000  0007 0007 bbbbbb"));
}

TEST(TlvTest, C17_TwoHighBitsSayWhatToDoWithTheUnknown) {  // RFC 9260 §3.2 table 2
  EXPECT_EQ(UnknownActionOf(0u), (UnknownAction{.stop = true, .report = false}));
  EXPECT_EQ(UnknownActionOf(1u), (UnknownAction{.stop = true, .report = true}));
  EXPECT_EQ(UnknownActionOf(2u), (UnknownAction{.stop = false, .report = false}));
  EXPECT_EQ(UnknownActionOf(3u), (UnknownAction{.stop = false, .report = true}));
}

TEST(TlvTest, C17_EveryChunkTypeHasTheActionOfItsHighBits) {
  for (unsigned type = 0; type < 256; ++type) {
    const UnknownAction action = UnknownActionOf(ChunkType{static_cast<uint8_t>(type)});
    EXPECT_EQ(action.stop, type < 128) << type;
    EXPECT_EQ(action.report, (type & 0x40) != 0) << type;
  }
}

TEST(TlvTest, C17_EveryParameterTypeHasTheActionOfItsHighBits) {  // RFC 9260 §3.2.1 table 3
  for (unsigned type = 0; type < 65536; type += 255) {
    const UnknownAction action = UnknownActionOf(ParameterType{static_cast<uint16_t>(type)});
    EXPECT_EQ(action.stop, type < 0x8000) << type;
    EXPECT_EQ(action.report, (type & 0x4000) != 0) << type;
  }
}

TEST(TlvTest, AnyOctetsAreWalkedInBoundedSteps) {
  Rng rng = Rng::FromNumber(17);
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint8_t> octets(rng.Below(64));
    rng.Fill(octets);
    // Small lengths are the interesting ones.
    for (size_t i = 2; i + 1 < octets.size(); i += 4) {
      if (rng.Below(2) == 0) octets[i] = 0, octets[i + 1] = static_cast<uint8_t>(rng.Below(24));
    }
    const ParameterRange range(octets);
    size_t visited = 0;
    const uint8_t* end = octets.data();
    for (const ParameterView& parameter : range) {
      ASSERT_GE(parameter.octets.data(), end) << "round " << round;
      end = parameter.octets.data() + parameter.octets.size();
      ASSERT_LE(end, octets.data() + octets.size()) << "round " << round;
      ++visited;
    }
    ASSERT_LE(visited * 4, octets.size()) << "round " << round;
    ASSERT_LE(WholeTlvOctets(octets), octets.size());
  }
}

using Empty = EmptyTlv<ParameterView, ParameterType::kForwardTsnSupported>;
using Opaque = OpaqueTlv<ParameterView, ParameterType::kStateCookie>;

TEST(TlvTest, EmptyOnesRejectAValue) {
  EXPECT_EQ(Written(Empty{}), Hex("c000 0004"));
  EXPECT_TRUE((ParseOctets<Empty, ParameterView>(Hex("c000 0004"))));
  const auto parsed = ParseOctets<Empty, ParameterView>(Hex("c000 0005 00"));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ParseErrc::kBadLength);
  ExpectOtherTypeRefused<Empty, ParameterView>(Hex("c000 0004"));
}

TEST(TlvTest, OpaqueOnesRoundTripAnySize) {
  for (size_t size = 0; size < 9; ++size) {
    const std::vector<uint8_t> value(size, 0x5a);
    const auto written = Written(Opaque{value});
    const auto parsed = ParseOctets<Opaque, ParameterView>(written);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(Copy(parsed->value), value);
  }
  ExpectOtherTypeRefused<Opaque, ParameterView>(Hex("0007 0004"));
}

}  // namespace
}  // namespace jsp::sctp
