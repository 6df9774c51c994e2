#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parse_error.h"
namespace jsp::sctp {

// What chunks (RFC 9260 §3.2), parameters (RFC 9260 §3.2.1) and error causes (RFC 9260 §3.3.10) have in common: a
// header of four octets whose last two are the length of header and value, then the value, then padding to four octets.
inline constexpr size_t kTlvHeaderSize = 4;
inline constexpr size_t kMaxTlvSize = 0xffff;

constexpr size_t PaddedSize(size_t size) { return (size + 3) & ~size_t{3}; }

// Octets of the item at the front of `in` without its padding; 0 when there is none that is whole. RFC 9260 §3.2: a
// length below four is not a length, and it is never followed.
constexpr size_t FrontTlvSize(std::span<const uint8_t> in) {
  if (in.size() < kTlvHeaderSize) return 0;
  const size_t size = wire::Codec<uint16_t>::Load(in.data() + 2);
  return size < kTlvHeaderSize || size > in.size() ? 0 : size;
}

// How many octets of `in` are whole items with their padding. The padding of the last one may be missing.
constexpr size_t WholeTlvOctets(std::span<const uint8_t> in) {
  size_t offset = 0;
  while (const size_t size = FrontTlvSize(in.subspan(offset))) {
    offset += std::min(PaddedSize(size), in.size() - offset);
  }
  return offset;
}

// What to do with a chunk (RFC 9260 §3.2 table 2) or parameter (RFC 9260 §3.2.1 table 3) that we do not know: the two
// highest bits of its type say so.
struct UnknownAction {
  bool stop;    // process nothing after it: in this packet for a chunk, in this chunk for a parameter
  bool report;  // tell the peer by an error cause, or in an INIT ACK by an Unrecognized Parameter
  bool operator==(const UnknownAction&) const = default;
};
constexpr UnknownAction UnknownActionOf(unsigned two_high_bits) {
  return {.stop = (two_high_bits & 2) == 0, .report = (two_high_bits & 1) != 0};
}

// The items of a buffer, front to back, as `View`s; it stops at the first one that is not whole. The buffer must
// outlive the range and its views. Iteration costs O(octets / 4) at most: every step advances by at least four octets.
template <class View>
class TlvRange {
 public:
  class Iterator {
   public:
    using value_type = View;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    Iterator() = default;
    explicit constexpr Iterator(std::span<const uint8_t> rest) : rest_(rest), size_(FrontTlvSize(rest)) {}
    constexpr View operator*() const { return View::FromOctets(rest_.first(size_)); }
    constexpr Iterator& operator++() {
      rest_ = rest_.subspan(std::min(PaddedSize(size_), rest_.size()));
      size_ = FrontTlvSize(rest_);
      return *this;
    }
    constexpr void operator++(int) { ++*this; }
    constexpr bool operator==(std::default_sentinel_t) const { return size_ == 0; }

   private:
    std::span<const uint8_t> rest_;
    size_t size_ = 0;
  };

  TlvRange() = default;
  explicit constexpr TlvRange(std::span<const uint8_t> octets) : octets_(octets) {}
  constexpr Iterator begin() const { return Iterator(octets_); }
  constexpr std::default_sentinel_t end() const { return {}; }
  constexpr std::span<const uint8_t> octets() const { return octets_; }
  // Every octet belongs to a whole item. What parsers demand of parameters and causes.
  constexpr bool IsWhole() const { return WholeTlvOctets(octets_) == octets_.size(); }

 private:
  std::span<const uint8_t> octets_;
};

// Pads what came before to four octets, then writes a parameter's or cause's header. So the padding of the last item
// stays outside of its chunk's length, as RFC 9260 §3.2 wants it.
template <class Type>
constexpr void WriteTlvHeader(ByteWriter& writer, Type type, size_t size) {
  writer.Pad4();
  writer.Write(static_cast<uint16_t>(type));
  writer.Write(static_cast<uint16_t>(size));
}

// Reads a `T` with a wire::Layout and a `kType` out of a view whose value is `T` and nothing else.
template <class T, class View>
constexpr Expected<T, ParseError> ParseExactly(const View& view) {
  if (view.type != T::kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
  if (view.value.size() != wire::kSize<T>) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  return *wire::Read<T>(view.value);
}

// The same for a view whose value begins with `T`; the caller reads the rest.
template <class T, class View>
constexpr Expected<T, ParseError> ParseFront(const View& view) {
  if (view.type != T::kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
  if (view.value.size() < wire::kSize<T>) return Unexpected(ParseError{ParseErrc::kTruncated, 2});
  return *wire::Read<T>(view.value);
}

// A parameter or cause whose value is opaque to SCTP.
template <class View, auto kTypeValue>
struct OpaqueTlv {
  static constexpr auto kType = kTypeValue;
  std::span<const uint8_t> value;

  static constexpr Expected<OpaqueTlv, ParseError> Parse(const View& view) {
    if (view.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    return OpaqueTlv{view.value};
  }
  constexpr size_t Size() const { return kTlvHeaderSize + value.size(); }
  constexpr void Write(ByteWriter& writer) const {
    WriteTlvHeader(writer, kType, Size());
    writer.WriteBytes(value);
  }
};

// A parameter or cause without a value.
template <class View, auto kTypeValue>
struct EmptyTlv {
  static constexpr auto kType = kTypeValue;

  static constexpr Expected<EmptyTlv, ParseError> Parse(const View& view) {
    if (view.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    if (!view.value.empty()) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
    return EmptyTlv{};
  }
  constexpr size_t Size() const { return kTlvHeaderSize; }
  constexpr void Write(ByteWriter& writer) const { WriteTlvHeader(writer, kType, Size()); }
};

}  // namespace jsp::sctp
