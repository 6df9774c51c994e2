#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_writer.h"
#include "sctp/packet/cause_header.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// ERROR, RFC 9260 §3.3.10.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 9    |  Chunk Flags  |            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                   one or more Error Causes                    /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ErrorChunk {
  static constexpr ChunkType kType = ChunkType::kError;
  CauseRange causes;  // whole ones only

  static constexpr Expected<ErrorChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    const CauseRange causes(chunk.value);
    if (chunk.value.empty() || !causes.IsWhole()) {
      return Unexpected(ParseError{ParseErrc::kBadLength, kTlvHeaderSize});
    }
    return ErrorChunk{causes};
  }
  constexpr size_t Size() const { return kTlvHeaderSize + causes.octets().size(); }
  constexpr void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, 0, Size());
    writer.WriteBytes(causes.octets());
  }
};

}  // namespace jsp::sctp
