#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/parameter/heartbeat_info.h"
namespace jsp::sctp {

// HEARTBEAT (RFC 9260 §3.3.5) and HEARTBEAT ACK (RFC 9260 §3.3.6) differ in their type only.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Type = 4 or 5 |  Chunk Flags  |       Heartbeat Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \          Heartbeat Information TLV (Variable-Length)          /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
template <ChunkType kTypeValue>
struct BasicHeartbeatChunk {
  static constexpr ChunkType kType = kTypeValue;
  HeartbeatInfo info;  // understood by its sender only; the other side reflects it

  // The first parameter must be Heartbeat Info; others are ignored.
  static constexpr Expected<BasicHeartbeatChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    const ParameterRange parameters(chunk.value);
    if (chunk.value.empty() || !parameters.IsWhole()) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
    const auto info = HeartbeatInfo::Parse(*parameters.begin());
    if (!info) return Unexpected(ParseError{ParseErrc::kBadType, kTlvHeaderSize});
    return BasicHeartbeatChunk{*info};
  }
  constexpr size_t Size() const { return kTlvHeaderSize + info.Size(); }
  constexpr void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, 0, Size());
    info.Write(writer);
  }
};
using HeartbeatChunk = BasicHeartbeatChunk<ChunkType::kHeartbeat>;

}  // namespace jsp::sctp
