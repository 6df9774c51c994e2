#include "base/wire_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/strong_types.h"

namespace jsp {

namespace {
using Tsn = SerialNumber<struct TsnTag, uint32_t>;

struct Mixed {
  uint8_t a{};
  Tsn b{};
  uint64_t c{};
  uint16_t d{};
};
}  // namespace

template <>
struct wire::Layout<Mixed> {
  static constexpr std::tuple kFields{&Mixed::a, &Mixed::b, &Mixed::c, &Mixed::d};
};

namespace {

using ::testing::ElementsAreArray;

constexpr std::array<uint8_t, 15> kOctets = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static_assert(wire::kSize<Mixed> == 15, "no padding on the wire");
static_assert(wire::Codec<uint32_t>::Load(kOctets.data()) == 0x01020304, "usable in constant expressions");

TEST(WireLayoutTest, ReadsFieldsInDeclaredOrder) {
  const auto value = wire::Read<Mixed>(kOctets);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->a, 1u);
  EXPECT_EQ(value->b, Tsn(0x02030405));
  EXPECT_EQ(value->c, 0x060708090a0b0c0du);
  EXPECT_EQ(value->d, 0x0e0fu);
}

TEST(WireLayoutTest, RoundTrips) {
  std::array<uint8_t, wire::kSize<Mixed>> out{};
  wire::Write(std::span(out), *wire::Read<Mixed>(kOctets));
  EXPECT_THAT(out, ElementsAreArray(kOctets));
}

TEST(WireLayoutTest, RejectsEveryTruncation) {
  for (size_t n = 0; n < kOctets.size(); ++n) EXPECT_FALSE(wire::Read<Mixed>(std::span(kOctets).first(n))) << n;
}

TEST(WireLayoutTest, KeepsTheHighestBitOfEveryWidth) {
  std::array<uint8_t, 8> out{};
  wire::Codec<uint64_t>::Store(out.data(), 0x8000000000000001u);
  EXPECT_EQ(out.front(), 0x80u);
  EXPECT_EQ(out.back(), 1u);
  EXPECT_EQ(wire::Codec<uint64_t>::Load(out.data()), 0x8000000000000001u);
  wire::Codec<uint16_t>::Store(out.data(), 0xff00);
  EXPECT_EQ(wire::Codec<uint16_t>::Load(out.data()), 0xff00u);
}

}  // namespace
}  // namespace jsp
