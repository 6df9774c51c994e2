#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>
namespace jsp {

// Octets of a fuzzer, read as commands and their arguments. At the end everything reads as zero; ask empty().
class FuzzInput {
 public:
  explicit FuzzInput(std::span<const uint8_t> octets) : octets_(octets) {}

  bool empty() const { return octets_.empty(); }
  uint8_t Byte() {
    if (octets_.empty()) return 0;
    const uint8_t first = octets_[0];
    octets_ = octets_.subspan(1);
    return first;
  }
  // In [0, bound); `bound` is at most 65536.
  size_t Below(size_t bound) {
    const size_t number = bound <= 256 ? Byte() : size_t{Byte()} << 8 | Byte();
    return number % bound;
  }
  uint32_t Number() {
    uint32_t number = 0;
    for (int i = 0; i < 4; ++i) number = number << 8 | Byte();
    return number;
  }
  bool Flip() { return (Byte() & 1) != 0; }
  // Fewer at the end.
  std::vector<uint8_t> Bytes(size_t count) {
    const auto taken = octets_.first(std::min(count, octets_.size()));
    octets_ = octets_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }

 private:
  std::span<const uint8_t> octets_;
};

}  // namespace jsp
