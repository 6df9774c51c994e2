#include "datachannel/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace jsp::datachannel {
namespace {

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

std::span<const uint8_t> Octets(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Whether the checker takes the text in pieces of `size` octets.
bool IsTakenInPieces(std::string_view text, size_t size) {
  Utf8Checker checker;
  for (size_t at = 0; at < text.size(); at += size) {
    if (!checker.Accept(Octets(text.substr(at, size)))) return false;
  }
  return checker.IsComplete();
}

TEST(Utf8CheckerTest, PiecesMayPartCharacters) {  // RFC 3629 §3
  const std::string text = "a\xC3\xA9 b\xE4\xB8\xAD \xF0\x9F\x98\x80 and some plain ASCII behind it";
  for (size_t size = 1; size <= text.size(); ++size) EXPECT_TRUE(IsTakenInPieces(text, size)) << size;
  EXPECT_TRUE(IsTakenInPieces("", 1));
}

TEST(Utf8CheckerTest, R4_RejectsInPiecesWhatItRejectsWhole) {  // RFC 3629 §4
  for (std::string_view bad :
       {"\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "\x80", "\xC3", "\xE4\xB8", "\xF0\x9F\x98", "\xC3(", "\xE4\xB8("}) {
    for (const std::string& text : {std::string(bad), "abc" + std::string(bad), std::string(bad) + "abc"}) {
      for (size_t size = 1; size <= text.size(); ++size) {
        EXPECT_FALSE(IsTakenInPieces(text, size)) << testing::PrintToString(text) << " by " << size;
      }
    }
  }
}

TEST(Utf8CheckerTest, AgreesWithTheWholeCheckOnEveryShortText) {
  const std::string alphabet("a\x80\xBF\xC3\xE0\xA0\xED\xF0\x90\xF4\xFF", 11);
  for (size_t i = 0; i < 11 * 11 * 11 * 11; ++i) {
    std::string text;
    for (size_t rest = i, n = 0; n < 4; ++n, rest /= 11) text += alphabet[rest % 11];
    const bool is_valid = IsValidUtf8(text);
    for (size_t size = 1; size <= 3; ++size) ASSERT_EQ(IsTakenInPieces(text, size), is_valid) << i << " by " << size;
  }
}

}  // namespace
}  // namespace jsp::datachannel
