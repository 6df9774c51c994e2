#include "stun/credentials.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "stun/opaque_string.h"
namespace jsp::stun {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view kMatrix = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9";

TEST(CredentialsTest, LongTermKeysOfTheRfcsExample) {  // RFC 8489 §9.2.2
  EXPECT_EQ(crypto::Hex(LongTermKeyMd5("user", "realm", "pass")), "8493fbc53ba582fb4c044c456bdc40eb");
  EXPECT_EQ(crypto::Hex(LongTermKeySha256("user", "realm", "pass")),
            "07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b");
  EXPECT_EQ(crypto::Hex(Userhash("user", "realm")), "6a3029116b47aa98bcaa325399733dc1a23cd57e26b81bef3ff6531ce624e2da");
}

TEST(CredentialsTest, LongTermKeysOfTheSampleMessages) {  // RFC 5769 §2.4, RFC 8489 §B.1
  const auto username = PrepareOpaqueString(kMatrix);
  ASSERT_TRUE(username);
  EXPECT_EQ(*username, kMatrix);
  EXPECT_EQ(crypto::Hex(LongTermKeyMd5(*username, "example.org", "TheMatrIX")), "e8ca7ad59d5eb0518e312911d2dab2a9");
  EXPECT_EQ(crypto::Hex(LongTermKeySha256(*username, "example.org", "TheMatrIX")),
            "dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1");
  EXPECT_EQ(crypto::Hex(Userhash(*username, "example.org")),
            "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
}

TEST(CredentialsTest, QuotesAndTrailingNulsDoNotCount) {  // RFC 8489 §9.2.2
  const auto key = LongTermKeyMd5("user", "realm", "pass");
  EXPECT_EQ(LongTermKeyMd5("\"user\"", "\"realm\"", "pass"), key);
  EXPECT_EQ(LongTermKeyMd5("user\0\0"s, "realm\0"s, "pass\0"s), key);
  EXPECT_NE(LongTermKeyMd5("user", "realm", "\"pass\""), key);  // a password may well contain quotes
  EXPECT_NE(LongTermKeyMd5("\"", "realm", "pass"), LongTermKeyMd5("", "realm", "pass"));
}

TEST(CredentialsTest, TheShortTermKeyIsThePassword) {  // RFC 8489 §9.1.1
  EXPECT_EQ(ShortTermKey("secret").size(), 6u);
  EXPECT_EQ(crypto::Hex(ShortTermKey("abc")), "616263");
}

TEST(NonceCookieTest, EncodesBitZeroAsTheMostSignificant) {  // RFC 8489 §9.2, §18.1
  EXPECT_EQ(NonceCookie({}), "obMatJos2AAAA");
  EXPECT_EQ(NonceCookie({.password_algorithms = true}), "obMatJos2gAAA");
  EXPECT_EQ(NonceCookie({.username_anonymity = true}), "obMatJos2QAAA");
  EXPECT_EQ(NonceCookie({.password_algorithms = true, .username_anonymity = true}), "obMatJos2wAAA");
}

TEST(NonceCookieTest, RoundTrips) {
  for (const bool algorithms : {false, true}) {
    for (const bool anonymity : {false, true}) {
      const SecurityFeatures features{algorithms, anonymity};
      EXPECT_EQ(ParseNonceCookie(NonceCookie(features) + "and then the server's own"), features);
    }
  }
}

TEST(NonceCookieTest, ANonceWithoutACookieHasNoFeatures) {
  for (const std::string_view nonce : {"", "f//499k954d6OL34oL9FSTvy64sA", "obMatJos2", "obMatJos2AAA", "obMatJos2AA!A",
                                       "obmatjos2gAAA", "xobMatJos2gAAA"}) {
    EXPECT_FALSE(ParseNonceCookie(nonce)) << nonce;
  }
}

TEST(NonceCookieTest, UnassignedBitsAreIgnored) {
  EXPECT_EQ(ParseNonceCookie("obMatJos2AAAC"), SecurityFeatures{});  // what RFC 8489 §B.1 prints
  EXPECT_EQ(ParseNonceCookie("obMatJos2////"), (SecurityFeatures{true, true}));
}

TEST(PasswordAlgorithmsTest, ParsesTheSampleList) {  // RFC 8489 §14.11, as in the corrected message of RFC 8489 §B.1
  const std::array<uint8_t, 8> value{0, 2, 0, 0, 0, 1, 0, 0};
  const auto list = ParsePasswordAlgorithms(value);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].algorithm, PasswordAlgorithm::kSha256);
  EXPECT_EQ((*list)[1].algorithm, PasswordAlgorithm::kMd5);
  EXPECT_TRUE((*list)[0].parameters.empty());
}

