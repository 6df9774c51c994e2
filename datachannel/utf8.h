#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
namespace jsp::datachannel {

// RFC 3629 §3 as RFC 8831 §6.6 asks of strings: no overlong form, no surrogate, nothing past U+10FFFF. Linear, with a
// fast path for ASCII.
bool IsValidUtf8(std::span<const uint8_t> text);
bool IsValidUtf8(std::string_view text);

// The same for a text that comes in pieces, which may part characters. A value; keeps at most three octets.
class Utf8Checker {
 public:
  // False when no text continues like this; the checker is of no use then.
  bool Accept(std::span<const uint8_t> piece);
  // The text may end here: no character lacks octets.
  bool IsComplete() const { return pending_size_ == 0; }

 private:
  std::array<uint8_t, 4> pending_{};
  size_t pending_size_ = 0;
};

}  // namespace jsp::datachannel
