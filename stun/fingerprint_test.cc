#include "stun/fingerprint.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/crc32.h"
namespace jsp::stun {
namespace {

TEST(FingerprintTest, IsTheXoredCrcOfTheMessageWithItsFinalLength) {  // RFC 8489 §14.7
  std::vector<uint8_t> message(44);
  for (size_t i = 0; i < message.size(); ++i) message[i] = static_cast<uint8_t>(i * 7);
  auto spelt_out = message;
  spelt_out[2] = 0;
  spelt_out[3] = 44 - 20 + 8;
  EXPECT_EQ(ComputeFingerprint(message), Crc32(spelt_out) ^ 0x5354554e);
}

TEST(FingerprintTest, TheLengthFieldsValueDoesNotMatter) {
  std::vector<uint8_t> message(28, 0x5a);
  const uint32_t fingerprint = ComputeFingerprint(message);
  message[2] = message[3] = 0;
  EXPECT_EQ(ComputeFingerprint(message), fingerprint);
  message[4] ^= 0x80;
  EXPECT_NE(ComputeFingerprint(message), fingerprint);
}

TEST(FingerprintTest, ABareHeaderIsEnough) {
  std::array<uint8_t, 20> header{0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42};
  EXPECT_EQ(ComputeFingerprint(header), Crc32(header) ^ 0x5354554e);
}

}  // namespace
}  // namespace jsp::stun
