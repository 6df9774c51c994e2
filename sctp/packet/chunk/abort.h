#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_writer.h"
#include "sctp/packet/cause_header.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// ABORT, RFC 9260 §3.3.7.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 6    |  Reserved   |T|            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                   zero or more Error Causes                   /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct AbortChunk {
  static constexpr ChunkType kType = ChunkType::kAbort;
  TagMode tag = TagMode::kExpected;
  CauseRange causes;  // whole ones only; unknown codes are no error

  // RFC 9260 §3.3.7: an ABORT with a format error is discarded silently, so causes that are not whole are refused.
  static constexpr Expected<AbortChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    const CauseRange causes(chunk.value);
    if (!causes.IsWhole()) return Unexpected(ParseError{ParseErrc::kBadLength, kTlvHeaderSize});
    return AbortChunk{TagModeOf(chunk.flags), causes};
  }
  constexpr size_t Size() const { return kTlvHeaderSize + causes.octets().size(); }
  constexpr void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, static_cast<uint8_t>(tag), Size());
    writer.WriteBytes(causes.octets());
  }
};

}  // namespace jsp::sctp
