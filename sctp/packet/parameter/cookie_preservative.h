#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// Cookie Preservative, RFC 9260 §3.3.2.1.3: the sender of an INIT asks for a cookie that lives longer.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |           Type = 9            |          Length = 8           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Suggested Cookie Life-Span Increment (msec.)          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct CookiePreservative {
  static constexpr auto kType = ParameterType::kCookiePreservative;
  uint32_t increment_ms = 0;

  static constexpr Expected<CookiePreservative, ParseError> Parse(const ParameterView& view);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::CookiePreservative> {
  static constexpr std::tuple kFields{&jsp::sctp::CookiePreservative::increment_ms};
};

namespace jsp::sctp {

constexpr Expected<CookiePreservative, ParseError> CookiePreservative::Parse(const ParameterView& view) {
  return ParseExactly<CookiePreservative>(view);
}
constexpr void CookiePreservative::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
