#include "base/check.h"

#include <gtest/gtest.h>

namespace jsp {
namespace {

TEST(CheckTest, PassesWhenTheConditionHolds) {
  int evaluations = 0;
  JSP_CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

TEST(CheckDeathTest, AbortsWithFileLineAndCondition) {
  const int size = 3;
  EXPECT_DEATH(JSP_CHECK(size == 4), "check_test.cc:[0-9]+: check failed: size == 4");
}

#ifdef NDEBUG
TEST(CheckTest, DebugCheckIsNotEvaluatedInReleaseBuilds) {
  int evaluations = 0;
  JSP_DCHECK(++evaluations == 7);
  EXPECT_EQ(evaluations, 0);
}
#else
TEST(CheckDeathTest, DebugCheckAbortsInDebugBuilds) { EXPECT_DEATH(JSP_DCHECK(1 == 2), "check failed"); }
#endif

}  // namespace
}  // namespace jsp
