#include "base/overloaded.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace jsp {
namespace {

TEST(OverloadedTest, VisitsTheAlternativeThatIsHeld) {
  const auto name = [](const std::variant<int, std::string>& v) {
    return std::visit(Overloaded{[](int) { return "number"; }, [](const std::string&) { return "text"; }}, v);
  };
  EXPECT_STREQ(name(1), "number");
  EXPECT_STREQ(name(std::string("x")), "text");
}

}  // namespace
}  // namespace jsp
