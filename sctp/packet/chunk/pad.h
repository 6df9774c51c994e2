#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// PAD, RFC 4820 §3.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Type = 0x84   |   Flags=0     |             Length            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                         Padding Data                          /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct PadChunk {
  static constexpr ChunkType kType = ChunkType::kPad;
  size_t size = kTlvHeaderSize;  // of the whole chunk: from 4 to 65,535 octets

  // Any content: "The Padding Data MUST be ignored by the receiver."
  static constexpr Expected<PadChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    return PadChunk{chunk.octets.size()};
  }
  constexpr size_t Size() const { return size; }
  constexpr void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, 0, size);
    writer.WriteZeros(size - kTlvHeaderSize);
  }
};

}  // namespace jsp::sctp
