#pragma once
#include <cstdint>
#include <string_view>
namespace jsp {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Where a driver's or tool's lines go: a plain function and its context, per instance, never global. Cores do not log;
// they count and emit events.
struct LogSink {
  using Write = void (*)(void* context, LogLevel level, std::string_view line);
  Write write = nullptr;
  void* context = nullptr;
  LogLevel threshold = LogLevel::kWarning;

  void operator()(LogLevel level, std::string_view line) const {
    if (write != nullptr && level >= threshold) write(context, level, line);
  }
};

}  // namespace jsp
