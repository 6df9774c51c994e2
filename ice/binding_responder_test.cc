#include "ice/binding_responder.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using stun::AttributeType;

class BindingResponderTest : public testing::Test {
 protected:
  CheckDraft Draft() const {
    CheckDraft draft;
    draft.username = local_.ufrag + ":peer";
    draft.pwd = local_.pwd;
    return draft;
  }
  std::optional<DropReason> Judge(const CheckDraft& draft) {
    const auto bytes = WriteDraft(draft, rng_);
    return responder_.FindForgery(*stun::MessageView::Parse(bytes));
  }
  std::optional<BindingResponder::Transmit> Poll() { return responder_.PollTransmit(out_); }
  stun::MessageView Last(size_t size) { return *stun::MessageView::Parse(std::span(out_).first(size)); }
  uint64_t Dropped(DropReason reason) { return metrics_.dropped[static_cast<size_t>(reason)]; }

  Rng rng_ = Rng::FromNumber(5);
  Credentials local_ = Credentials::Random(rng_);
  Metrics metrics_;
  BindingResponder responder_{local_, 2, metrics_};
  AddressPair path_{Address("10.0.0.1:1"), Address("192.0.2.9:9")};
  std::array<uint8_t, 1500> out_{};
};

TEST_F(BindingResponderTest, I1_TellsGenuineRequestsFromForgedOnes) {  // RFC 8445 §7.3, RFC 8489 §9.1.3
  EXPECT_EQ(Judge(Draft()), std::nullopt);
  CheckDraft draft = Draft();
  draft.username = local_.ufrag + "x:peer";
  EXPECT_EQ(Judge(draft), DropReason::kUnknownUfrag);
  draft.username = local_.ufrag.substr(1) + ":peer";
  EXPECT_EQ(Judge(draft), DropReason::kUnknownUfrag);
  draft.username = local_.ufrag;
  EXPECT_EQ(Judge(draft), DropReason::kUnknownUfrag);
  draft.username.clear();
  EXPECT_EQ(Judge(draft), DropReason::kMissingAttribute);
  draft = Draft();
  draft.pwd += "x";
  EXPECT_EQ(Judge(draft), DropReason::kBadIntegrity);
  draft = Draft();
  draft.integrity = false;
  EXPECT_EQ(Judge(draft), DropReason::kMissingAttribute);
  draft = Draft();
  draft.fingerprint = false;
  EXPECT_EQ(Judge(draft), DropReason::kBadFingerprint);
}

TEST_F(BindingResponderTest, IgnoresTheSecondHalfOfTheUsername) {  // RFC 8445 §7.3
  CheckDraft draft = Draft();
  for (const char* sender : {"", "x", "a:b", "anybody"}) {
    draft.username = local_.ufrag + ":" + sender;
    EXPECT_EQ(Judge(draft), std::nullopt) << sender;
  }
}

TEST_F(BindingResponderTest, AnswersInOrderToWhereTheRequestsCameFrom) {
  const auto first = stun::TransactionId::Random(rng_);
  const auto second = stun::TransactionId::Random(rng_);
  responder_.AnswerSuccess(first, path_);
  responder_.AnswerError(second, path_, RequestFault{487, {}, 0});
  const auto success = Poll();
  ASSERT_TRUE(success);
  EXPECT_EQ(success->path, path_);
  EXPECT_EQ(Last(success->size).transaction_id(), first);
  EXPECT_EQ(Last(success->size).FindAddress(AttributeType::kXorMappedAddress), path_.remote);
  const auto error = Poll();
  ASSERT_TRUE(error);
  EXPECT_EQ(Last(error->size).transaction_id(), second);
  EXPECT_EQ(Last(error->size).FindError()->code, 487);
  EXPECT_EQ(Last(error->size).VerifyIntegrity(crypto::HmacSha1Key(crypto::AsBytes(local_.pwd))),
            stun::IntegrityStatus::kValid);
  EXPECT_FALSE(Poll());
}

TEST_F(BindingResponderTest, KeepsAnAnswerThatTheBufferIsTooSmallFor) {
  responder_.AnswerSuccess({}, path_);
  std::array<uint8_t, 64> small;
  EXPECT_FALSE(responder_.PollTransmit(small));
  EXPECT_TRUE(Poll());
}

TEST_F(BindingResponderTest, NeverAnswersWithMoreThanItWasAsked) {  // no amplification
  const size_t asked = WriteDraft(Draft(), rng_).size();
  AddressPair v6 = path_;
  v6.remote = Address("[2001:db8::1]:1");
  responder_.AnswerSuccess({}, v6);
  EXPECT_LE(Poll()->size, asked);
}

TEST_F(BindingResponderTest, BoundsAnswersThatNobodyPolls) {
  for (size_t i = 0; i < kMaxPendingAnswers + 10; ++i) responder_.AnswerSuccess({}, path_);
  EXPECT_EQ(Dropped(DropReason::kQueueFull), 10u);
  responder_.Clear();
  EXPECT_FALSE(Poll());
}

TEST_F(BindingResponderTest, RemembersEarlyChecksOncePerPath) {  // RFC 8445 §7.3
  EXPECT_TRUE(responder_.Remember(path_, {"peer", 1, std::nullopt, true}));
  EXPECT_TRUE(responder_.Remember(path_, {"peer", 2, std::nullopt, false}));
  EXPECT_TRUE(responder_.HasEarly(path_));
  const auto early = responder_.TakeEarly();
  ASSERT_EQ(early.size(), 1u);
  EXPECT_EQ(early[0].priority, 2u);
  EXPECT_TRUE(early[0].use_candidate);  // a nomination is not taken back
  EXPECT_EQ(early[0].sender_ufrag, "peer");
  EXPECT_FALSE(responder_.HasEarly(path_));
  EXPECT_TRUE(responder_.TakeEarly().empty());
}

TEST_F(BindingResponderTest, BoundsEarlyChecks) {
  for (uint16_t port = 1; port <= 5; ++port) {
    EXPECT_EQ(responder_.Remember({path_.local, {path_.remote.ip, port}}, {"peer", 1, std::nullopt, false}), port <= 2);
  }
  EXPECT_EQ(Dropped(DropReason::kTooEarly), 3u);
}

}  // namespace
}  // namespace jsp::ice
