#include "datachannel/message_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace jsp::datachannel {
namespace {

constexpr sctp::StreamId kStream{6};

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Utf8Test, AcceptsEveryLengthOfCharacter) {  // RFC 3629 §3
  EXPECT_TRUE(IsValidUtf8(std::string_view("")));
  EXPECT_TRUE(IsValidUtf8(std::string_view("plain ASCII, longer than one word of eight octets")));
  EXPECT_TRUE(IsValidUtf8(std::string_view("\xC2\x80 \xDF\xBF")));
  EXPECT_TRUE(IsValidUtf8(std::string_view("\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF")));
  EXPECT_TRUE(IsValidUtf8(std::string_view("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF")));
  EXPECT_TRUE(IsValidUtf8(std::string_view("a\0b", 3)));
}

TEST(Utf8Test, R4_RejectsOverlongFormsSurrogatesAndValuesPastTheLast) {  // RFC 3629 §4
  for (std::string_view bad :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFE", "\xFF", "\x80", "\xBF"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << testing::PrintToString(bad);
    EXPECT_FALSE(IsValidUtf8("12345678" + std::string(bad))) << "after one word of ASCII";
    EXPECT_FALSE(IsValidUtf8(std::string(bad) + "12345678")) << "before one word of ASCII";
  }
}

TEST(Utf8Test, RejectsEveryTruncationOfACharacter) {
  for (std::string_view character : {"\xC3\xA9", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80"}) {
    for (size_t length = 1; length < character.size(); ++length) {
      EXPECT_FALSE(IsValidUtf8(character.substr(0, length)));
      EXPECT_FALSE(IsValidUtf8(std::string(character.substr(0, length)) + "a"));
    }
    EXPECT_TRUE(IsValidUtf8(character));
  }
}

TEST(Utf8Test, AgreesWithTheDefinitionOnEveryPairOfOctets) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::vector<uint8_t> text = {static_cast<uint8_t>(first), static_cast<uint8_t>(second)};
      const bool both_ascii = first < 0x80 && second < 0x80;
      const bool one_character = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
      EXPECT_EQ(IsValidUtf8(text), both_ascii || one_character) << first << ' ' << second;
    }
  }
}

TEST(MessageCodecTest, MarksStringsAndBinaryByTheirIdentifiers) {  // RFC 8831 §8
  const auto text = EncodeMessage(kStream, MessageKind::kString, Octets("hi"));
  EXPECT_EQ(text.ppid.value, 51u);
  EXPECT_EQ(text.payload, Octets("hi"));
  EXPECT_EQ(text.stream, kStream);
  EXPECT_EQ(EncodeMessage(kStream, MessageKind::kBinary, Octets("hi")).ppid.value, 53u);
}

TEST(MessageCodecTest, SendsAnEmptyMessageAsOneZeroOctet) {  // RFC 8831 §6.6
  const auto text = EncodeMessage(kStream, MessageKind::kString, {});
  EXPECT_EQ(text.ppid.value, 56u);
  EXPECT_EQ(text.payload, std::vector<uint8_t>{0});
  const auto binary = EncodeMessage(kStream, MessageKind::kBinary, {});
  EXPECT_EQ(binary.ppid.value, 57u);
  EXPECT_EQ(binary.payload, std::vector<uint8_t>{0});
}

TEST(MessageCodecTest, RoundTripsBothKindsWithoutCopyingThePayload) {
  for (MessageKind kind : {MessageKind::kString, MessageKind::kBinary}) {
    for (size_t size : {size_t{0}, size_t{1}, size_t{100'000}}) {
      std::vector<uint8_t> payload(size, 'x');
      const uint8_t* data = payload.data();
      auto decoded = DecodeMessage(EncodeMessage(kStream, kind, std::move(payload)));
      ASSERT_TRUE(decoded.has_value());
      EXPECT_EQ(decoded->kind, kind);
      EXPECT_EQ(decoded->payload.size(), size);
      if (size > 0) {
        EXPECT_EQ(decoded->payload.data(), data);
      }
      EXPECT_FALSE(decoded->ignored_payload);
    }
  }
}

TEST(MessageCodecTest, R4_IgnoresThePayloadUnderAnEmptyIdentifier) {  // RFC 8831 §6.6
  for (sctp::Ppid ppid : {kPpidStringEmpty, kPpidBinaryEmpty}) {
    auto decoded = DecodeMessage({kStream, ppid, Octets("five!")});
    ASSERT_TRUE(decoded.has_value());
    EXPECT_TRUE(decoded->payload.empty());
    EXPECT_TRUE(decoded->ignored_payload);
  }
}

TEST(MessageCodecTest, R4_RejectsAStringThatIsNotUtf8ButNotSuchBinary) {
  auto text = DecodeMessage({kStream, kPpidString, {0xFF, 0xFE}});
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error(), DecodeError::kInvalidUtf8);
  EXPECT_TRUE(DecodeMessage({kStream, kPpidBinary, {0xFF, 0xFE}}).has_value());
}

TEST(MessageCodecTest, R4_RejectsUnknownAndDeprecatedIdentifiers) {  // RFC 8831 §6.6
  for (uint32_t ppid : {0u, 49u, 52u, 54u, 55u, 58u, 99u, 0xFFFFFFFFu}) {
    auto decoded = DecodeMessage({kStream, sctp::Ppid(ppid), Octets("x")});
    ASSERT_FALSE(decoded.has_value()) << ppid;
    EXPECT_EQ(decoded.error(), DecodeError::kUnknownPpid);
  }
}

}  // namespace
}  // namespace jsp::datachannel
