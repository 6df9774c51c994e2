#include "stun/long_term_server.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "stun/error_code.h"
#include "stun/long_term_client.h"
namespace jsp::stun {
namespace {

using namespace std::chrono_literals;
const SocketAddress kClient = *SocketAddress::Parse("203.0.113.7:40000");
const LongTermKeys kKeys = LongTermKeys::Of("user", "example.org", "pass");

class LongTermServerTest : public ::testing::Test {
 protected:
  LongTermServer Make(SecurityFeatures features = {.password_algorithms = true}) {
    return LongTermServer({.realm = "example.org", .features = features}, rng_);
  }
  // A challenge of `server` for kClient, taken by the client.
  ChallengeVerdict Challenge(const LongTermServer& server, uint16_t code = error_code::kUnauthenticated) {
    std::array<uint8_t, 500> out;
    MessageBuilder b(out, {Method::kAllocate, MessageClass::kErrorResponse}, {});
    b.AddError(code, "");
    const size_t before = b.size();
    server.AddChallenge(now_, kClient, b);
    EXPECT_EQ(b.size() - before, server.ChallengeSize());
    return client_.HandleChallenge(*MessageView::Parse(b.Finish()), code, 0);
  }
  MessageView Request() {
    MessageBuilder b(out_, {Method::kAllocate, MessageClass::kRequest}, {});
    client_.AddCredentials(b);
    client_.AddIntegrity(b);
    return *MessageView::Parse(b.Finish());
  }
  // 0: authentic.
  uint16_t Judge(const LongTermServer& server, const MessageView& request, const IpAddress& source = kClient.ip) {
    const auto claim = server.ReadClaim(now_, source, request);
    if (!claim) return claim.error();
    const auto key = server.Verify(request, *claim, kKeys);
    return key ? uint16_t{0} : key.error();
  }
  template <class Compose>
  uint16_t JudgeComposed(const LongTermServer& server, Compose&& compose) {
    MessageBuilder b(out_, {Method::kAllocate, MessageClass::kRequest}, {});
    compose(b);
    b.AddIntegritySha256(crypto::HmacSha256Key(kKeys.sha256));
    return Judge(server, *MessageView::Parse(b.Finish()));
  }

