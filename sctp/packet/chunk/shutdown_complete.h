#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// SHUTDOWN COMPLETE, RFC 9260 §3.3.13.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 14   |  Reserved   |T|          Length = 4           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ShutdownCompleteChunk {
  static constexpr ChunkType kType = ChunkType::kShutdownComplete;
  TagMode tag = TagMode::kExpected;

  static constexpr Expected<ShutdownCompleteChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    if (!chunk.value.empty()) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
    return ShutdownCompleteChunk{TagModeOf(chunk.flags)};
  }
  constexpr size_t Size() const { return kTlvHeaderSize; }
  constexpr void Write(ByteWriter& writer) const { WriteChunkHeader(writer, kType, static_cast<uint8_t>(tag), Size()); }
};

}  // namespace jsp::sctp
