#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/wire_list.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 8260 §2.3.1: the largest message identifier that is skipped on a stream, of ordered or of unordered messages.
struct SkippedMessages {
  static constexpr uint16_t kUnordered = 1;  // the U bit; the other bits are reserved

  StreamId stream;
  uint16_t flags = 0;
  Mid mid;
  bool is_unordered() const { return (flags & kUnordered) != 0; }
  bool operator==(const SkippedMessages&) const = default;
};

// I-FORWARD-TSN, RFC 8260 §2.3.1.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 194  | Flags = 0x00  |      Length = Variable        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                       New Cumulative TSN                      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |       Stream Identifier       |          Reserved           |U|
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                       Message Identifier                      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                            to Stream-N                        /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct IForwardTsnChunk {
  static constexpr ChunkType kType = ChunkType::kIForwardTsn;
  static constexpr size_t kHeaderSize = 8;
  static constexpr size_t kItemSize = 8;

  Tsn new_cumulative_tsn;
  WireList<SkippedMessages> skipped;

  static constexpr Expected<IForwardTsnChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr size_t Size() const { return kHeaderSize + skipped.size() * kItemSize; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::SkippedMessages> {
  using S = jsp::sctp::SkippedMessages;
  static constexpr std::tuple kFields{&S::stream, &S::flags, &S::mid};
};
template <>
struct jsp::wire::Layout<jsp::sctp::IForwardTsnChunk> {
  static constexpr std::tuple kFields{&jsp::sctp::IForwardTsnChunk::new_cumulative_tsn};
};

namespace jsp::sctp {

constexpr Expected<IForwardTsnChunk, ParseError> IForwardTsnChunk::Parse(const ChunkView& chunk) {
  auto forward = ParseFront<IForwardTsnChunk>(chunk);
  if (!forward) return forward;
  const auto list = chunk.value.subspan(wire::kSize<IForwardTsnChunk>);
  if (list.size() % kItemSize != 0) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  forward->skipped = WireList<SkippedMessages>::FromWire(list);
  return forward;
}
constexpr void IForwardTsnChunk::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
  skipped.Write(writer);
}

}  // namespace jsp::sctp
