#include "stun/text_attribute.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crypto.h"
namespace jsp::stun {
namespace {

constexpr AttributeType kTexts[] = {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce,
                                    AttributeType::kSoftware};
std::string Repeat(std::string_view what, size_t times) {
  std::string out;
  while (times-- > 0) out += what;
  return out;
}
std::optional<std::string_view> Parse(AttributeType type, std::string_view text) {
  return ParseText(type, crypto::AsBytes(text));
}

TEST(TextAttributeTest, CountsCharactersNotOctets) {
  EXPECT_EQ(CountUtf8(""), 0u);
  EXPECT_EQ(CountUtf8("abcdefghijklmnopq"), 17u);
  EXPECT_EQ(CountUtf8("\u00e9\u4e2d\U0001f511"), 3u);
  EXPECT_EQ(CountUtf8("abcdefg\u00e9hijklmnop"), 17u);
  EXPECT_EQ(CountUtf8("\U0010ffff"), 1u);
}

TEST(TextAttributeTest, RefusesMalformedUtf8) {
  for (const std::string_view bad : {
           "\x80",              // a continuation alone
           "\xc0\xaf",          // overlong '/'
           "\xc1\xbf",          // overlong
           "\xe0\x9f\xbf",      // overlong
           "\xf0\x8f\xbf\xbf",  // overlong
           "\xed\xa0\x80",      // surrogate
           "\xf4\x90\x80\x80",  // above U+10FFFF
           "\xf5\x80\x80\x80",  // above U+10FFFF
           "\xff",              // never
           "\xc3",              // truncated
           "\xe4\xb8",          // truncated
           "\xf0\x9f\x94",      // truncated
           "\xc3(",             // no continuation
           "\xe4(\xad",         // no continuation
           "\xf0\x9f(\x91",     // no continuation
           "abcdefgh\xc3",      // after a fast word
       }) {
    EXPECT_FALSE(CountUtf8(bad)) << crypto::Hex(crypto::AsBytes(bad));
  }
}

TEST(TextAttributeTest, SequenceLengthsFollowTheLeadOctet) {
  EXPECT_EQ(Utf8SequenceLength(""), 0u);
  EXPECT_EQ(Utf8SequenceLength("a\xff"), 1u);
  EXPECT_EQ(Utf8SequenceLength("\u00e9x"), 2u);
  EXPECT_EQ(Utf8SequenceLength("\u4e2dx"), 3u);
  EXPECT_EQ(Utf8SequenceLength("\U0001f511x"), 4u);
}

TEST(TextAttributeTest, AUsernameIsSentBelow509Octets) {  // RFC 8489 §14.3
  EXPECT_TRUE(MaySendText(AttributeType::kUsername, std::string(508, 'u')));
  EXPECT_FALSE(MaySendText(AttributeType::kUsername, std::string(509, 'u')));
  EXPECT_TRUE(MaySendText(AttributeType::kUsername, Repeat("\u4e2d", 169)));   // 507 octets
  EXPECT_FALSE(MaySendText(AttributeType::kUsername, Repeat("\u4e2d", 170)));  // 510 octets
}

TEST(TextAttributeTest, OtherTextsAreSentBelow128Characters) {  // RFC 8489 §14.9, §14.10, §14.14
  for (const auto type : {AttributeType::kRealm, AttributeType::kNonce, AttributeType::kSoftware}) {
    EXPECT_TRUE(MaySendText(type, std::string(127, 'x')));
    EXPECT_FALSE(MaySendText(type, std::string(128, 'x')));
    EXPECT_TRUE(MaySendText(type, Repeat("\U0001f511", 127)));  // 508 octets
    EXPECT_FALSE(MaySendText(type, Repeat("\U0001f511", 128)));
  }
}

TEST(TextAttributeTest, ReadsUpTo763Octets) {  // RFC 8489 §14.3, §14.9, §14.10, §14.14
  for (const auto type : kTexts) {
    EXPECT_EQ(Parse(type, std::string(763, 'x'))->size(), 763u);
    EXPECT_FALSE(Parse(type, std::string(764, 'x')));
  }
}

TEST(TextAttributeTest, S2_EmptyTextsReadAsAbsentAndAreNotSent) {
  for (const auto type : kTexts) {
    EXPECT_FALSE(Parse(type, ""));
    EXPECT_FALSE(MaySendText(type, ""));
  }
  EXPECT_FALSE(Parse(AttributeType::kAlternateDomain, ""));
}

TEST(TextAttributeTest, MalformedTextsReadAsAbsentButNoncesAreOnlyEchoed) {
  EXPECT_FALSE(Parse(AttributeType::kUsername, "a\xff"));
  EXPECT_FALSE(Parse(AttributeType::kRealm, "a\xff"));
  EXPECT_FALSE(Parse(AttributeType::kSoftware, "a\xff"));
  EXPECT_TRUE(Parse(AttributeType::kNonce, "a\xff"));
  EXPECT_FALSE(MaySendText(AttributeType::kUsername, "a\xff"));
  EXPECT_FALSE(MaySendText(AttributeType::kNonce, "a\xff"));
}

TEST(TextAttributeTest, AnAlternateDomainIsADnsName) {  // RFC 8489 §14.16
  EXPECT_EQ(Parse(AttributeType::kAlternateDomain, "stun.example.org"), "stun.example.org");
  EXPECT_FALSE(Parse(AttributeType::kAlternateDomain, "stun example"));
  EXPECT_TRUE(MaySendText(AttributeType::kAlternateDomain, "xn--bcher-kva.example"));
  EXPECT_FALSE(MaySendText(AttributeType::kAlternateDomain, "b\u00fccher.example"));
}

TEST(TextAttributeTest, DnsNamesHaveLabelsOfOneTo63) {
  EXPECT_TRUE(IsDnsName("a"));
  EXPECT_TRUE(IsDnsName("a.b-c_d.E9."));
  EXPECT_TRUE(IsDnsName(std::string(63, 'a')));
  EXPECT_FALSE(IsDnsName(std::string(64, 'a')));
  EXPECT_FALSE(IsDnsName(""));
  EXPECT_FALSE(IsDnsName("."));
  EXPECT_FALSE(IsDnsName("a..b"));
  EXPECT_FALSE(IsDnsName(".a"));
  EXPECT_FALSE(IsDnsName("a/b"));
  EXPECT_TRUE(IsDnsName(Repeat("abcd.", 51)));  // 255 octets
  EXPECT_FALSE(IsDnsName(Repeat("abcd.", 52)));
}

TEST(TextAttributeTest, TypesWithoutARuleOfTheirOwnTakeAnyUtf8) {
  const auto type = static_cast<AttributeType>(0xc001);
  EXPECT_TRUE(MaySendText(type, std::string(2000, 'x')));
  EXPECT_EQ(Parse(type, "\u00e9"), "\u00e9");
  EXPECT_FALSE(Parse(type, "\xe9"));
}

}  // namespace
}  // namespace jsp::stun
