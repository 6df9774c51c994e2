#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// ECN Echo: a packet that arrived was marked. The type is reserved by RFC 9260 §3.2; the meaning is in
// docs/sctp.md#ecn.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 12   |  Chunk Flags  |          Length = 8           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |              Lowest TSN of the packet with the mark           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct EcneChunk {
  static constexpr ChunkType kType = ChunkType::kEcne;
  Tsn lowest_tsn;

  // Some ends append how many packets were marked. Nothing here needs it.
  static constexpr Expected<EcneChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr size_t Size() const { return 8; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::EcneChunk> {
  static constexpr std::tuple kFields{&jsp::sctp::EcneChunk::lowest_tsn};
};

namespace jsp::sctp {

constexpr Expected<EcneChunk, ParseError> EcneChunk::Parse(const ChunkView& chunk) {
  constexpr size_t kWithCount = wire::kSize<EcneChunk> + sizeof(uint32_t);
  if (chunk.value.size() == kWithCount) return ParseFront<EcneChunk>(chunk);
  return ParseExactly<EcneChunk>(chunk);
}
constexpr void EcneChunk::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
