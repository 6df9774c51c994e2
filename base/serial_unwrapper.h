#pragma once
#include <cstdint>
#include <type_traits>

#include "base/strong_types.h"
namespace jsp {

// Lifts serial numbers (RFC 1982) to 64 bits: each is placed within half the number space of the newest one seen.
// The first one becomes itself plus one full cycle, so that older ones stay positive.
template <class Serial>
class SerialUnwrapper {
 public:
  // Lifts and remembers `serial` as the reference when it is newer.
  Unwrapped<Serial> Unwrap(Serial serial) {
    const int64_t value = Place(serial);
    if (!seen_ || value > newest_) newest_ = value;
    seen_ = true;
    return Unwrapped<Serial>(value);
  }
  // Lifts without remembering: for numbers that are not trusted yet.
  Unwrapped<Serial> Peek(Serial serial) const { return Unwrapped<Serial>(Place(serial)); }

 private:
  using Rep = typename Serial::rep;
  static constexpr int64_t kCycle = int64_t{1} << (sizeof(Rep) * 8);

  int64_t Place(Serial serial) const {
    if (!seen_) return static_cast<int64_t>(serial.value) + kCycle;
    const auto forward = static_cast<Rep>(serial.value - static_cast<Rep>(newest_));
    const int64_t delta = static_cast<std::make_signed_t<Rep>>(forward);
    return newest_ + delta;
  }

  int64_t newest_ = 0;
  bool seen_ = false;
};

}  // namespace jsp