TEST(PasswordAlgorithmsTest, RoundTrips) {
  std::array<uint8_t, 64> value;
  std::array<uint8_t, 200> message;
  const std::array both{PasswordAlgorithm::kSha256, PasswordAlgorithm::kMd5};
  const auto built =
      MessageBuilder(message, {Method::kAllocate, MessageClass::kRequest}, {})
          .Add(AttributeType::kPasswordAlgorithms, WritePasswordAlgorithms(both, value))
          .Add(AttributeType::kPasswordAlgorithm, WritePasswordAlgorithms(std::span(both).first(1), value))
          .Finish();
  const auto view = MessageView::Parse(built);
  ASSERT_TRUE(view);
  EXPECT_EQ(ParsePasswordAlgorithms(*view->Find(AttributeType::kPasswordAlgorithms))->size(), 2u);
  EXPECT_EQ(ParsePasswordAlgorithm(*view->Find(AttributeType::kPasswordAlgorithm))->algorithm,
            PasswordAlgorithm::kSha256);
  EXPECT_TRUE(WritePasswordAlgorithms(both, std::span(value).first(7)).empty());
}

TEST(PasswordAlgorithmsTest, ReadsParametersAndTheirPadding) {
  const std::array<uint8_t, 16> value{0x7f, 0xff, 0, 5, 'a', 'b', 'c', 'd', 'e', 9, 9, 9, 0, 2, 0, 0};
  const auto list = ParsePasswordAlgorithms(value);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].parameters.size(), 5u);
  EXPECT_EQ((*list)[0].parameters[4], 'e');
  EXPECT_EQ((*list)[1].algorithm, PasswordAlgorithm::kSha256);
}

TEST(PasswordAlgorithmsTest, RejectsEveryTruncation) {
  const std::array<uint8_t, 12> value{0x7f, 0xff, 0, 4, 'a', 'b', 'c', 'd', 0, 2, 0, 0};
  for (size_t size = 0; size < value.size(); ++size) {
    const auto list = ParsePasswordAlgorithms(std::span(value).first(size));
    EXPECT_EQ(list.has_value(), size == 8) << size;  // eight octets are a complete list of one
  }
  const std::array<uint8_t, 4> one{0, 2, 0, 0};
  for (size_t size = 0; size < one.size(); ++size) {
    EXPECT_FALSE(ParsePasswordAlgorithm(std::span(one).first(size))) << size;
  }
}

TEST(PasswordAlgorithmsTest, RejectsBadLength) {
  EXPECT_FALSE(ParsePasswordAlgorithms(std::array<uint8_t, 4>{0, 2, 0xff, 0xff}));
  EXPECT_FALSE(ParsePasswordAlgorithm(std::array<uint8_t, 8>{0, 2, 0, 0, 0, 1, 0, 0}));  // two where one belongs
}

TEST(PasswordAlgorithmsTest, ALongListIsBounded) {
  const std::vector<uint8_t> value(4000);
  const auto list = ParsePasswordAlgorithms(value);
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), kMaxPasswordAlgorithms);
}

TEST(ChoosePasswordAlgorithmTest, WithoutPromiseAndOfferItIsMd5) {  // RFC 8489 §9.2.5
  EXPECT_EQ(ChoosePasswordAlgorithm("an old server's nonce", std::nullopt), PasswordAlgorithm::kMd5);
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2QAAAxyz", std::nullopt), PasswordAlgorithm::kMd5);
}

TEST(ChoosePasswordAlgorithmTest, S9_AStrippedOfferIsNoReasonToFallBack) {  // RFC 8489 §9.2.5: bid-down
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAAxyz", std::nullopt), std::nullopt);
}

TEST(ChoosePasswordAlgorithmTest, TakesTheFirstSupportedOne) {
  const std::array<uint8_t, 8> sha_first{0, 2, 0, 0, 0, 1, 0, 0};
  const std::array<uint8_t, 8> md5_first{0, 1, 0, 0, 0, 2, 0, 0};
  const std::array<uint8_t, 12> strange_first{0x7f, 0xff, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0};
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAA", sha_first), PasswordAlgorithm::kSha256);
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAA", md5_first), PasswordAlgorithm::kMd5);
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAA", strange_first), PasswordAlgorithm::kSha256);
}

TEST(ChoosePasswordAlgorithmTest, DoesNotRetryWithoutASupportedOne) {
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAA", std::array<uint8_t, 4>{0x7f, 0xff, 0, 0}), std::nullopt);
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAA", std::array<uint8_t, 3>{0, 2, 0}), std::nullopt);
  // SHA-256 with parameters is not the registered one.
  EXPECT_EQ(ChoosePasswordAlgorithm("obMatJos2gAAA", std::array<uint8_t, 8>{0, 2, 0, 4, 1, 2, 3, 4}), std::nullopt);
}

}  // namespace
}  // namespace jsp::stun
