#include "base/crc32.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <string_view>
#include <vector>

#include "base/crypto.h"

namespace jsp {
namespace {

using crypto::AsBytes;

TEST(Crc32Test, MatchesTheCheckValueAndOtherKnownResults) {  // RFC 8489 §14.7, ITU V.42
  EXPECT_EQ(Crc32(AsBytes("123456789")), 0xcbf43926u);
  EXPECT_EQ(Crc32({}), 0u);
  EXPECT_EQ(Crc32(AsBytes("a")), 0xe8b7be43u);
  EXPECT_EQ(Crc32(AsBytes("The quick brown fox jumps over the lazy dog")), 0x414fa339u);
}

// Bit by bit, straight from the definition.
uint32_t Crc32Bitwise(std::span<const uint8_t> data) {
  uint32_t state = 0xffffffff;
  for (uint8_t octet : data) {
    state ^= octet;
    for (int i = 0; i < 8; ++i) state = (state >> 1) ^ ((state & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~state;
}

TEST(Crc32Test, AgreesWithTheDefinitionForEveryLengthAndOffset) {
  std::vector<uint8_t> data(200);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 37 + 11);
  for (size_t offset = 0; offset < 8; ++offset) {
    for (size_t n = 0; offset + n <= data.size(); ++n) {
      const auto piece = std::span<const uint8_t>(data).subspan(offset, n);
      ASSERT_EQ(Crc32(piece), Crc32Bitwise(piece)) << offset << " " << n;
      ASSERT_EQ(Crc32Portable(piece, 0x12345678), Crc32(piece, 0x12345678)) << offset << " " << n;
    }
  }
}

TEST(Crc32Test, ContinuesFromAnEarlierResultAtEverySplit) {
  const auto data = AsBytes("two spans of one STUN message, long enough that both may be folded by blocks of sixteen");
  for (size_t split = 0; split <= data.size(); ++split) {
    EXPECT_EQ(Crc32(data.subspan(split), Crc32(data.first(split))), Crc32(data)) << split;
  }
}

}  // namespace
}  // namespace jsp
