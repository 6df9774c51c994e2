#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/wire_layout.h"
namespace jsp {

// Sticky reader over a borrowed buffer: after the first short read every further read yields zeros and empty views and
// `ok()` stays false, so that a parser reads all its fields and tests once.
class ByteReader {
 public:
  explicit constexpr ByteReader(std::span<const uint8_t> in) : in_(in) {}

  // One integer or strong type, big-endian.
  template <class T>
  constexpr T Read() {
    auto bytes = ReadBytes(wire::Codec<T>::kSize);
    return ok_ ? wire::Codec<T>::Load(bytes.data()) : T{};
  }
  // A struct that has a wire::Layout.
  template <class T>
  constexpr T ReadStruct() {
    auto bytes = ReadBytes(wire::kSize<T>);
    return ok_ ? *wire::Read<T>(bytes) : T{};
  }
  // A view into the buffer given to the constructor.
  constexpr std::span<const uint8_t> ReadBytes(size_t n) {
    if (!ok_ || n > remaining()) {
      ok_ = false;
      return {};
    }
    auto view = in_.subspan(offset_, n);
    offset_ += n;
    return view;
  }
  constexpr void Skip(size_t n) { (void)ReadBytes(n); }
  // Skips to the next multiple of four octets, counted from the start; the end of the buffer counts as aligned.
  constexpr void SkipPadding4() {
    const size_t pad = (4 - offset_ % 4) % 4;
    Skip(pad < remaining() ? pad : remaining());
  }

  constexpr bool ok() const { return ok_; }
  constexpr size_t offset() const { return offset_; }
  constexpr size_t remaining() const { return in_.size() - offset_; }
  constexpr std::span<const uint8_t> rest() const { return ok_ ? in_.subspan(offset_) : std::span<const uint8_t>{}; }

 private:
  std::span<const uint8_t> in_;
  size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace jsp
