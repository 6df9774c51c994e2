#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/expected.h"
namespace jsp::tool {

// Exit codes of the program.
constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// printf's format; the result has no length limit.
std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

// One line on standard error, "error: " first. Returns `exit_code`, so that a command ends with `return Fail(…)`.
int Fail(std::string_view message, int exit_code = kExitFailed);

// Where the human text of a command goes: standard output, unless a JSON document is written there.
class HumanText {
 public:
  explicit HumanText(bool json_on_stdout) : to_stderr_(json_on_stdout) {}
  void Print(std::string_view text) const;
  // Colours only for a terminal, and not when NO_COLOR is set.
  bool HasColor() const;

 private:
  bool to_stderr_;
};

// Writes all of `content` to the file, or to standard output when `path` is "-"; the error is one line that names it.
Expected<void, std::string> WriteDocument(const std::string& path, std::string_view content);
// All of a file; the error is one line that names it.
Expected<std::string, std::string> ReadFile(const std::string& path);
// The same error as WriteDocument's, before the work has begun; leaves an existing file as it is.
Expected<void, std::string> CheckWritable(const std::string& path);

// "done of total" on one line of a terminal that is drawn over; nothing in a pipe.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void Show(std::string_view text);
  void Clear();

 private:
  std::string what_;
  bool is_terminal_;
  bool drawn_ = false;
};

}  // namespace jsp::tool
