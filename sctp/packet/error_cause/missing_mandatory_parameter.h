#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_writer.h"
#include "sctp/packet/cause_header.h"
#include "sctp/packet/wire_list.h"
namespace jsp::sctp {

// Missing Mandatory Parameter, RFC 9260 §3.3.10.2.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 2         |   Cause Length = 8 + N * 2    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                 Number of missing params = N                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Missing Param Type #1     |     to Missing Param Type #N  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct MissingMandatoryParameterCause {
  static constexpr auto kType = CauseCode::kMissingMandatoryParameter;
  WireList<uint16_t> missing;  // parameter types

  // The count must make up the cause's length exactly.
  static constexpr Expected<MissingMandatoryParameterCause, ParseError> Parse(const CauseView& view) {
    if (view.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    if (view.value.size() < 4) return Unexpected(ParseError{ParseErrc::kTruncated, 2});
    const auto list = view.value.subspan(4);
    const uint64_t count = wire::Codec<uint32_t>::Load(view.value.data());
    if (list.size() != count * 2) return Unexpected(ParseError{ParseErrc::kBadLength, kTlvHeaderSize});
    return MissingMandatoryParameterCause{WireList<uint16_t>::FromWire(list)};
  }
  constexpr size_t Size() const { return 8 + missing.size() * 2; }
  constexpr void Write(ByteWriter& writer) const {
    WriteTlvHeader(writer, kType, Size());
    writer.Write(static_cast<uint32_t>(missing.size()));
    missing.Write(writer);
  }
};

}  // namespace jsp::sctp
