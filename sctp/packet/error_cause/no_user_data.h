#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/cause_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// No User Data, RFC 9260 §3.3.10.9; in the ABORT that answers an empty DATA chunk (RFC 9260 §6.2).
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Cause Code = 9        |        Cause Length = 8       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                              TSN                              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct NoUserDataCause {
  static constexpr auto kType = CauseCode::kNoUserData;
  Tsn tsn;

  static constexpr Expected<NoUserDataCause, ParseError> Parse(const CauseView& view);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::NoUserDataCause> {
  using T = jsp::sctp::NoUserDataCause;
  static constexpr std::tuple kFields{&T::tsn};
};

namespace jsp::sctp {

constexpr Expected<NoUserDataCause, ParseError> NoUserDataCause::Parse(const CauseView& view) {
  return ParseExactly<NoUserDataCause>(view);
}
constexpr void NoUserDataCause::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
