#pragma once
#include <algorithm>
#include <cstdint>

#include "base/time.h"
namespace jsp {

// An interval that doubles from `initial` up to `ceiling`, for at most `max_attempts` attempts.
class Backoff {
 public:
  constexpr Backoff(Duration initial, Duration ceiling, uint32_t max_attempts)
      : current_(initial), ceiling_(ceiling), max_attempts_(max_attempts) {}

  // Counts one attempt and returns how long to wait after it.
  constexpr Duration Next() {
    const Duration wait = std::min(current_, ceiling_);
    current_ = std::min(current_ * 2, ceiling_);
    ++attempts_;
    return wait;
  }
  constexpr bool IsExhausted() const { return attempts_ >= max_attempts_; }
  constexpr uint32_t attempts() const { return attempts_; }

 private:
  Duration current_;
  Duration ceiling_;
  uint32_t max_attempts_;
  uint32_t attempts_ = 0;
};

}  // namespace jsp
