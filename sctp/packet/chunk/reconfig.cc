#include "sctp/packet/chunk/reconfig.h"

#include <array>
namespace jsp::sctp {
namespace {

using P = ParameterType;

// RFC 6525 §3.1: the combinations of two parameters. Their order is not said, so either is taken.
bool IsAllowed(P first, P second) {
  static constexpr std::array<std::array<P, 2>, 4> kPairs{{
      {P::kOutgoingSsnResetRequest, P::kIncomingSsnResetRequest},
      {P::kAddOutgoingStreams, P::kAddIncomingStreams},
      {P::kReconfigResponse, P::kOutgoingSsnResetRequest},
      {P::kReconfigResponse, P::kReconfigResponse},
  }};
  for (const auto& pair : kPairs) {
    if ((first == pair[0] && second == pair[1]) || (first == pair[1] && second == pair[0])) return true;
  }
  return false;
}

bool IsReconfigParameter(P type) { return type >= P::kOutgoingSsnResetRequest && type <= P::kAddIncomingStreams; }

}  // namespace

Expected<ReconfigChunk, ParseError> ReconfigChunk::Parse(const ChunkView& chunk) {
  if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
  const ParameterRange parameters(chunk.value);
  if (chunk.value.empty() || !parameters.IsWhole()) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  const ParseError refused{ParseErrc::kBadValue, kTlvHeaderSize};
  auto next = parameters.begin();
  const P first = (*next).type;
  if (!IsReconfigParameter(first)) return Unexpected(refused);
  if (++next == parameters.end()) return ReconfigChunk{parameters};
  const P second = (*next).type;
  if (!IsAllowed(first, second) || ++next != parameters.end()) return Unexpected(refused);
  return ReconfigChunk{parameters};
}

}  // namespace jsp::sctp
