#include "stun/long_term_key.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>
namespace jsp::stun {
namespace {

const LongTermKeys kKeys = LongTermKeys::Of("user", "realm", "pass");

std::vector<uint8_t> Build(const LongTermKey& key) {
  std::vector<uint8_t> out(200);
  MessageBuilder builder(out, {Method::kRefresh, MessageClass::kRequest}, {});
  builder.AddText(AttributeType::kUsername, "user");
  key.AddIntegrity(builder);
  out.resize(builder.Finish().size());
  return out;
}

TEST(LongTermKeyTest, HoldsTheKeysOfTheRfcsExample) {  // RFC 8489 §9.2.2, §18.5.1
  EXPECT_EQ(crypto::Hex(LongTermKey(kKeys, PasswordAlgorithm::kMd5, IntegrityKind::kSha1).octets()),
            "8493fbc53ba582fb4c044c456bdc40eb");
  EXPECT_EQ(crypto::Hex(LongTermKey(kKeys, PasswordAlgorithm::kSha256, IntegrityKind::kSha256).octets()),
            "07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b");
}

TEST(LongTermKeyTest, EachKindVerifiesItself) {  // RFC 8489 §9.2.4
  for (const auto algorithm : {PasswordAlgorithm::kMd5, PasswordAlgorithm::kSha256}) {
    for (const auto kind : {IntegrityKind::kSha1, IntegrityKind::kSha256}) {
      const LongTermKey key(kKeys, algorithm, kind);
      const auto message = Build(key);
      const auto view = MessageView::Parse(message);
      ASSERT_TRUE(view);
      EXPECT_EQ(key.Verify(*view), IntegrityStatus::kValid);
      EXPECT_EQ(view->Has(AttributeType::kMessageIntegritySha256), kind == IntegrityKind::kSha256);
      const LongTermKey other(LongTermKeys::Of("user", "realm", "other"), algorithm, kind);
      EXPECT_EQ(other.Verify(*view), IntegrityStatus::kInvalid);
    }
  }
}

TEST(LongTermKeyTest, S6_TheSha256AttributeDecidesWhereBothArePresent) {  // RFC 8489 §9.2.4
  const LongTermKey key(kKeys, PasswordAlgorithm::kMd5, IntegrityKind::kSha1);
  std::array<uint8_t, 200> out;
  MessageBuilder builder(out, {Method::kRefresh, MessageClass::kRequest}, {});
  builder.AddIntegrity(crypto::HmacSha1Key(key.octets()));
  builder.AddIntegritySha256(crypto::HmacSha256Key(crypto::AsBytes("wrong")));
  EXPECT_EQ(key.Verify(*MessageView::Parse(builder.Finish())), IntegrityStatus::kInvalid);
}

TEST(LongTermKeyTest, AMessageWithoutIntegrityIsNotValid) {
  const LongTermKey key(kKeys, PasswordAlgorithm::kMd5, IntegrityKind::kSha1);
  std::array<uint8_t, 20> out;
  const auto message = MessageBuilder(out, {Method::kRefresh, MessageClass::kRequest}, {}).Finish();
  EXPECT_EQ(key.Verify(*MessageView::Parse(message)), IntegrityStatus::kAbsent);
}

TEST(LongTermKeyTest, S6_EveryFlippedOctetIsNoticed) {
  const LongTermKey key(kKeys, PasswordAlgorithm::kSha256, IntegrityKind::kSha256);
  const auto good = Build(key);
  for (size_t i = 8; i < good.size(); ++i) {
    auto message = good;
    message[i] ^= 1;
    const auto view = MessageView::Parse(message);
    EXPECT_FALSE(view && key.Verify(*view) == IntegrityStatus::kValid) << i;
  }
}

}  // namespace
}  // namespace jsp::stun
