#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// SHUTDOWN, RFC 9260 §3.3.8.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 7    |  Chunk Flags  |          Length = 8           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Cumulative TSN Ack                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ShutdownChunk {
  static constexpr ChunkType kType = ChunkType::kShutdown;
  Tsn cumulative_tsn_ack;

  static constexpr Expected<ShutdownChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::ShutdownChunk> {
  static constexpr std::tuple kFields{&jsp::sctp::ShutdownChunk::cumulative_tsn_ack};
};

namespace jsp::sctp {

constexpr Expected<ShutdownChunk, ParseError> ShutdownChunk::Parse(const ChunkView& chunk) {
  return ParseExactly<ShutdownChunk>(chunk);
}
constexpr void ShutdownChunk::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
