#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Why an INIT or INIT ACK that is well formed must not lead to an association; RFC 9260 §3.3.2 and §3.3.3.
enum class InitDefect : uint8_t { kZeroInitiateTag, kNoOutboundStreams, kNoInboundStreams, kWindowTooSmall };

// RFC 9260 §3.3.2: "The Advertised Receiver Window Credit MUST NOT be smaller than 1500."
inline constexpr uint32_t kMinInitialWindow = 1500;

// INIT (RFC 9260 §3.3.2) and INIT ACK (RFC 9260 §3.3.3) have one format and differ in their parameters.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Type = 1 or 2 |  Chunk Flags  |      Chunk Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                         Initiate Tag                          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Advertised Receiver Window Credit (a_rwnd)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Number of Outbound Streams   |   Number of Inbound Streams   |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                          Initial TSN                          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \              Optional/Variable-Length Parameters              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
template <ChunkType kTypeValue>
struct BasicInitChunk {
  static constexpr ChunkType kType = kTypeValue;

  VerificationTag initiate_tag;
  uint32_t a_rwnd = 0;
  uint16_t outbound_streams = 0;
  uint16_t inbound_streams = 0;
  Tsn initial_tsn;
  ParameterRange parameters;  // whole ones only

  // Fields out of their range parse, because the answer to them needs the Initiate Tag: see Defect().
  static constexpr Expected<BasicInitChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr std::optional<InitDefect> Defect() const {
    if (initiate_tag == VerificationTag(0)) return InitDefect::kZeroInitiateTag;
    if (outbound_streams == 0) return InitDefect::kNoOutboundStreams;
    if (inbound_streams == 0) return InitDefect::kNoInboundStreams;
    if (a_rwnd < kMinInitialWindow) return InitDefect::kWindowTooSmall;
    return std::nullopt;
  }
  constexpr size_t Size() const;
  constexpr void Write(ByteWriter& writer) const;
};
using InitChunk = BasicInitChunk<ChunkType::kInit>;

}  // namespace jsp::sctp

template <jsp::sctp::ChunkType kTypeValue>
struct jsp::wire::Layout<jsp::sctp::BasicInitChunk<kTypeValue>> {
  using C = jsp::sctp::BasicInitChunk<kTypeValue>;
  static constexpr std::tuple kFields{&C::initiate_tag, &C::a_rwnd, &C::outbound_streams, &C::inbound_streams,
                                      &C::initial_tsn};
};
static_assert(jsp::wire::kSize<jsp::sctp::InitChunk> == 16);

namespace jsp::sctp {

template <ChunkType kTypeValue>
constexpr Expected<BasicInitChunk<kTypeValue>, ParseError> BasicInitChunk<kTypeValue>::Parse(const ChunkView& chunk) {
  auto init = ParseFront<BasicInitChunk>(chunk);
  if (!init) return init;
  init->parameters = ParameterRange(chunk.value.subspan(wire::kSize<BasicInitChunk>));
  if (!init->parameters.IsWhole()) {
    return Unexpected(ParseError{ParseErrc::kBadLength, kTlvHeaderSize + wire::kSize<BasicInitChunk>});
  }
  return init;
}

template <ChunkType kTypeValue>
constexpr size_t BasicInitChunk<kTypeValue>::Size() const {
  return kTlvHeaderSize + wire::kSize<BasicInitChunk> + parameters.octets().size();
}

template <ChunkType kTypeValue>
constexpr void BasicInitChunk<kTypeValue>::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
  writer.WriteBytes(parameters.octets());
}

}  // namespace jsp::sctp
