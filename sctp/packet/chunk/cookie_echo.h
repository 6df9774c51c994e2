#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// COOKIE ECHO, RFC 9260 §3.3.11.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 10   |  Chunk Flags  |            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// /                            Cookie                             /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct CookieEchoChunk {
  static constexpr ChunkType kType = ChunkType::kCookieEcho;
  std::span<const uint8_t> cookie;  // the value of the State Cookie parameter

  static constexpr Expected<CookieEchoChunk, ParseError> Parse(const ChunkView& chunk) {
    if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
    if (chunk.value.empty()) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
    return CookieEchoChunk{chunk.value};
  }
  constexpr size_t Size() const { return kTlvHeaderSize + cookie.size(); }
  constexpr void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, 0, Size());
    writer.WriteBytes(cookie);
  }
};

}  // namespace jsp::sctp
