#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/wire_layout.h"
namespace jsp {

// Sticky writer into the caller's buffer: a write that does not fit writes nothing and clears `ok()`.
class ByteWriter {
 public:
  explicit constexpr ByteWriter(std::span<uint8_t> out) : out_(out) {}

  template <class T>
  constexpr void Write(T v) {
    if (auto room = Reserve(wire::Codec<T>::kSize); !room.empty()) wire::Codec<T>::Store(room.data(), v);
  }
  template <class T>
  constexpr void WriteStruct(const T& v) {
    if (auto room = Reserve(wire::kSize<T>); !room.empty()) {
      wire::Write(std::span<uint8_t, wire::kSize<T>>(room.data(), wire::kSize<T>), v);
    }
  }
  constexpr void WriteBytes(std::span<const uint8_t> bytes) {
    auto room = Reserve(bytes.size());
    // By pointer: libstdc++ 12 copies a span's iterators octet by octet, which took 40 % of SCTP's sending time.
    if (room.size() == bytes.size()) std::copy_n(bytes.data(), bytes.size(), room.data());
  }
  constexpr void WriteText(std::string_view text) {
    auto room = Reserve(text.size());
    if (room.size() == text.size()) {
      std::ranges::transform(text, room.begin(), [](char c) { return static_cast<uint8_t>(c); });
    }
  }
  constexpr void WriteZeros(size_t n) {
    auto room = Reserve(n);
    std::ranges::fill(room, uint8_t{0});
  }
  // Zeros up to the next multiple of four octets, counted from the start.
  constexpr void Pad4() { WriteZeros((4 - size_ % 4) % 4); }
  // Claims `n` octets for the caller to fill later; empty when they do not fit.
  constexpr std::span<uint8_t> Reserve(size_t n) {
    if (!ok_ || n > remaining()) {
      ok_ = false;
      return {};
    }
    auto view = out_.subspan(size_, n);
    size_ += n;
    return view;
  }

  constexpr bool ok() const { return ok_; }
  constexpr size_t size() const { return size_; }
  constexpr size_t remaining() const { return out_.size() - size_; }
  constexpr std::span<uint8_t> written() const { return out_.first(size_); }

 private:
  std::span<uint8_t> out_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace jsp
