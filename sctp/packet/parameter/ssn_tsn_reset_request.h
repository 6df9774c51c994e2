#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// SSN/TSN Reset Request, RFC 6525 §4.3.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Parameter Type = 15      |      Parameter Length = 8     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |            Re-configuration Request Sequence Number           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct SsnTsnResetRequest {
  static constexpr auto kType = ParameterType::kSsnTsnResetRequest;
  ReconfigSn request_sn;

  static constexpr Expected<SsnTsnResetRequest, ParseError> Parse(const ParameterView& view);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::SsnTsnResetRequest> {
  using T = jsp::sctp::SsnTsnResetRequest;
  static constexpr std::tuple kFields{&T::request_sn};
};

namespace jsp::sctp {

constexpr Expected<SsnTsnResetRequest, ParseError> SsnTsnResetRequest::Parse(const ParameterView& view) {
  return ParseExactly<SsnTsnResetRequest>(view);
}
constexpr void SsnTsnResetRequest::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
