#include "base/byte_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <tuple>
#include <vector>

#include "base/strong_types.h"

namespace jsp {

namespace {
struct Trailer {
  uint8_t kind{};
  uint16_t size{};
};
}  // namespace

template <>
struct wire::Layout<Trailer> {
  static constexpr std::tuple kFields{&Trailer::kind, &Trailer::size};
};

namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using Port = StrongId<struct PortTag, uint16_t>;

void WriteAll(ByteWriter& out) {
  out.Write<uint16_t>(0x0102);
  out.WriteStruct(Trailer{3, 0x0405});
  out.WriteText("\x06");
  out.Pad4();
  out.Write(Port(0x0708));
  out.WriteBytes(std::array<uint8_t, 2>{9, 10});
}

TEST(ByteWriterTest, WritesBigEndianIntegersStrongTypesStructsAndPadding) {
  std::array<uint8_t, 16> buffer;
  buffer.fill(0xee);
  ByteWriter out(buffer);
  WriteAll(out);
  ASSERT_TRUE(out.ok());
  EXPECT_THAT(out.written(), ElementsAre(1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10));
  EXPECT_EQ(out.remaining(), 4u);
  EXPECT_THAT(std::span(buffer).subspan(12), Each(0xee));
}

TEST(ByteWriterTest, FailsForEveryBufferThatIsTooShort) {
  for (size_t n = 0; n < 12; ++n) {
    std::vector<uint8_t> buffer(n);  // on the heap, for ASan
    ByteWriter out(buffer);
    WriteAll(out);
    EXPECT_FALSE(out.ok()) << n;
    EXPECT_LE(out.size(), n);
  }
}

TEST(ByteWriterTest, WritesNothingOfWhatDoesNotFitAndStaysFailed) {
  std::array<uint8_t, 3> buffer{0xee, 0xee, 0xee};
  ByteWriter out(buffer);
  out.Write<uint32_t>(0x01020304);
  EXPECT_FALSE(out.ok());
  out.Write<uint8_t>(1);  // would have fitted
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 0u);
  EXPECT_THAT(buffer, Each(0xee));
}

TEST(ByteWriterTest, RejectsALengthThatWouldWrap) {
  std::array<uint8_t, 8> buffer{};
  ByteWriter out(buffer);
  out.WriteZeros(1);
  EXPECT_TRUE(out.Reserve(~size_t{0}).empty());
  EXPECT_FALSE(out.ok());
}

TEST(ByteWriterTest, ReservesRoomThatIsFilledLater) {
  std::array<uint8_t, 4> buffer{};
  ByteWriter out(buffer);
  const auto length = out.Reserve(2);
  out.Write<uint16_t>(0x0304);
  ASSERT_EQ(length.size(), 2u);
  wire::Codec<uint16_t>::Store(length.data(), 0x0102);
  EXPECT_THAT(out.written(), ElementsAre(1, 2, 3, 4));
}

TEST(ByteWriterTest, AcceptsEmptyWritesIntoAFullBuffer) {
  ByteWriter out({});
  out.WriteBytes({});
  out.WriteText("");
  out.Pad4();
  EXPECT_TRUE(out.ok());
}

}  // namespace
}  // namespace jsp
