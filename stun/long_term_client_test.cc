#include "stun/long_term_client.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "stun/error_code.h"
namespace jsp::stun {
namespace {

using Bytes = std::vector<uint8_t>;
const Bytes kMd5Then256{0, 1, 0, 0, 0, 2, 0, 0};
const std::string kPlainNonce = "f//499k954d6OL34oL9FSTvy64sA";
const std::string kPromising = "obMatJos2gAAA0123";  // bit 0: PASSWORD-ALGORITHMS
const std::string kAnonymous = "obMatJos2QAAA0123";  // bit 1: USERHASH

class LongTermClientTest : public ::testing::Test {
 protected:
  struct Parts {
    std::optional<std::string> realm = "example.org";
    std::optional<std::string> nonce = kPlainNonce;
    std::optional<Bytes> offer{};
  };
  ChallengeVerdict Challenge(const Parts& parts, uint16_t code = error_code::kUnauthenticated) {
    std::array<uint8_t, 1000> out;
    MessageBuilder b(out, {Method::kAllocate, MessageClass::kErrorResponse}, {});
    b.AddError(code, "");
    if (parts.realm) b.AddText(AttributeType::kRealm, *parts.realm);
    if (parts.nonce) b.AddText(AttributeType::kNonce, *parts.nonce);
    if (parts.offer) b.Add(AttributeType::kPasswordAlgorithms, *parts.offer);
    return client_.HandleChallenge(*MessageView::Parse(b.Finish()), code, request_generation_);
  }
  MessageView Request() {
    MessageBuilder b(request_, {Method::kAllocate, MessageClass::kRequest}, {});
    client_.AddCredentials(b);
    client_.AddIntegrity(b);
    request_generation_ = client_.generation();
    return *MessageView::Parse(b.Finish());
  }

