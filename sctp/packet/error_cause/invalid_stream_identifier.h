#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/cause_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Invalid Stream Identifier, RFC 9260 §3.3.10.1; the answer to DATA on a stream that does not exist (RFC 9260 §6.5).
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Cause Code = 1        |        Cause Length = 8       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |       Stream Identifier       |           (Reserved)          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct InvalidStreamIdentifierCause {
  static constexpr auto kType = CauseCode::kInvalidStreamIdentifier;
  StreamId stream;
  uint16_t reserved = 0;  // zero when sent, ignored when received

  static constexpr Expected<InvalidStreamIdentifierCause, ParseError> Parse(const CauseView& view);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::InvalidStreamIdentifierCause> {
  using T = jsp::sctp::InvalidStreamIdentifierCause;
  static constexpr std::tuple kFields{&T::stream, &T::reserved};
};

namespace jsp::sctp {

constexpr Expected<InvalidStreamIdentifierCause, ParseError> InvalidStreamIdentifierCause::Parse(
    const CauseView& view) {
  return ParseExactly<InvalidStreamIdentifierCause>(view);
}
constexpr void InvalidStreamIdentifierCause::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
