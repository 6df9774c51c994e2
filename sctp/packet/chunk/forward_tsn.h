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

// RFC 3758 §3.2: the largest stream sequence number that is skipped on an ordered stream.
struct SkippedStream {
  StreamId stream;
  Ssn ssn;
  bool operator==(const SkippedStream&) const = default;
};

// FORWARD TSN, RFC 3758 §3.2.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 192  |  Flags = 0x00 |        Length = Variable      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      New Cumulative TSN                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Stream-1              |       Stream Sequence-1       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                            to Stream-N                        /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ForwardTsnChunk {
  static constexpr ChunkType kType = ChunkType::kForwardTsn;
  static constexpr size_t kHeaderSize = 8;
  static constexpr size_t kItemSize = 4;

  Tsn new_cumulative_tsn;
  WireList<SkippedStream> skipped;

  static constexpr Expected<ForwardTsnChunk, ParseError> Parse(const ChunkView& chunk);
  constexpr size_t Size() const { return kHeaderSize + skipped.size() * kItemSize; }
  constexpr void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::SkippedStream> {
  using S = jsp::sctp::SkippedStream;
  static constexpr std::tuple kFields{&S::stream, &S::ssn};
};
template <>
struct jsp::wire::Layout<jsp::sctp::ForwardTsnChunk> {
  static constexpr std::tuple kFields{&jsp::sctp::ForwardTsnChunk::new_cumulative_tsn};
};

namespace jsp::sctp {

constexpr Expected<ForwardTsnChunk, ParseError> ForwardTsnChunk::Parse(const ChunkView& chunk) {
  auto forward = ParseFront<ForwardTsnChunk>(chunk);
  if (!forward) return forward;
  const auto list = chunk.value.subspan(wire::kSize<ForwardTsnChunk>);
  if (list.size() % kItemSize != 0) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  forward->skipped = WireList<SkippedStream>::FromWire(list);
  return forward;
}
constexpr void ForwardTsnChunk::Write(ByteWriter& writer) const {
  WriteChunkHeader(writer, kType, 0, Size());
  writer.WriteStruct(*this);
  skipped.Write(writer);
}

}  // namespace jsp::sctp