  LongTermClient client_{"user", "pass", AlgorithmChoice::kSha256IfOffered};
  std::array<uint8_t, 1500> request_;
  uint32_t request_generation_ = 0;
};

TEST_F(LongTermClientTest, TheFirstRequestHasNoCredentials) {  // RFC 8489 §9.2.3
  const auto request = Request();
  EXPECT_EQ(request.datagram().size(), 20u);
  EXPECT_FALSE(client_.has_challenge());
}

TEST_F(LongTermClientTest, AnswersAChallengeWithItsRealmAndNonce) {  // RFC 8489 §9.2.5
  EXPECT_EQ(Challenge({}), ChallengeVerdict::kRetry);
  const auto request = Request();
  EXPECT_EQ(request.FindText(AttributeType::kUsername), "user");
  EXPECT_EQ(request.FindText(AttributeType::kRealm), "example.org");
  EXPECT_EQ(request.FindText(AttributeType::kNonce), kPlainNonce);
  EXPECT_FALSE(request.Has(AttributeType::kPasswordAlgorithm));
  const auto key = LongTermKeyMd5("user", "example.org", "pass");
  EXPECT_EQ(request.VerifyIntegrity(crypto::HmacSha1Key(key)), IntegrityStatus::kValid);
}

TEST_F(LongTermClientTest, UsesSha256OnlyWhereItWasOffered) {  // RFC 8489 §9.2.5, RFC 8656 §6
  EXPECT_EQ(Challenge({.nonce = kPromising, .offer = kMd5Then256}), ChallengeVerdict::kRetry);
  const auto request = Request();
  const auto offer = request.Find(AttributeType::kPasswordAlgorithms);
  ASSERT_TRUE(offer);
  EXPECT_TRUE(std::ranges::equal(*offer, kMd5Then256));  // "with the same content"
  EXPECT_EQ(ParsePasswordAlgorithm(*request.Find(AttributeType::kPasswordAlgorithm))->algorithm,
            PasswordAlgorithm::kSha256);
  const auto key = LongTermKeySha256("user", "example.org", "pass");
  EXPECT_EQ(request.VerifyIntegritySha256(crypto::HmacSha256Key(key)), IntegrityStatus::kValid);
  EXPECT_FALSE(request.Has(AttributeType::kMessageIntegrity));
}

TEST_F(LongTermClientTest, TakesTheFirstOfferedOutsideTurn) {  // RFC 8489 §9.2.5
  client_ = LongTermClient("user", "pass", AlgorithmChoice::kFirstOffered);
  EXPECT_EQ(Challenge({.nonce = kPromising, .offer = kMd5Then256}), ChallengeVerdict::kRetry);
  const auto request = Request();
  EXPECT_EQ(ParsePasswordAlgorithm(*request.Find(AttributeType::kPasswordAlgorithm))->algorithm,
            PasswordAlgorithm::kMd5);
  // "all the subsequent requests MUST be authenticated using MESSAGE-INTEGRITY-SHA256 only", with the MD5 key too.
  const auto key = LongTermKeyMd5("user", "example.org", "pass");
  EXPECT_EQ(request.VerifyIntegritySha256(crypto::HmacSha256Key(key)), IntegrityStatus::kValid);
}

TEST_F(LongTermClientTest, HidesTheUserNameWhereTheNonceSaysSo) {  // RFC 8489 §9.2.5, §14.4
  EXPECT_EQ(Challenge({.nonce = kAnonymous}), ChallengeVerdict::kRetry);
  const auto request = Request();
  EXPECT_FALSE(request.Has(AttributeType::kUsername));
  EXPECT_TRUE(std::ranges::equal(*request.Find(AttributeType::kUserhash), Userhash("user", "example.org")));
}

TEST_F(LongTermClientTest, S9_NoticesABidDown) {  // RFC 8489 §9.2.1, §9.2.5
  EXPECT_EQ(Challenge({.nonce = kPromising}), ChallengeVerdict::kBidDown);
  EXPECT_FALSE(client_.has_challenge());
}

TEST_F(LongTermClientTest, GivesUpWithoutAKnownAlgorithm) {  // RFC 8489 §9.2.5
  EXPECT_EQ(Challenge({.nonce = kPromising, .offer = Bytes{0, 9, 0, 0}}), ChallengeVerdict::kNoAlgorithm);
  EXPECT_EQ(Challenge({.nonce = kPromising, .offer = Bytes{0, 1}}), ChallengeVerdict::kNoAlgorithm);
}

TEST_F(LongTermClientTest, AChallengeNeedsRealmAndNonce) {
  EXPECT_EQ(Challenge({.realm = {}}), ChallengeVerdict::kMalformed);
  EXPECT_EQ(Challenge({.nonce = {}}), ChallengeVerdict::kMalformed);
  EXPECT_FALSE(client_.has_challenge());
}

TEST_F(LongTermClientTest, TheSameCredentialsAreNotTriedTwice) {  // RFC 8489 §9.2.5
  EXPECT_EQ(Challenge({}), ChallengeVerdict::kRetry);
  (void)Request();
  EXPECT_EQ(Challenge({.nonce = "another"}), ChallengeVerdict::kWrongCredentials);
}

TEST_F(LongTermClientTest, AnotherRealmMayBeTried) {  // RFC 8489 §9.2.5: a change of the realm is a change
  EXPECT_EQ(Challenge({}), ChallengeVerdict::kRetry);
  (void)Request();
  EXPECT_EQ(Challenge({.realm = "example.net"}), ChallengeVerdict::kRetry);
  EXPECT_EQ(Request().FindText(AttributeType::kRealm), "example.net");
}

TEST_F(LongTermClientTest, AStaleNonceIsReplaced) {  // RFC 8489 §9.2.5
  EXPECT_EQ(Challenge({}), ChallengeVerdict::kRetry);
  (void)Request();
  EXPECT_EQ(Challenge({.nonce = "fresh"}, error_code::kStaleNonce), ChallengeVerdict::kRetry);
  EXPECT_EQ(Request().FindText(AttributeType::kNonce), "fresh");
  EXPECT_EQ(Challenge({.realm = {}, .nonce = "fresher"}, error_code::kStaleNonce), ChallengeVerdict::kRetry);
  EXPECT_EQ(Request().FindText(AttributeType::kRealm), "example.org");
  EXPECT_EQ(client_.generation(), 3u);
}

TEST_F(LongTermClientTest, AnEarlierChallengeSavesARoundTrip) {  // RFC 8489 §9.2.3.2
  EXPECT_EQ(Challenge({.nonce = kPromising, .offer = kMd5Then256}), ChallengeVerdict::kRetry);
  LongTermClient next("user", "pass", AlgorithmChoice::kSha256IfOffered);
  next.Adopt(*client_.challenge());
  EXPECT_EQ(next.challenge(), client_.challenge());
  MessageBuilder b(request_, {Method::kAllocate, MessageClass::kRequest}, {});
  next.AddCredentials(b);
  next.AddIntegrity(b);
  EXPECT_TRUE(MessageView::Parse(b.Finish())->Has(AttributeType::kMessageIntegritySha256));
}

TEST_F(LongTermClientTest, AnUnusableChallengeIsNotAdopted) {
  client_.Adopt({"", "nonce", {}, PasswordAlgorithm::kMd5});
  client_.Adopt({"realm", "", {}, PasswordAlgorithm::kMd5});
  client_.Adopt({"realm", kPromising, {}, PasswordAlgorithm::kMd5});
  client_.Adopt({"realm", kPromising, {0, 9, 0, 0}, PasswordAlgorithm::kMd5});
  EXPECT_FALSE(client_.has_challenge());
}

TEST_F(LongTermClientTest, S9_AResponseCountsOnlyWithOurKey) {  // RFC 8489 §9.2.5
  EXPECT_EQ(Challenge({}), ChallengeVerdict::kRetry);
  std::array<uint8_t, 200> out;
  const auto build = [&](std::string_view password, std::string_view nonce) {
    MessageBuilder b(out, {Method::kAllocate, MessageClass::kSuccessResponse}, {});
    if (!nonce.empty()) b.AddText(AttributeType::kNonce, nonce);
    b.AddIntegrity(crypto::HmacSha1Key(LongTermKeyMd5("user", "example.org", password)));
    return *MessageView::Parse(b.Finish());
  };
  EXPECT_EQ(client_.Verify(build("pass", "")), IntegrityStatus::kValid);
  EXPECT_EQ(client_.Verify(build("word", "")), IntegrityStatus::kInvalid);
  // RFC 8489 §9.2.5: "For all other responses, … the response MUST be ignored".
  EXPECT_EQ(client_.Verify(build("pass", kPromising)), IntegrityStatus::kInvalid);
}

TEST_F(LongTermClientTest, T9_LongTextsAreEchoedAsTheyCame) {  // RFC 8489 §14.9: read up to 763 octets
  EXPECT_EQ(Challenge({.nonce = std::string(127, 'n')}), ChallengeVerdict::kRetry);
  EXPECT_EQ(Request().FindText(AttributeType::kNonce)->size(), 127u);
}

TEST_F(LongTermClientTest, LongCredentialsFitTheSmallestMtuAndUsualOnesThatOfIpv4) {  // RFC 8489 §6.1
  constexpr size_t kRest = 200;  // what a TURN request adds: REQUESTED-TRANSPORT, SOFTWARE, FINGERPRINT and the like
  const auto size = [&](size_t username, size_t realm, size_t nonce) {
    client_ = LongTermClient(std::string(username, 'u'), "pass", AlgorithmChoice::kSha256IfOffered);
    request_generation_ = 0;
    const Parts parts{std::string(realm, 'r'), kPromising + std::string(nonce - kPromising.size(), 'n'), kMd5Then256};
    EXPECT_EQ(Challenge(parts), ChallengeVerdict::kRetry);
    const auto request = Request();
    EXPECT_TRUE(request.Has(AttributeType::kMessageIntegritySha256));
    return request.datagram().size();
  };
  EXPECT_LE(size(508, 127, 127) + kRest, 1280u - 40 - 8);
  EXPECT_LE(size(64, 64, 64) + kRest, 576u - 20 - 8);
}

}  // namespace
}  // namespace jsp::stun
