#include "stun/integrity.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/rng.h"
namespace jsp::stun {
namespace {

const crypto::HmacSha1Key kSha1(crypto::AsBytes("VOkJxbRl1RmTxUk/WvJxBt"));
const crypto::HmacSha256Key kSha256(crypto::AsBytes("VOkJxbRl1RmTxUk/WvJxBt"));

std::vector<uint8_t> Message(size_t size) {
  Rng rng = Rng::FromNumber(size);
  std::vector<uint8_t> message(size);
  rng.Fill(message);
  return message;
}
// The message with the length that the HMAC counts, spelt out.
std::vector<uint8_t> WithLength(std::vector<uint8_t> message, size_t value_size) {
  const size_t length = message.size() - 20 + 4 + value_size;
  message[2] = static_cast<uint8_t>(length >> 8);
  message[3] = static_cast<uint8_t>(length & 0xff);
  return message;
}

TEST(IntegrityTest, CountsTheLengthUpToTheIntegrityAttribute) {  // RFC 8489 §14.5, §14.6
  for (const size_t size : {20u, 24u, 60u, 64u, 68u, 128u, 500u, 65508u}) {
    const auto message = Message(size);
    EXPECT_EQ(ComputeIntegrity(kSha1, message), kSha1.Sign(WithLength(message, 20))) << size;
    EXPECT_EQ(ComputeIntegritySha256(kSha256, message, 32), kSha256.Sign(WithLength(message, 32))) << size;
    EXPECT_EQ(ComputeIntegritySha256(kSha256, message, 16), kSha256.Sign(WithLength(message, 16))) << size;
  }
}

TEST(IntegrityTest, TheMessagesOwnLengthFieldDoesNotMatter) {
  auto message = Message(100);
  const auto mac = ComputeIntegrity(kSha1, message);
  message[2] = 0xff;
  message[3] = 0x04;
  EXPECT_EQ(ComputeIntegrity(kSha1, message), mac);
  message[1] ^= 1;
  EXPECT_NE(ComputeIntegrity(kSha1, message), mac);
}

TEST(IntegrityTest, S6_OnlyTwentyOctetsAreAMessageIntegrity) {
  const auto message = Message(100);
  const auto mac = ComputeIntegrity(kSha1, message);
  EXPECT_TRUE(IsIntegrityValid(kSha1, message, mac));
  for (size_t size = 0; size < mac.size(); ++size) {
    EXPECT_FALSE(IsIntegrityValid(kSha1, message, std::span(mac).first(size))) << size;
  }
  std::vector<uint8_t> longer(mac.begin(), mac.end());
  longer.push_back(0);
  EXPECT_FALSE(IsIntegrityValid(kSha1, message, longer));
}

TEST(IntegrityTest, S6_EveryWrongBitIsWrong) {
  const auto message = Message(100);
  const auto mac = ComputeIntegrity(kSha1, message);
  for (size_t bit = 0; bit < 160; ++bit) {
    auto wrong = mac;
    wrong[bit / 8] = static_cast<uint8_t>(wrong[bit / 8] ^ 1u << bit % 8);
    EXPECT_FALSE(IsIntegrityValid(kSha1, message, wrong));
  }
  EXPECT_FALSE(IsIntegrityValid(crypto::HmacSha1Key(crypto::AsBytes("another")), message, mac));
}

TEST(IntegrityTest, S6_Sha256IsFullUnlessTheUsageAllowsTruncation) {  // RFC 8489 §14.6
  const auto message = Message(100);
  for (size_t size = 0; size <= 40; ++size) {
    const auto digest = ComputeIntegritySha256(kSha256, message, size);
    std::vector<uint8_t> mac(digest.begin(), digest.end());
    mac.resize(size);
    EXPECT_EQ(IsIntegritySha256Valid(kSha256, message, mac, 32), size == 32) << size;
    EXPECT_EQ(IsIntegritySha256Valid(kSha256, message, mac, 16), size >= 16 && size <= 32 && size % 4 == 0) << size;
    EXPECT_EQ(IsIntegritySha256Valid(kSha256, message, mac, 0), size >= 16 && size <= 32 && size % 4 == 0) << size;
  }
}

TEST(IntegrityTest, S6_ATruncatedFullMacIsNotATruncatedMac) {  // the length is part of what is hashed
  const auto message = Message(100);
  const auto full = ComputeIntegritySha256(kSha256, message, 32);
  EXPECT_FALSE(IsIntegritySha256Valid(kSha256, message, std::span(full).first(16), 16));
}

}  // namespace
}  // namespace jsp::stun
