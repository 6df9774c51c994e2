#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/wire_list.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 9260 §3.3.4: both ends of the block are received; they are offsets from the Cumulative TSN Ack.
struct GapAckBlock {
  uint16_t start = 0;
  uint16_t end = 0;
  bool operator==(const GapAckBlock&) const = default;
};

// What of a SACK has a fixed size.
struct SackFixedPart {
  static constexpr ChunkType kType = ChunkType::kSack;
  Tsn cumulative_tsn_ack;
  uint32_t a_rwnd = 0;
  uint16_t gap_ack_blocks = 0;
  uint16_t duplicate_tsns = 0;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::GapAckBlock> {
  using B = jsp::sctp::GapAckBlock;
  static constexpr std::tuple kFields{&B::start, &B::end};
};
template <>
struct jsp::wire::Layout<jsp::sctp::SackFixedPart> {
  using S = jsp::sctp::SackFixedPart;
  static constexpr std::tuple kFields{&S::cumulative_tsn_ack, &S::a_rwnd, &S::gap_ack_blocks, &S::duplicate_tsns};
};
static_assert(jsp::wire::kSize<jsp::sctp::SackFixedPart> == 12);

namespace jsp::sctp {

// SACK, RFC 9260 §3.3.4. What its numbers mean against what was sent is for the retransmission queue to check.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 3    |  Chunk Flags  |         Chunk Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Cumulative TSN Ack                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Advertised Receiver Window Credit (a_rwnd)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   N times: Gap Ack Block Start (16 bits), End (16 bits)       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   M times: Duplicate TSN (32 bits)                            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct SackChunk {
  static constexpr ChunkType kType = ChunkType::kSack;
  // Octets without blocks and duplicates, the chunk header included; each of those takes four octets.
  static constexpr size_t kHeaderSize = kTlvHeaderSize + wire::kSize<SackFixedPart>;
  static constexpr size_t kItemSize = 4;

  Tsn cumulative_tsn_ack;
  uint32_t a_rwnd = 0;
  WireList<GapAckBlock> gap_ack_blocks;  // at most 65535
  WireList<Tsn> duplicate_tsns;          // at most 65535

  // The two counts must make up the chunk's length exactly.
  static constexpr Expected<SackChunk, ParseError> Parse(const ChunkView& chunk) {
    const auto fixed = ParseFront<SackFixedPart>(chunk);
    if (!fixed) return Unexpected(fixed.error());
    ByteReader reader(chunk.value.subspan(wire::kSize<SackFixedPart>));
    const auto blocks = reader.ReadBytes(fixed->gap_ack_blocks * kItemSize);
    const auto duplicates = reader.ReadBytes(fixed->duplicate_tsns * kItemSize);
    if (!reader.ok() || reader.remaining() != 0) return Unexpected(ParseError{ParseErrc::kBadLength, 12});
    return SackChunk{fixed->cumulative_tsn_ack, fixed->a_rwnd, WireList<GapAckBlock>::FromWire(blocks),
                     WireList<Tsn>::FromWire(duplicates)};
  }
  constexpr size_t Size() const { return kHeaderSize + (gap_ack_blocks.size() + duplicate_tsns.size()) * kItemSize; }
  constexpr void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, 0, Size());
    writer.WriteStruct(SackFixedPart{cumulative_tsn_ack, a_rwnd, static_cast<uint16_t>(gap_ack_blocks.size()),
                                     static_cast<uint16_t>(duplicate_tsns.size())});
    gap_ack_blocks.Write(writer);
    duplicate_tsns.Write(writer);
  }
};

}  // namespace jsp::sctp
