#include "transport/negotiation.h"

#include <gtest/gtest.h>

#include <string>

namespace jsp::transport {
namespace {

class NegotiationTest : public ::testing::Test {
 protected:
  LocalParameters Local() {
    LocalParameters local;
    local.ice = {"abcdefgh", "0123456789abcdefghijklmn"};
    local.fingerprint = {dtls::HashFunction::kSha256, std::vector<uint8_t>(32, 0xab)};
    local.max_message_size = 1000;
    return local;
  }
  static std::string With(std::string sdp, const std::string& from, const std::string& to) {
    const size_t at = sdp.find(from);
    EXPECT_NE(at, std::string::npos) << from << " is not in\n" << sdp;
    return at == std::string::npos ? sdp : sdp.replace(at, from.size(), to);
  }

  Rng rng_ = Rng::FromNumber(1);
  Negotiation a_{rng_};
  Negotiation z_{rng_};
};

TEST_F(NegotiationTest, TheOffererControlsAndTheAnswererIsTheDtlsClient) {  // RFC 8445 §6.1.1, RFC 8842 §5.3
  const auto offer = a_.CreateOffer(Local());
  ASSERT_TRUE(offer);
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, *offer));
  const auto answer = z_.CreateAnswer(Local());
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->find("a=setup:active"), std::string::npos);
  ASSERT_TRUE(a_.ApplyRemote(SdpType::kAnswer, *answer));
  EXPECT_EQ(a_.ice_role(), ice::Role::kControlling);
  EXPECT_EQ(z_.ice_role(), ice::Role::kControlled);
  EXPECT_EQ(a_.dtls_role(), dtls::Role::kServer);
  EXPECT_EQ(z_.dtls_role(), dtls::Role::kClient);
  EXPECT_EQ(z_.remote_max_message_size(), 1000u);
}

TEST_F(NegotiationTest, D16_AnActiveOffererMakesUsPassive) {  // RFC 8842 §5.3
  const auto offer = With(*a_.CreateOffer(Local()), "a=setup:actpass", "a=setup:active");
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, offer));
  EXPECT_EQ(z_.dtls_role(), dtls::Role::kServer);
  EXPECT_NE(z_.CreateAnswer(Local())->find("a=setup:passive"), std::string::npos);
}

TEST_F(NegotiationTest, D16_RefusesAnAnswerThatDecidesNothing) {  // RFC 8842 §5.3
  const auto offer = a_.CreateOffer(Local());
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, *offer));
  const auto answer = With(*z_.CreateAnswer(Local()), "a=setup:active", "a=setup:actpass");
  const auto applied = a_.ApplyRemote(SdpType::kAnswer, answer);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, DescriptionError::Code::kIncompatible);
}

// RFC 8842 §5.5: who offers again says actpass, with the same fingerprint, whatever its role is; RFC 8842 §5.3: who
// answers keeps the role that it has, and its fingerprint.
TEST_F(NegotiationTest, LaterRoundsKeepTheRolesAndTheFingerprintsWhoeverOffers) {
  const std::string offer = *a_.CreateOffer(Local());
  const size_t at = offer.find("a=fingerprint:");
  const std::string fingerprint = offer.substr(at, offer.find("\r\n", at) - at);
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, offer));
  ASSERT_TRUE(a_.ApplyRemote(SdpType::kAnswer, *z_.CreateAnswer(Local())));
  for (int round = 0; round < 4; ++round) {
    Negotiation& offerer = round % 2 == 0 ? z_ : a_;
    Negotiation& answerer = round % 2 == 0 ? a_ : z_;
    const std::string again = *offerer.CreateOffer(Local());
    EXPECT_NE(again.find("a=setup:actpass\r\n"), std::string::npos) << round;
    EXPECT_NE(again.find(fingerprint), std::string::npos) << round;
    ASSERT_TRUE(answerer.ApplyRemote(SdpType::kOffer, again)) << round;
    const std::string answer = *answerer.CreateAnswer(Local());
    EXPECT_NE(answer.find(round % 2 == 0 ? "a=setup:passive\r\n" : "a=setup:active\r\n"), std::string::npos) << round;
    EXPECT_NE(answer.find(fingerprint), std::string::npos) << round;
    ASSERT_TRUE(offerer.ApplyRemote(SdpType::kAnswer, answer)) << round;
    EXPECT_EQ(a_.dtls_role(), dtls::Role::kServer) << round;
    EXPECT_EQ(z_.dtls_role(), dtls::Role::kClient) << round;
  }
}

