#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// Zero Checksum Acceptable, RFC 9653 §4: the sender of this takes packets whose checksum is zero, because an alternate
// method detects errors.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Type = 0x8001         |          Length = 8           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |           Error Detection Method Identifier (EDMID)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ZeroChecksumAcceptable {
  static constexpr auto kType = ParameterType::kZeroChecksumAcceptable;
  static constexpr uint32_t kDtls = 1;  // RFC 9653 §6: SCTP over DTLS
  uint32_t method = kDtls;

  static constexpr Expected<ZeroChecksumAcceptable, ParseError> Parse(const ParameterView& view);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::ZeroChecksumAcceptable> {
  static constexpr std::tuple kFields{&jsp::sctp::ZeroChecksumAcceptable::method};
};

namespace jsp::sctp {

constexpr Expected<ZeroChecksumAcceptable, ParseError> ZeroChecksumAcceptable::Parse(const ParameterView& view) {
  return ParseExactly<ZeroChecksumAcceptable>(view);
}
constexpr void ZeroChecksumAcceptable::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
