#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace jsp {
namespace {

TEST(LogSinkTest, PassesLinesFromItsThresholdOnWithItsOwnContext) {
  std::vector<std::string> lines;
  const LogSink sink{
      .write = [](void* context, LogLevel,
                  std::string_view line) { static_cast<std::vector<std::string>*>(context)->emplace_back(line); },
      .context = &lines,
      .threshold = LogLevel::kInfo};
  sink(LogLevel::kDebug, "no");
  sink(LogLevel::kInfo, "a");
  sink(LogLevel::kError, "b");
  EXPECT_THAT(lines, ::testing::ElementsAre("a", "b"));
}

TEST(LogSinkTest, IsSilentByDefault) { EXPECT_NO_FATAL_FAILURE(LogSink{}(LogLevel::kError, "nobody listens")); }

}  // namespace
}  // namespace jsp
