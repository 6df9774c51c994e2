#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/cause_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Stale Cookie, RFC 9260 §3.3.10.3.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Cause Code = 3        |        Cause Length = 8       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                  Measure of Staleness (usec.)                 |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct StaleCookieCause {
  static constexpr auto kType = CauseCode::kStaleCookie;
  uint32_t staleness_us = 0;  // 0: not told

  static constexpr Expected<StaleCookieCause, ParseError> Parse(const CauseView& view);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::StaleCookieCause> {
  using T = jsp::sctp::StaleCookieCause;
  static constexpr std::tuple kFields{&T::staleness_us};
};

namespace jsp::sctp {

constexpr Expected<StaleCookieCause, ParseError> StaleCookieCause::Parse(const CauseView& view) {
  return ParseExactly<StaleCookieCause>(view);
}
constexpr void StaleCookieCause::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