TEST_F(NegotiationTest, D11_RefusesADescriptionWithoutAKnownFingerprint) {  // RFC 8122 §5
  const auto offer = With(*a_.CreateOffer(Local()), "a=fingerprint:sha-256", "a=fingerprint:md2");
  EXPECT_FALSE(z_.ApplyRemote(SdpType::kOffer, offer));
}

TEST_F(NegotiationTest, AFullAgentControlsALiteOne) {  // RFC 8445 §6.1.1
  const auto offer = With(*a_.CreateOffer(Local()), "a=group:BUNDLE", "a=ice-lite\r\na=group:BUNDLE");
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, offer));
  EXPECT_EQ(z_.ice_role(), ice::Role::kControlling);
}

TEST_F(NegotiationTest, OnlyALiteAgentSaysSo) {  // RFC 8839 §4.2.1.4
  EXPECT_EQ(a_.CreateOffer(Local())->find("a=ice-lite"), std::string::npos);
  Negotiation lite(rng_, ice::Implementation::kLite);
  LocalParameters local = Local();
  local.pacing_interval = std::chrono::milliseconds(20);
  const auto offer = lite.CreateOffer(local);
  EXPECT_NE(offer->find("a=ice-lite\r\n"), std::string::npos);
  EXPECT_EQ(offer->find("a=ice-pacing"), std::string::npos);
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, *offer));
  EXPECT_EQ(z_.ice_role(), ice::Role::kControlling);
  ASSERT_TRUE(lite.ApplyRemote(SdpType::kAnswer, *z_.CreateAnswer(Local())));
  EXPECT_EQ(lite.ice_role(), ice::Role::kControlled) << "a lite agent never controls a full one (RFC 8445 §6.1.1)";
  Negotiation other(rng_, ice::Implementation::kLite);
  EXPECT_FALSE(other.ApplyRemote(SdpType::kOffer, *offer)) << "nobody would check a path";
}

TEST_F(NegotiationTest, DescriptionsMayBeRenderedAgainWithMoreCandidates) {
  const auto before = a_.CreateOffer(Local());
  LocalParameters more = Local();
  more.candidates.push_back(*ice::ParseCandidate("candidate:1 1 udp 1 192.0.2.1 5000 typ host"));
  const auto after = a_.CreateOffer(more);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->find("a=candidate"), std::string::npos);
  EXPECT_NE(after->find("192.0.2.1 5000 typ host"), std::string::npos);
}

TEST_F(NegotiationTest, VerbsOutOfOrderAreRefused) {
  EXPECT_FALSE(a_.CreateAnswer(Local()));
  const auto offer = a_.CreateOffer(Local());
  EXPECT_FALSE(a_.ApplyRemote(SdpType::kOffer, *offer)) << "glare is the caller's to resolve";
  EXPECT_FALSE(z_.ApplyRemote(SdpType::kAnswer, *offer));
  ASSERT_TRUE(z_.ApplyRemote(SdpType::kOffer, *offer));
  EXPECT_FALSE(z_.CreateOffer(Local()));
}

TEST_F(NegotiationTest, ABadDescriptionLeavesTheStateAsItWas) {
  EXPECT_FALSE(z_.ApplyRemote(SdpType::kOffer, "v=0\r\n"));
  EXPECT_FALSE(z_.remote());
  EXPECT_TRUE(z_.ApplyRemote(SdpType::kOffer, *a_.CreateOffer(Local())));
}

}  // namespace
}  // namespace jsp::transport
