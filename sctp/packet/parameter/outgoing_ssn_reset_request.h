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

// Outgoing SSN Reset Request, RFC 6525 §4.1.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Parameter Type = 13      | Parameter Length = 16 + 2 * N |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |            Re-configuration Request Sequence Number           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |           Re-configuration Response Sequence Number           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                   Sender's Last Assigned TSN                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Stream Number 1 (optional)  |   Stream Number 2 (optional)  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                 to Stream Number N (optional)                 /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct OutgoingSsnResetRequest {
  static constexpr auto kType = ParameterType::kOutgoingSsnResetRequest;
  static constexpr size_t kHeaderSize = 16;
  ReconfigSn request_sn;
  ReconfigSn response_sn;  // of the incoming request that this answers, or the next expected one minus 1
  Tsn last_assigned_tsn;
  WireList<StreamId> streams;  // none: all outgoing streams of the sender

  static constexpr Expected<OutgoingSsnResetRequest, ParseError> Parse(const ParameterView& view);
  constexpr size_t Size() const { return kHeaderSize + streams.size() * streams.ItemSize(); }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::OutgoingSsnResetRequest> {
  using T = jsp::sctp::OutgoingSsnResetRequest;
  static constexpr std::tuple kFields{&T::request_sn, &T::response_sn, &T::last_assigned_tsn};
};

namespace jsp::sctp {

constexpr Expected<OutgoingSsnResetRequest, ParseError> OutgoingSsnResetRequest::Parse(const ParameterView& view) {
  auto request = ParseFront<OutgoingSsnResetRequest>(view);
  if (!request) return request;
  const auto list = view.value.subspan(wire::kSize<OutgoingSsnResetRequest>);
  if (list.size() % WireList<StreamId>::ItemSize() != 0) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  request->streams = WireList<StreamId>::FromWire(list);
  return request;
}
constexpr void OutgoingSsnResetRequest::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
  streams.Write(writer);
}

}  // namespace jsp::sctp
