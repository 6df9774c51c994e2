#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/byte_writer.h"
#include "sctp/packet/parse_error.h"
#include "sctp/packet/tlv.h"
namespace jsp::sctp {

// RFC 9260 §3.2 table 1, RFC 3758 §8, RFC 4820 §3, RFC 6525 §8.1 and RFC 8260 §5. Other values are chunks that we do
// not know.
enum class ChunkType : uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kSack = 3,
  kHeartbeat = 4,
  kHeartbeatAck = 5,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kError = 9,
  kCookieEcho = 10,
  kCookieAck = 11,
  kEcne = 12,
  kCwr = 13,
  kShutdownComplete = 14,
  kIData = 64,
  kReconfig = 130,
  kPad = 132,
  kForwardTsn = 192,
  kIForwardTsn = 194,
};

constexpr UnknownAction UnknownActionOf(ChunkType type) {
  return UnknownActionOf(unsigned{static_cast<uint8_t>(type)} >> 6);
}

// One whole chunk inside of a packet.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Chunk Type   |  Chunk Flags  |         Chunk Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                          Chunk Value                          /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ChunkView {
  ChunkType type;
  uint8_t flags;
  std::span<const uint8_t> value;
  std::span<const uint8_t> octets;  // header and value, without padding: what an Unrecognized Chunk Type cause returns

  // `octets` is one whole chunk, FrontTlvSize of itself.
  static constexpr ChunkView FromOctets(std::span<const uint8_t> octets) {
    return {ChunkType{octets[0]}, octets[1], octets.subspan(kTlvHeaderSize), octets};
  }
};
using ChunkRange = TlvRange<ChunkView>;

// `size` counts header and value.
constexpr void WriteChunkHeader(ByteWriter& writer, ChunkType type, uint8_t flags, size_t size) {
  writer.Write(static_cast<uint8_t>(type));
  writer.Write(flags);
  writer.Write(static_cast<uint16_t>(size));
}

// RFC 9260 §8.5.1, the T bit of ABORT and SHUTDOWN COMPLETE: the packet's verification tag is the receiver's own one,
// sent back, because the sender had no association that would know the right one.
enum class TagMode : uint8_t { kExpected = 0, kReflected = 1 };
constexpr TagMode TagModeOf(uint8_t flags) { return TagMode{static_cast<uint8_t>(flags & 1)}; }

// A chunk without flags and value.
template <ChunkType kTypeValue>
struct EmptyChunk {
  static constexpr ChunkType kType = kTypeValue;

  static constexpr Expected<EmptyChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    if (!chunk.value.empty()) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
    return EmptyChunk{};
  }
  constexpr size_t Size() const { return kTlvHeaderSize; }
  constexpr void Write(ByteWriter& writer) const { WriteChunkHeader(writer, kType, 0, Size()); }
};

}  // namespace jsp::sctp
