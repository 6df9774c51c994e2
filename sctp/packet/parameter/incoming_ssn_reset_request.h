#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/packet/wire_list.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Incoming SSN Reset Request, RFC 6525 §4.2.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Parameter Type = 14      |  Parameter Length = 8 + 2 * N |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |            Re-configuration Request Sequence Number           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Stream Number 1 (optional)  |   Stream Number 2 (optional)  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                 to Stream Number N (optional)                 /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct IncomingSsnResetRequest {
  static constexpr auto kType = ParameterType::kIncomingSsnResetRequest;
  static constexpr size_t kHeaderSize = 8;
  ReconfigSn request_sn;
  WireList<StreamId> streams;  // none: all outgoing streams of the receiver

  static constexpr Expected<IncomingSsnResetRequest, ParseError> Parse(const ParameterView& view);
  constexpr size_t Size() const { return kHeaderSize + streams.size() * streams.ItemSize(); }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::IncomingSsnResetRequest> {
  using T = jsp::sctp::IncomingSsnResetRequest;
  static constexpr std::tuple kFields{&T::request_sn};
};

namespace jsp::sctp {

constexpr Expected<IncomingSsnResetRequest, ParseError> IncomingSsnResetRequest::Parse(const ParameterView& view) {
  auto request = ParseFront<IncomingSsnResetRequest>(view);
  if (!request) return request;
  const auto list = view.value.subspan(wire::kSize<IncomingSsnResetRequest>);
  if (list.size() % WireList<StreamId>::ItemSize() != 0) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  request->streams = WireList<StreamId>::FromWire(list);
  return request;
}
constexpr void IncomingSsnResetRequest::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
  streams.Write(writer);
}

}  // namespace jsp::sctp
