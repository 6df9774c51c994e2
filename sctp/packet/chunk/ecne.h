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
// |   Type = 12   |  Chunk Flags  |          Length = 12          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |              Lowest TSN of the packet with the mark           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |               Packets with marks since the last CWR           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// An older form has no count, and length 8. It is read, but not written: usrsctp 0.9.5 drops the rest of a packet with
// it, the SACK too, and its sender stalls.
struct EcneChunk {
  static constexpr ChunkType kType = ChunkType::kEcne;
  Tsn lowest_tsn;
  uint32_t marked_packets = 1;

  static constexpr Expected<EcneChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr size_t Size() const { return 12; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::EcneChunk> {
  static constexpr std::tuple kFields{&jsp::sctp::EcneChunk::lowest_tsn, &jsp::sctp::EcneChunk::marked_packets};
};

namespace jsp::sctp {

constexpr Expected<EcneChunk, ParseError> EcneChunk::Parse(const ChunkView& chunk) {
  const bool has_count = chunk.value.size() != wire::Codec<Tsn>::kSize;
  if (has_count || chunk.type != kType) return ParseExactly<EcneChunk>(chunk);
  return EcneChunk{.lowest_tsn = wire::Codec<Tsn>::Load(chunk.value.data())};
}
constexpr void EcneChunk::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
}

}  // namespace jsp::sctp
