#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 6525 §4.4 table 3.
enum class ReconfigResult : uint32_t {
  kNothingToDo = 0,
  kPerformed = 1,
  kDenied = 2,
  kWrongSsn = 3,
  kRequestInProgress = 4,
  kBadSequenceNumber = 5,
  kInProgress = 6,
};

// RFC 6525 §4.4: both or neither; only in answers to SSN/TSN resets.
struct NextTsns {
  Tsn sender_next_tsn;
  Tsn receiver_next_tsn;
  bool operator==(const NextTsns&) const = default;
};

// Re-configuration Response, RFC 6525 §4.4.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Parameter Type = 16       |      Parameter Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Re-configuration Response Sequence Number             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                            Result                             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                   Sender's Next TSN (optional)                |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                  Receiver's Next TSN (optional)               |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ReconfigResponse {
  static constexpr auto kType = ParameterType::kReconfigResponse;
  ReconfigSn response_sn;
  uint32_t result_code = 0;  // values beyond table 3 parse; who asked decides what they mean
  std::optional<NextTsns> next_tsns;

  ReconfigResult result() const { return ReconfigResult{result_code}; }
  static Expected<ReconfigResponse, ParseError> Parse(const ParameterView& view);
  size_t Size() const { return next_tsns ? 20 : 12; }
  void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::NextTsns> {
  using T = jsp::sctp::NextTsns;
  static constexpr std::tuple kFields{&T::sender_next_tsn, &T::receiver_next_tsn};
};
template <>
struct jsp::wire::Layout<jsp::sctp::ReconfigResponse> {
  using T = jsp::sctp::ReconfigResponse;
  static constexpr std::tuple kFields{&T::response_sn, &T::result_code};
};

namespace jsp::sctp {

inline Expected<ReconfigResponse, ParseError> ReconfigResponse::Parse(const ParameterView& view) {
  auto response = ParseFront<ReconfigResponse>(view);
  if (!response) return response;
  const auto rest = view.value.subspan(wire::kSize<ReconfigResponse>);
  if (rest.empty()) return response;
  if (rest.size() != wire::kSize<NextTsns>) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  response->next_tsns = wire::Read<NextTsns>(rest);
  return response;
}
inline void ReconfigResponse::Write(ByteWriter& writer) const {
  WriteTlvHeader(writer, kType, Size());
  writer.WriteStruct(*this);
  if (next_tsns) writer.WriteStruct(*next_tsns);
}

}  // namespace jsp::sctp
