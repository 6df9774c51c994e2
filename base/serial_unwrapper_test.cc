#include "base/serial_unwrapper.h"

#include <gtest/gtest.h>

namespace jsp {
namespace {

using Tsn = SerialNumber<struct TsnTag, uint32_t>;
using Ssn = SerialNumber<struct SsnTag, uint16_t>;

TEST(SerialUnwrapperTest, StaysOrderedAcrossTheWrapFromTwoBelowIt) {
  SerialUnwrapper<Tsn> unwrapper;
  Unwrapped<Tsn> last = unwrapper.Unwrap(Tsn(0xfffffffe));
  for (uint32_t value : {0xffffffffu, 0u, 1u, 2u}) {
    const auto next = unwrapper.Unwrap(Tsn(value));
    EXPECT_EQ(next.DistanceFrom(last), 1) << value;
    EXPECT_EQ(next.Wrap(), Tsn(value));
    last = next;
  }
}

TEST(SerialUnwrapperTest, PlacesOlderNumbersBehindTheWrap) {
  SerialUnwrapper<Tsn> unwrapper;
  const auto newest = unwrapper.Unwrap(Tsn(1));
  const auto old = unwrapper.Unwrap(Tsn(0xfffffffe));
  EXPECT_EQ(newest.DistanceFrom(old), 3);
  EXPECT_EQ(unwrapper.Unwrap(Tsn(2)).DistanceFrom(newest), 1) << "an old number moved the reference";
}

TEST(SerialUnwrapperTest, PeekDoesNotMoveTheReference) {
  SerialUnwrapper<Tsn> unwrapper;
  const auto first = unwrapper.Unwrap(Tsn(100));
  EXPECT_EQ(unwrapper.Peek(Tsn(0x7fffffff)).DistanceFrom(first), 0x7fffffff - 100);
  EXPECT_EQ(unwrapper.Peek(Tsn(0xf0000000)).DistanceFrom(first), int64_t{0xf0000000} - 100 - (int64_t{1} << 32));
  EXPECT_EQ(unwrapper.Unwrap(Tsn(101)).DistanceFrom(first), 1);
}

TEST(SerialUnwrapperTest, ForgedDistantNumbersNeverGoBelowZero) {
  SerialUnwrapper<Ssn> unwrapper;
  unwrapper.Unwrap(Ssn(0));
  for (int i = 0; i < 10; ++i) EXPECT_GT(unwrapper.Unwrap(Ssn(0x8000)), Unwrapped<Ssn>(0));
}

TEST(SerialUnwrapperTest, FollowsManyCyclesOfSixteenBits) {
  SerialUnwrapper<Ssn> unwrapper;
  const auto first = unwrapper.Unwrap(Ssn(65534));
  auto last = first;
  constexpr int kSteps = 5 * 65536;
  for (int i = 1; i <= kSteps; ++i) last = unwrapper.Unwrap(Ssn(static_cast<uint16_t>(65534 + i)));
  EXPECT_EQ(last.DistanceFrom(first), kSteps);
}

}  // namespace
}  // namespace jsp
