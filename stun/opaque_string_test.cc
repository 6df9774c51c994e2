#include "stun/opaque_string.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
namespace jsp::stun {
namespace {

using std::string_literals::operator""s;

void ExpectRefused(std::string_view text, OpaqueStringErrc code, size_t offset) {
  const auto prepared = PrepareOpaqueString(text);
  ASSERT_FALSE(prepared) << text;
  EXPECT_EQ(prepared.error().code, code) << text;
  EXPECT_EQ(prepared.error().offset, offset) << text;
}
void ExpectKept(std::string_view text) {
  const auto prepared = PrepareOpaqueString(text);
  ASSERT_TRUE(prepared) << text << " " << Describe(prepared.error().code) << " at " << prepared.error().offset;
  EXPECT_EQ(*prepared, text);
}

TEST(OpaqueStringTest, PrintableAsciiComesBackAsItIs) {
  std::string all;
  for (char c = 0x20; c <= 0x7e; ++c) all += c;
  ExpectKept(all);
  ExpectKept(" leading and trailing spaces are kept ");
}

TEST(OpaqueStringTest, EmptyIsRefused) { ExpectRefused("", OpaqueStringErrc::kEmpty, 0); }  // RFC 8265 §4.1

TEST(OpaqueStringTest, ControlCharactersAreRefused) {
  ExpectRefused("ab\ncd", OpaqueStringErrc::kDisallowed, 2);
  ExpectRefused("ab\0"s, OpaqueStringErrc::kDisallowed, 2);
  ExpectRefused("\x7f", OpaqueStringErrc::kDisallowed, 0);
  ExpectRefused("a\u0085", OpaqueStringErrc::kDisallowed, 1);
}

// The examples of RFC 8265 §4.3, table 3.
TEST(OpaqueStringTest, AcceptsTheRfcsLegalExamples) {
  ExpectKept("correct horse battery staple");
  ExpectKept("Correct Horse Battery Staple");
  ExpectKept("\u03c0\u00df\u00e5");
  ExpectKept("Jack of \u2666s");
  EXPECT_EQ(*PrepareOpaqueString("foo\u1680bar"), "foo bar");
}
TEST(OpaqueStringTest, RefusesTheRfcsIllegalExamples) {
  ExpectRefused("my cat is a \tby", OpaqueStringErrc::kDisallowed, 12);
}

TEST(OpaqueStringTest, EveryOtherSpaceBecomesASpace) {  // RFC 8265 §4.2.2 rule 2
  for (const std::string_view space :
       {"\u00a0", "\u2000", "\u2001", "\u2009", "\u200a", "\u202f", "\u205f", "\u3000"}) {
    EXPECT_EQ(*PrepareOpaqueString("a" + std::string(space) + "b"), "a b") << space;
  }
}

TEST(OpaqueStringTest, KeepsNormalisedScriptsOfTheWorld) {
  ExpectKept("\u30de\u30c8\u30ea\u30c3\u30af\u30b9");              // Japanese, of RFC 5769 §2.4
  ExpectKept("Stra\u00dfe \u00dcbergr\u00f6\u00dfe");              // German
  ExpectKept("\u043f\u0430\u0440\u043e\u043b\u044c");              // Russian
  ExpectKept("\u5bc6\u7801");                                      // Chinese
  ExpectKept("\ube44\ubc00\ubc88\ud638");                          // Korean
  ExpectKept("\u0e23\u0e2b\u0e31\u0e2a\u0e1c\u0e48\u0e32\u0e19");  // Thai, with vowels and tones above
  ExpectKept("\u0e01\u0e38\u0e48");                                // Thai, two marks in canonical order
  ExpectKept("\u05e1\u05d9\u05e1\u05de\u05d4");                    // Hebrew
  ExpectKept("\u1ead\u1ebf");                                      // Vietnamese, precomposed
  ExpectKept("\U0001f511");                                        // a key
  ExpectKept("\u2168");                                            // compatibility characters are not replaced
}

TEST(OpaqueStringTest, InvisibleAndPrivateCodePointsAreRefused) {
  ExpectRefused("The\u00adMatrix", OpaqueStringErrc::kDisallowed, 3);  // soft hyphen, of RFC 5769 §2.4's raw password
  ExpectRefused("a\u200b", OpaqueStringErrc::kDisallowed, 1);          // zero width space
  ExpectRefused("a\u202e", OpaqueStringErrc::kDisallowed, 1);          // right-to-left override
  ExpectRefused("a\ufeff", OpaqueStringErrc::kDisallowed, 1);
  ExpectRefused("a\ue000", OpaqueStringErrc::kDisallowed, 1);       // private use
  ExpectRefused("a\U000e0041", OpaqueStringErrc::kDisallowed, 1);   // a tag
  ExpectRefused("a\ufdd0", OpaqueStringErrc::kDisallowed, 1);       // a noncharacter
  ExpectRefused("a\u0378", OpaqueStringErrc::kDisallowed, 1);       // unassigned
  ExpectRefused("\u1100\u1161", OpaqueStringErrc::kDisallowed, 0);  // old Hangul jamo
}

TEST(OpaqueStringTest, WhatMayNeedNormalisationIsRefused) {
  ExpectRefused("e\u0301", OpaqueStringErrc::kNeedsNormalisation, 1);        // é in two parts
  ExpectRefused("\u212b", OpaqueStringErrc::kNeedsNormalisation, 0);         // the Angstrom sign
  ExpectRefused("\uf900", OpaqueStringErrc::kNeedsNormalisation, 0);         // a compatibility ideograph
  ExpectRefused("x\u0e48\u0e38", OpaqueStringErrc::kNeedsNormalisation, 4);  // marks out of canonical order
}

TEST(OpaqueStringTest, ContextDecidesSomeCodePoints) {
  ExpectKept("col\u00b7labora");
  ExpectRefused("a\u00b7b", OpaqueStringErrc::kDisallowed, 1);
  ExpectKept("\u0375\u03b1");
  ExpectRefused("\u0375a", OpaqueStringErrc::kDisallowed, 0);
  ExpectKept("\u05d0\u05f3");
  ExpectRefused("a\u05f4", OpaqueStringErrc::kDisallowed, 1);
  ExpectKept("\u30de\u30fb");
  ExpectRefused("a\u30fb", OpaqueStringErrc::kDisallowed, 1);
  ExpectKept("\u0661\u0662");
  ExpectKept("\u06f1\u06f2");
  ExpectRefused("\u0661\u06f2", OpaqueStringErrc::kDisallowed, 0);
  ExpectKept("\u0915\u094d\u200d");  // after a virama
  ExpectRefused("a\u200d", OpaqueStringErrc::kDisallowed, 1);
}

TEST(OpaqueStringTest, MalformedUtf8IsRefused) {
  ExpectRefused("ab\xff", OpaqueStringErrc::kNotUtf8, 2);
  ExpectRefused("\xc3", OpaqueStringErrc::kNotUtf8, 0);
  ExpectRefused("\xed\xa0\x80", OpaqueStringErrc::kNotUtf8, 0);  // a surrogate
}

TEST(OpaqueStringTest, IsIdempotentAndSurvivesRandomOctets) {
  constexpr uint64_t kSeed = 20240607;
  Rng rng = Rng::FromNumber(kSeed);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (uint64_t n = rng.Below(8); n > 0; --n) {
      const auto c = static_cast<uint32_t>(rng.Below(0x3100));
      if (rng.Below(10) == 0) {
        text += static_cast<char>(rng.Random<uint8_t>());
      } else if (c < 0x80) {
        text += static_cast<char>(c);
      } else if (c < 0x800) {
        text += static_cast<char>(0xc0 | c >> 6);
        text += static_cast<char>(0x80 | (c & 0x3f));
      } else {
        text += static_cast<char>(0xe0 | c >> 12);
        text += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        text += static_cast<char>(0x80 | (c & 0x3f));
      }
    }
    const auto once = PrepareOpaqueString(text);
    if (!once) continue;
    const auto twice = PrepareOpaqueString(*once);
    ASSERT_TRUE(twice) << "seed " << kSeed << " round " << round;
    EXPECT_EQ(*once, *twice) << "seed " << kSeed << " round " << round;
  }
}

TEST(OpaqueStringTest, EveryRefusalHasWords) {
  for (const auto code : {OpaqueStringErrc::kEmpty, OpaqueStringErrc::kNotUtf8, OpaqueStringErrc::kDisallowed,
                          OpaqueStringErrc::kNeedsNormalisation}) {
    EXPECT_FALSE(Describe(code).empty());
  }
}

}  // namespace
}  // namespace jsp::stun
