#include "base/strong_types.h"

#include <gtest/gtest.h>

#include <concepts>
#include <type_traits>

namespace jsp {
namespace {

using Tsn = SerialNumber<struct TsnTag, uint32_t>;
using Ssn = SerialNumber<struct SsnTag, uint16_t>;
using StreamId = StrongId<struct StreamIdTag, uint16_t>;
using Ppid = StrongId<struct PpidTag, uint16_t>;

// A comparison of wrapping numbers is not transitive, so that it must not exist.
template <class T>
concept HasLess = requires(T a, T b) {
  a < b;
};
static_assert(!std::totally_ordered<Tsn> && !std::totally_ordered<Ssn>);
static_assert(!HasLess<Tsn> && !HasLess<Ssn>);
static_assert(std::equality_comparable<Tsn>);
static_assert(std::totally_ordered<Unwrapped<Tsn>> && std::totally_ordered<StreamId>);
static_assert(!std::is_convertible_v<uint16_t, StreamId> && !std::is_convertible_v<StreamId, uint16_t>);
static_assert(!std::equality_comparable_with<StreamId, Ppid>);
static_assert(!std::is_constructible_v<Unwrapped<Tsn>, Unwrapped<Ssn>>);

TEST(SerialNumberTest, ComparesWithinHalfTheNumberSpace) {  // RFC 1982 §3.2
  EXPECT_TRUE(Tsn(1).IsNewerThan(Tsn(0)));
  EXPECT_FALSE(Tsn(0).IsNewerThan(Tsn(1)));
  EXPECT_FALSE(Tsn(5).IsNewerThan(Tsn(5)));
  EXPECT_TRUE(Tsn(0x7fffffff).IsNewerThan(Tsn(0)));
  EXPECT_TRUE(Tsn(3).IsNewerThan(Tsn(0xfffffffe)));
  EXPECT_FALSE(Tsn(0xfffffffe).IsNewerThan(Tsn(3)));
}

TEST(SerialNumberTest, NeitherOfTwoNumbersHalfTheSpaceApartIsNewer) {  // RFC 1982 §3.2 leaves it undefined
  EXPECT_FALSE(Tsn(0x80000000).IsNewerThan(Tsn(0)));
  EXPECT_FALSE(Tsn(0).IsNewerThan(Tsn(0x80000000)));
  EXPECT_FALSE(Ssn(0x8000).IsNewerThan(Ssn(0)));
  EXPECT_TRUE(Ssn(0x7fff).IsNewerThan(Ssn(0)));
}

TEST(UnwrappedTest, WrapsBackAndCountsDistances) {
  const Unwrapped<Tsn> last(0x1ffffffff);
  EXPECT_EQ(last.Wrap(), Tsn(0xffffffff));
  EXPECT_EQ(last.Next().Wrap(), Tsn(0));
  EXPECT_LT(last, last.Next());
  EXPECT_EQ(last.Next().DistanceFrom(last), 1);
  EXPECT_EQ(last.DistanceFrom(last.Next()), -1);
}

}  // namespace
}  // namespace jsp
