#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Congestion Window Reduced: the answer to ECNE, whose TSN it repeats. The type is reserved by RFC 9260 §3.2; the
// meaning is in docs/sctp.md#ecn.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 13   |  Chunk Flags  |          Length = 8           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      TSN of the ECNE                          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct CwrChunk {
  static constexpr ChunkType kType = ChunkType::kCwr;
  Tsn lowest_tsn;

  static constexpr Expected<CwrChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::CwrChunk> {
  static constexpr std::tuple kFields{&jsp::sctp::CwrChunk::lowest_tsn};
};

namespace jsp::sctp {

constexpr Expected<CwrChunk, ParseError> CwrChunk::Parse(const ChunkView& chunk) {
  return ParseExactly<CwrChunk>(chunk);
}
constexpr void CwrChunk::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