  Rng rng_ = Rng::FromNumber(5);
  Timestamp now_ = Timestamp::FromEpoch(100s);
  LongTermClient client_{"user", "pass", AlgorithmChoice::kSha256IfOffered};
  std::array<uint8_t, 1500> out_;
};

TEST_F(LongTermServerTest, AcceptsWhoAnswersItsChallenge) {  // RFC 8489 §9.2.4
  for (const bool algorithms : {false, true}) {
    const auto server = Make({.password_algorithms = algorithms});
    client_ = LongTermClient("user", "pass", AlgorithmChoice::kSha256IfOffered);
    EXPECT_EQ(Challenge(server), ChallengeVerdict::kRetry);
    EXPECT_EQ(client_.challenge()->algorithm, algorithms ? PasswordAlgorithm::kSha256 : PasswordAlgorithm::kMd5);
    EXPECT_EQ(Judge(server, Request()), 0);
  }
}

TEST_F(LongTermServerTest, ARequestWithoutIntegrityIsChallenged) {  // RFC 8489 §9.2.4
  EXPECT_EQ(Judge(Make(), Request()), error_code::kUnauthenticated);
}

TEST_F(LongTermServerTest, S10_IntegrityWithoutNameRealmOrNonceIsABadRequest) {  // RFC 8489 §9.2.4
  const auto server = Make();
  for (int missing = 0; missing < 3; ++missing) {
    const uint16_t code = JudgeComposed(server, [&](MessageBuilder& b) {
      if (missing != 0) b.AddText(AttributeType::kUsername, "user");
      if (missing != 1) b.AddText(AttributeType::kRealm, "example.org");
      if (missing != 2) b.AddText(AttributeType::kNonce, "nonce");
    });
    EXPECT_EQ(code, error_code::kBadRequest) << missing;
  }
}

TEST_F(LongTermServerTest, ThePasswordAlgorithmsMustBeOurs) {  // RFC 8489 §9.2.4
  const auto server = Make();
  Challenge(server);
  const auto with = [&](std::vector<uint8_t> offer, std::vector<uint8_t> chosen) {
    return JudgeComposed(server, [&](MessageBuilder& b) {
      b.AddText(AttributeType::kUsername, "user").AddText(AttributeType::kRealm, "example.org");
      b.AddText(AttributeType::kNonce, client_.challenge()->nonce);
      if (!offer.empty()) b.Add(AttributeType::kPasswordAlgorithms, offer);
      if (!chosen.empty()) b.Add(AttributeType::kPasswordAlgorithm, chosen);
    });
  };
  const std::vector<uint8_t> ours = client_.challenge()->password_algorithms;
  EXPECT_EQ(with(ours, {0, 2, 0, 0}), 0);
  EXPECT_EQ(with(ours, {}), error_code::kBadRequest);
  EXPECT_EQ(with({}, {0, 2, 0, 0}), error_code::kBadRequest);
  EXPECT_EQ(with({0, 1, 0, 0}, {0, 1, 0, 0}), error_code::kBadRequest);
  EXPECT_EQ(with(ours, {0, 9, 0, 0}), error_code::kBadRequest);
  EXPECT_EQ(with(ours, {0, 2}), error_code::kBadRequest);
}

TEST_F(LongTermServerTest, AClientThatIgnoresTheOfferIsMd5) {  // RFC 8489 §9.2.4: "as though … were MD5"
  const auto server = Make();
  Challenge(server);
  MessageBuilder b(out_, {Method::kAllocate, MessageClass::kRequest}, {});
  b.AddText(AttributeType::kUsername, "user").AddText(AttributeType::kRealm, "example.org");
  b.AddText(AttributeType::kNonce, client_.challenge()->nonce).AddIntegrity(crypto::HmacSha1Key(kKeys.md5));
  const auto request = *MessageView::Parse(b.Finish());
  const auto claim = server.ReadClaim(now_, kClient.ip, request);
  ASSERT_TRUE(claim);
  const auto key = server.Verify(request, *claim, kKeys);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->kind(), IntegrityKind::kSha1);  // and so is the response
}

TEST_F(LongTermServerTest, ItsNoncePromisesWhatItOffers) {  // RFC 8489 §9.2.4, §18.1
  for (const SecurityFeatures features : {SecurityFeatures{false, false}, SecurityFeatures{true, false},
                                          SecurityFeatures{false, true}, SecurityFeatures{true, true}}) {
    std::array<uint8_t, 500> out;
    MessageBuilder b(out, {Method::kAllocate, MessageClass::kErrorResponse}, {});
    Make(features).AddChallenge(now_, kClient, b);
    const auto challenge = *MessageView::Parse(b.Finish());
    EXPECT_EQ(challenge.Has(AttributeType::kPasswordAlgorithms), features.password_algorithms);
    EXPECT_EQ(ParseNonceCookie(*challenge.FindText(AttributeType::kNonce)), features);
  }
}

TEST_F(LongTermServerTest, AWrongPasswordIs401EvenWithAStaleNonce) {  // RFC 8489 §9.2.4: in this order
  const auto server = Make();
  client_ = LongTermClient("user", "guess", AlgorithmChoice::kSha256IfOffered);
  Challenge(server);
  EXPECT_EQ(Judge(server, Request()), error_code::kUnauthenticated);
  now_ = now_ + 2h;
  EXPECT_EQ(Judge(server, Request()), error_code::kUnauthenticated);
}

TEST_F(LongTermServerTest, ANonceGoesStale) {  // RFC 8489 §9.2.4, RFC 8656 §5
  const auto server = Make();
  Challenge(server);
  now_ = now_ + 3599s;
  EXPECT_EQ(Judge(server, Request()), 0);
  now_ = now_ + 1s;
  EXPECT_EQ(Judge(server, Request()), error_code::kStaleNonce);
  EXPECT_EQ(Challenge(server, error_code::kStaleNonce), ChallengeVerdict::kRetry);
  EXPECT_EQ(Judge(server, Request()), 0);
}

TEST_F(LongTermServerTest, ANonceIsForOneHost) {  // RFC 8489 §9.2.4
  const auto server = Make();
  Challenge(server);
  EXPECT_EQ(Judge(server, Request(), *IpAddress::Parse("203.0.113.8")), error_code::kStaleNonce);
  EXPECT_EQ(Judge(server, Request(), *IpAddress::Parse("2001:db8::7")), error_code::kStaleNonce);
}

TEST_F(LongTermServerTest, NoTwoAddressesGetTheSameNonce) {  // RFC 8489 §9.2.4
  const auto server = Make();
  std::set<std::string> nonces;
  for (uint16_t port = 1; port <= 200; ++port) {
    std::array<uint8_t, 500> out;
    MessageBuilder b(out, {Method::kAllocate, MessageClass::kErrorResponse}, {});
    server.AddChallenge(now_, {kClient.ip, port}, b);
    nonces.emplace(*MessageView::Parse(b.Finish())->FindText(AttributeType::kNonce));
  }
  EXPECT_EQ(nonces.size(), 200u);
}

TEST_F(LongTermServerTest, T6_NoncesOfAnotherServerOrOfNobodyAreStale) {
  const auto server = Make();
  const auto other = Make();
  Challenge(other);
  EXPECT_EQ(Judge(server, Request()), error_code::kStaleNonce);
  for (const std::string nonce : {"x", "obMatJos2gAAA", "obMatJos2gAAA!!!!!!!!!!!!!!!!!!!!", "obMatJos2AAAA"}) {
    client_.Adopt({"example.org", nonce, {0, 2, 0, 0, 0, 1, 0, 0}, PasswordAlgorithm::kSha256});
    const auto request = Request();
    const auto claim = server.ReadClaim(now_, kClient.ip, request);
    EXPECT_FALSE(claim && claim->nonce_is_fresh) << nonce;
  }
}

TEST_F(LongTermServerTest, S9_AFeatureTakenOutOfTheNonceMakesItStale) {  // RFC 8489 §9.2.1
  const auto server = Make();
  Challenge(server);
  std::string nonce = client_.challenge()->nonce;
  nonce[9] = 'A';  // "no password algorithms"
  MessageBuilder b(out_, {Method::kAllocate, MessageClass::kRequest}, {});
  b.AddText(AttributeType::kUsername, "user").AddText(AttributeType::kRealm, "example.org");
  b.AddText(AttributeType::kNonce, nonce).AddIntegrity(crypto::HmacSha1Key(kKeys.md5));
  EXPECT_EQ(Judge(server, *MessageView::Parse(b.Finish())), error_code::kStaleNonce);
}

TEST_F(LongTermServerTest, ReadsAUserhash) {  // RFC 8489 §14.4
  const auto server = Make({.password_algorithms = true, .username_anonymity = true});
  Challenge(server);
  const auto request = Request();
  const auto claim = server.ReadClaim(now_, kClient.ip, request);
  ASSERT_TRUE(claim);
  EXPECT_TRUE(claim->username.empty());
  ASSERT_TRUE(claim->userhash);
  EXPECT_TRUE(std::ranges::equal(*claim->userhash, Userhash("user", "example.org")));
  EXPECT_TRUE(server.Verify(request, *claim, kKeys));
}

TEST_F(LongTermServerTest, SignsOtherThingsThanNonces) {
  const auto server = Make();
  const std::array<uint8_t, 12> data{1, 2, 3};
  EXPECT_EQ(server.SignOpaque(data), server.SignOpaque(data));
  EXPECT_NE(server.SignOpaque(data), server.SignOpaque(std::span(data).first(11)));
  EXPECT_NE(server.SignOpaque(data), Make().SignOpaque(data));  // another instance has another key
}

TEST_F(LongTermServerTest, T9_OverlongNamesRealmsAndNoncesAreBadRequests) {
  const auto server = Make();
  const std::vector<uint8_t> overlong(764, 'x');
  for (const auto type : {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}) {
    const uint16_t code = JudgeComposed(server, [&](MessageBuilder& b) {
      b.Add(type, overlong);
      for (const auto other : {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}) {
        if (other != type) b.AddText(other, "x");
      }
    });
    EXPECT_EQ(code, error_code::kBadRequest);
  }
}

}  // namespace
}  // namespace jsp::stun
