#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// DATA, RFC 9260 §3.3.1: one user message or a fragment of one.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 0    |  Res  |I|U|B|E|            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                              TSN                              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Stream Identifier S      |   Stream Sequence Number n    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                  Payload Protocol Identifier                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                 User Data (seq n of Stream S)                 /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct DataChunk {
  static constexpr ChunkType kType = ChunkType::kData;
  // Chunk header and fixed part.
  static constexpr size_t kHeaderSize = 16;

  Tsn tsn;
  StreamId stream;
  Ssn ssn;  // without meaning when unordered
  Ppid ppid;
  // With I-DATA (i_data.h) instead of `ssn`, for ordered and unordered messages; and the fragment's number in it.
  Mid mid{};
  uint32_t fsn = 0;
  bool immediate = false;  // RFC 9260 §6.2: acknowledge without delay
  bool unordered = false;
  bool beginning = false;
  bool end = false;
  std::span<const uint8_t> payload;

  // An empty payload parses: its answer, an ABORT with No User Data (RFC 9260 §6.2), needs the TSN.
  static Expected<DataChunk, ParseError> Parse(const ChunkView& chunk);
  size_t Size() const { return kHeaderSize + payload.size(); }
  void Write(ByteWriter& writer) const;
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::DataChunk> {
  using C = jsp::sctp::DataChunk;
  static constexpr std::tuple kFields{&C::tsn, &C::stream, &C::ssn, &C::ppid};
};
static_assert(jsp::wire::kSize<jsp::sctp::DataChunk> + jsp::sctp::kTlvHeaderSize == jsp::sctp::DataChunk::kHeaderSize);

namespace jsp::sctp {

inline Expected<DataChunk, ParseError> DataChunk::Parse(const ChunkView& chunk) {
  auto data = ParseFront<DataChunk>(chunk);
  if (!data) return data;
  data->immediate = (chunk.flags & 8) != 0;
  data->unordered = (chunk.flags & 4) != 0;
  data->beginning = (chunk.flags & 2) != 0;
  data->end = (chunk.flags & 1) != 0;
  data->payload = chunk.value.subspan(wire::kSize<DataChunk>);
  return data;
}

inline void DataChunk::Write(ByteWriter& writer) const {
  const int flags = (immediate ? 8 : 0) | (unordered ? 4 : 0) | (beginning ? 2 : 0) | (end ? 1 : 0);
  WriteChunkHeader(writer, kType, static_cast<uint8_t>(flags), Size());
  writer.WriteStruct(*this);
  writer.WriteBytes(payload);
}

}  // namespace jsp::sctp
