#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <tuple>
#include <vector>

#include "base/strong_types.h"

namespace jsp {

namespace {
struct Header {
  uint16_t type{};
  uint32_t tag{};
};
}  // namespace

template <>
struct wire::Layout<Header> {
  static constexpr std::tuple kFields{&Header::type, &Header::tag};
};

namespace {

using Port = StrongId<struct PortTag, uint16_t>;

// The octets 1, 2, 3, …
std::vector<uint8_t> Counting(size_t n) {
  std::vector<uint8_t> octets(n);
  std::iota(octets.begin(), octets.end(), uint8_t{1});
  return octets;
}

TEST(ByteReaderTest, ReadsBigEndianIntegersStrongTypesAndStructs) {
  const auto octets = Counting(23);
  ByteReader in(octets);
  EXPECT_EQ(in.Read<uint8_t>(), 0x01u);
  EXPECT_EQ(in.Read<uint16_t>(), 0x0203u);
  EXPECT_EQ(in.Read<uint32_t>(), 0x04050607u);
  EXPECT_EQ(in.Read<uint64_t>(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(in.Read<Port>(), Port(0x1011));
  const auto header = in.ReadStruct<Header>();
  EXPECT_EQ(header.type, 0x1213u);
  EXPECT_EQ(header.tag, 0x14151617u);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.remaining(), 0u);
}

// One read of everything, as a parser does it.
bool ReadAll(ByteReader& in) {
  in.Read<uint32_t>();
  in.ReadStruct<Header>();
  in.ReadBytes(3);
  in.SkipPadding4();
  in.Skip(2);
  return in.ok();
}

TEST(ByteReaderTest, RejectsEveryTruncation) {
  constexpr size_t kSize = 4 + 6 + 3 + 3 + 2;
  const auto octets = Counting(kSize);
  for (size_t n = 0; n < kSize; ++n) {
    const std::vector<uint8_t> cut(octets.begin(), octets.begin() + static_cast<ptrdiff_t>(n));  // for ASan
    ByteReader in(cut);
    EXPECT_FALSE(ReadAll(in)) << n;
  }
  ByteReader in(octets);
  EXPECT_TRUE(ReadAll(in));
  EXPECT_EQ(in.offset(), kSize);
}

TEST(ByteReaderTest, StaysFailedAndReadsZerosAfterAShortRead) {
  const auto octets = Counting(4);
  ByteReader in(octets);
  in.Skip(2);
  EXPECT_EQ(in.Read<uint32_t>(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.Read<uint8_t>(), 0u);  // would have fitted
  EXPECT_TRUE(in.ReadBytes(1).empty());
  EXPECT_EQ(in.ReadStruct<Header>().tag, 0u);
  EXPECT_TRUE(in.rest().empty());
  EXPECT_FALSE(in.ok());
}

TEST(ByteReaderTest, RejectsALengthThatWouldWrap) {
  const auto octets = Counting(4);
  ByteReader in(octets);
  in.Skip(3);
  EXPECT_TRUE(in.ReadBytes(~size_t{0}).empty());
  EXPECT_FALSE(in.ok());
}

TEST(ByteReaderTest, ReturnsViewsIntoTheBuffer) {
  const auto octets = Counting(8);
  ByteReader in(octets);
  in.Skip(2);
  const auto view = in.ReadBytes(3);
  EXPECT_EQ(view.data(), octets.data() + 2);
  EXPECT_EQ(view.size(), 3u);
  EXPECT_EQ(in.rest().data(), octets.data() + 5);
  EXPECT_EQ(in.rest().size(), 3u);
}

TEST(ByteReaderTest, SkipsPaddingToFourOctetsOrToTheEnd) {
  const auto octets = Counting(7);
  ByteReader in(octets);
  in.SkipPadding4();
  EXPECT_EQ(in.offset(), 0u);
  in.Skip(1);
  in.SkipPadding4();
  EXPECT_EQ(in.offset(), 4u);
  in.Skip(2);
  in.SkipPadding4();
  EXPECT_EQ(in.offset(), 7u);
  EXPECT_TRUE(in.ok());
}

TEST(ByteReaderTest, ReadsNothingFromAnEmptyBuffer) {
  ByteReader in({});
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(in.ReadBytes(0).empty());
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.Read<uint8_t>(), 0u);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace jsp
