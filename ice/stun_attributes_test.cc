#include "ice/stun_attributes.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "ice/agent_test_support.h"
#include "stun/message_builder.h"
namespace jsp::ice {
namespace {

using stun::AttributeType;
using stun::IntegrityStatus;
using stun::MessageView;

const crypto::HmacSha1Key& Key() {
  static const crypto::HmacSha1Key key(crypto::AsBytes("VOkJxbRl1RmTxUk/WvJxBt"));
  return key;
}

// The sample request of RFC 5769 §2.1, which is a connectivity check.
constexpr std::string_view kSampleUsername = "evtj:h6vY";

TEST(StunAttributesTest, SplitsUsernames) {  // RFC 8445 §7.2.2
  const auto split = SplitUsername(kSampleUsername);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->receiver, "evtj");
  EXPECT_EQ(split->sender, "h6vY");
  EXPECT_FALSE(SplitUsername("nocolon"));
  EXPECT_EQ(SplitUsername("a:b:c")->sender, "b:c");
  EXPECT_EQ(SplitUsername(":")->receiver, "");
}

TEST(StunAttributesTest, WritesAndReadsAControlledCheck) {
  std::array<uint8_t, kMaxMessageSize> out;
  Rng rng = Rng::FromNumber(1);
  const auto id = stun::TransactionId::Random(rng);
  const RoleAttribute role{Role::kControlled, 0x932ff9b151263b36};
  const size_t size = WriteCheck(out, {id, kSampleUsername, 0x6e0001ff, role, false}, Key());
  const auto view = MessageView::Parse(std::span(out).first(size));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->VerifyIntegrity(Key()), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
  const auto check = ReadCheck(*view);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->sender_ufrag, "h6vY");
  EXPECT_EQ(check->priority, 0x6e0001ffu);
  EXPECT_EQ(check->role, role);
  EXPECT_FALSE(check->use_candidate);
}

TEST(StunAttributesTest, WritesAndReadsANomination) {  // RFC 8445 §16.1
  std::array<uint8_t, kMaxMessageSize> out;
  const RoleAttribute role{Role::kControlling, 7};
  const size_t size = WriteCheck(out, {{}, "a:b", 1, role, true}, Key());
  const auto check = ReadCheck(*MessageView::Parse(std::span(out).first(size)));
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->use_candidate);
  EXPECT_EQ(check->role, role);
}

TEST(StunAttributesTest, FitsTheLongestUsername) {
  std::array<uint8_t, kMaxMessageSize> out;
  const std::string username = std::string(256, 'a') + ":" + std::string(8, 'b');  // theirs may be long, ours is not
  EXPECT_GT(WriteCheck(out, {{}, username, 1, {}, true}, Key()), 0u);
}

TEST(StunAttributesTest, WritesNothingThatDoesNotFit) {
  std::array<uint8_t, 40> out;
  EXPECT_EQ(WriteCheck(out, {{}, "a:b", 1, {}, false}, Key()), 0u);
  EXPECT_EQ(WriteSuccess(out, {}, Address("192.0.2.1:1"), Key()), 0u);
  EXPECT_EQ(WriteError(out, {}, RequestFault{487, {}, 0}, Key()), 0u);
  EXPECT_EQ(WriteKeepalive(std::span(out).first(27), {}), 0u);
  EXPECT_EQ(WriteKeepalive(out, {}), 28u);
}

// Reads a check with these attributes.
template <class Add>
Expected<ReceivedCheck, RequestFault> ReadWith(Add&& add) {
  static std::array<uint8_t, kMaxMessageSize> out;
  stun::MessageBuilder builder(out, {stun::Method::kBinding, stun::MessageClass::kRequest}, {});
  add(builder);
  return ReadCheck(*MessageView::Parse(builder.Finish()));
}

TEST(StunAttributesTest, RefusesWhatIsMissingOrContradictory) {
  const auto no_priority = ReadWith([](auto& b) { b.AddText(AttributeType::kUsername, "a:b"); });
  EXPECT_EQ(no_priority.error().code, 400);
  const auto no_colon =
      ReadWith([](auto& b) { b.AddText(AttributeType::kUsername, "ab").AddU32(AttributeType::kPriority, 1); });
  EXPECT_EQ(no_colon.error().code, 400);
  const auto both = ReadWith([](auto& b) {
    b.AddText(AttributeType::kUsername, "a:b").AddU32(AttributeType::kPriority, 1);
    b.AddU64(AttributeType::kIceControlling, 1).AddU64(AttributeType::kIceControlled, 1);
  });
  EXPECT_EQ(both.error().code, 400);
  const auto full_flag = ReadWith([](auto& b) {
    b.AddText(AttributeType::kUsername, "a:b").AddU32(AttributeType::kPriority, 1);
    b.AddU32(AttributeType::kUseCandidate, 1);
  });
  EXPECT_EQ(full_flag.error().code, 400);
}

TEST(StunAttributesTest, NamesRequiredAttributesItDoesNotKnow) {  // RFC 8489 §6.3.1
  const auto unknown = ReadWith([](auto& b) {
    b.AddText(AttributeType::kUsername, "a:b").AddU32(AttributeType::kPriority, 1);
    for (uint16_t type = 0x7001; type <= 0x7009; ++type) b.AddFlag(static_cast<AttributeType>(type));
  });
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, 420);
  EXPECT_EQ(unknown.error().unknown_count, 4u);  // as many as the answer has room for
  std::array<uint8_t, kMaxMessageSize> out;
  const size_t size = WriteError(out, {}, unknown.error(), Key());
  const auto view = MessageView::Parse(std::span(out).first(size));
  EXPECT_EQ(view->FindError()->code, 420);
  EXPECT_EQ(view->Find(AttributeType::kUnknownAttributes)->size(), 8u);
}

TEST(StunAttributesTest, ReadsAChecksRoleAsAbsentWhenItIs) {
  const auto check =
      ReadWith([](auto& b) { b.AddText(AttributeType::kUsername, "a:b").AddU32(AttributeType::kPriority, 9); });
  ASSERT_TRUE(check);
  EXPECT_FALSE(check->role);
}

}  // namespace
}  // namespace jsp::ice
