#include "base/boxed.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace jsp {
namespace {

TEST(BoxedTest, IsAnOptionalOfOnePointer) {
  static_assert(sizeof(Boxed<std::array<char, 500>>) == sizeof(void*));
  Boxed<std::string> box;
  EXPECT_FALSE(box);
  box.emplace(3, 'a');
  ASSERT_TRUE(box.has_value());
  EXPECT_EQ(*box, "aaa");
  EXPECT_EQ(box->size(), 3u);
  box = std::string("b");
  EXPECT_EQ(*box, "b");
  box = std::nullopt;
  EXPECT_FALSE(box.has_value());
}

TEST(BoxedTest, MovesItsValueAndIsEmptyThen) {
  Boxed<std::string> from(std::string("a"));
  Boxed<std::string> to = std::exchange(from, std::nullopt);
  EXPECT_FALSE(from);
  EXPECT_EQ(*to, "a");
  from = std::move(to);
  EXPECT_FALSE(to);
  EXPECT_EQ(*std::as_const(from), "a");
  from.reset();
  EXPECT_FALSE(from);
}

}  // namespace
}  // namespace jsp
