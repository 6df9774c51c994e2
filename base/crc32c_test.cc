#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/crypto.h"
#include "base/rng.h"

namespace jsp {
namespace {

struct Vector {
  std::vector<uint8_t> data;
  uint32_t value;
};

// RFC 3720 §B.4, as numbers: the RFC lists the octets in the order of the wire.
std::vector<Vector> RfcVectors() {
  std::vector<Vector> vectors = {{std::vector<uint8_t>(32, 0x00), 0x8a9136aa},
                                 {std::vector<uint8_t>(32, 0xff), 0x62a8ab43},
                                 {{}, 0x46dd794e},
                                 {{}, 0x113fdb5c}};
  for (int i = 0; i < 32; ++i) {
    vectors[2].data.push_back(static_cast<uint8_t>(i));
    vectors[3].data.push_back(static_cast<uint8_t>(31 - i));
  }
  vectors.push_back({{0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                      0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
                      0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
                     0xd9963a56});
  return vectors;
}

TEST(Crc32cTest, MatchesTheRfcVectors) {  // RFC 3720 §B.4
  for (const Vector& v : RfcVectors()) {
    EXPECT_EQ(Crc32c(v.data), v.value);
    EXPECT_EQ(Crc32cPortable(v.data), v.value);
  }
  EXPECT_EQ(Crc32c(crypto::AsBytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32cTest, MatchesTheValidPacketWhoseChecksumIsZero) {  // RFC 9653 §3, figure 1
  const std::vector<uint8_t> packet = {0x13, 0x89, 0x13, 0x89, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                       0x00, 0x01, 0x00, 0x00, 0x14, 0xfc, 0xb7, 0x5c, 0xca, 0x00, 0x00,
                                       0x05, 0xdc, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00};
  EXPECT_EQ(Crc32c(packet), 0u);
}

TEST(Crc32cTest, InstructionAgreesWithTablesForEveryLengthAndAlignment) {
  Rng rng = Rng::FromNumber(32);
  std::vector<uint8_t> data(2100);
  rng.Fill(data);
  for (size_t n = 0; n <= 2048; ++n) {
    const auto piece = std::span<const uint8_t>(data).subspan(n % 16, n);
    ASSERT_EQ(Crc32c(piece), Crc32cPortable(piece)) << n;
  }
}

TEST(Crc32cTest, InstructionAgreesWithTablesBeyondOneRoundOfLanes) {
  Rng rng = Rng::FromNumber(33);
  std::vector<uint8_t> data(70000);
  rng.Fill(data);
  for (size_t n : {3071u, 3072u, 3073u, 3264u, 6143u, 6144u, 9000u, 65535u, 70000u}) {
    const auto piece = std::span<const uint8_t>(data).first(n);
    EXPECT_EQ(Crc32c(piece), Crc32cPortable(piece)) << n;
  }
}

TEST(Crc32cTest, ContinuesFromAnEarlierResultAtEverySplit) {
  Rng rng = Rng::FromNumber(34);
  std::vector<uint8_t> data(700);
  rng.Fill(data);
  const uint32_t whole = Crc32c(data);
  for (size_t split = 0; split <= data.size(); ++split) {
    const std::span<const uint8_t> all(data);
    ASSERT_EQ(Crc32c(all.subspan(split), Crc32c(all.first(split))), whole) << split;
    ASSERT_EQ(Crc32cPortable(all.subspan(split), Crc32cPortable(all.first(split))), whole) << split;
  }
}

TEST(Crc32cTest, DetectsEverySingleBitErrorOfAPacket) {
  std::vector<uint8_t> packet(100, 0x5a);
  const uint32_t good = Crc32c(packet);
  for (size_t bit = 0; bit < packet.size() * 8; ++bit) {
    packet[bit / 8] = static_cast<uint8_t>(packet[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(Crc32c(packet), good) << bit;
    packet[bit / 8] = static_cast<uint8_t>(packet[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace jsp
