#include "tools/jsp/output.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace jsp::tool {

std::string Format(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string text(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

int Fail(std::string_view message, int exit_code) {
  std::fprintf(stderr, "error: %.*s\n", static_cast<int>(message.size()), message.data());
  return exit_code;
}

void HumanText::Print(std::string_view text) const {
  std::FILE* file = to_stderr_ ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

bool HumanText::HasColor() const {
  return ::isatty(to_stderr_ ? STDERR_FILENO : STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

namespace {

std::string Complaint(const std::string& path) {
  return "cannot write " + path + ": " + std::strerror(errno) + "; name a file in a directory that you may write to";
}

}  // namespace

Expected<void, std::string> WriteDocument(const std::string& path, std::string_view content) {
  const bool is_stdout = path == "-";
  std::FILE* file = is_stdout ? stdout : std::fopen(path.c_str(), "wb");
  if (file == nullptr) return Unexpected<std::string>(Complaint(path));
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  const bool flushed = is_stdout ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (!written || !flushed) return Unexpected<std::string>(Complaint(path));
  return {};
}

Expected<std::string, std::string> ReadFile(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  std::string content;
  bool read = file != nullptr;
  if (read) {
    std::array<char, 16384> part;
    for (size_t size = 0; (size = std::fread(part.data(), 1, part.size(), file)) > 0;)
      content.append(part.data(), size);
    read = std::ferror(file) == 0;
  }
  const int error = errno;
  if (file != nullptr) std::fclose(file);
  if (read) return content;
  return Unexpected<std::string>(path + ": cannot be read: " + std::strerror(error) +
                                 "; name a file that this user may read");
}

Expected<void, std::string> CheckWritable(const std::string& path) {
  if (path.empty() || path == "-") return {};
  std::FILE* file = std::fopen(path.c_str(), "ab");
  if (file == nullptr) return Unexpected<std::string>(Complaint(path));
  std::fclose(file);
  return {};
}

ProgressLine::ProgressLine(std::string what) : what_(std::move(what)), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { Clear(); }

void ProgressLine::Clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressLine::Show(std::string_view text) {
  if (!is_terminal_) return;
  std::fprintf(stderr, "\r\033[K%s %.*s", what_.c_str(), static_cast<int>(text.size()), text.data());
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace jsp::tool
