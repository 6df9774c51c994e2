#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Add Incoming Streams Request, RFC 6525 §4.6: more streams from the receiver of this to its sender.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Parameter Type = 18      |     Parameter Length = 12     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |            Re-configuration Request Sequence Number           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Number of new streams     |            Reserved           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct AddIncomingStreams {
  static constexpr auto kType = ParameterType::kAddIncomingStreams;
  ReconfigSn request_sn;
  uint16_t new_streams = 0;
  uint16_t reserved = 0;  // zero when sent, ignored when received

  static constexpr Expected<AddIncomingStreams, ParseError> Parse(const ParameterView& view);
  constexpr size_t Size() const { return 12; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::AddIncomingStreams> {
  using T = jsp::sctp::AddIncomingStreams;
  static constexpr std::tuple kFields{&T::request_sn, &T::new_streams, &T::reserved};
};

namespace jsp::sctp {

constexpr Expected<AddIncomingStreams, ParseError> AddIncomingStreams::Parse(const ParameterView& view) {
  return ParseExactly<AddIncomingStreams>(view);
}
constexpr void AddIncomingStreams::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
