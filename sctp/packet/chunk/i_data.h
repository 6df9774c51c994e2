#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>

#include "base/byte_writer.h"
#include "base/wire_layout.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// I-DATA, RFC 8260 §2.1: DATA whose fragments are numbered within their message, so that messages of different streams
// may interleave.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                              TSN                              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Stream Identifier      |           Reserved            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Message Identifier                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Payload Protocol Identifier / Fragment Sequence Number     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                           User Data                           /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct IDataChunk {
  static constexpr ChunkType kType = ChunkType::kIData;
  // Chunk header and fixed part.
  static constexpr size_t kHeaderSize = 20;

  // What both kinds carry; `ssn` has no meaning.
  DataChunk data;

  // An empty payload parses, as DATA's does.
  static Expected<IDataChunk, ParseError> Parse(const ChunkView& chunk);
  size_t Size() const { return kHeaderSize + data.payload.size(); }
  void Write(ByteWriter& writer) const;

  // The fixed part as it is on the wire.
  struct Fixed {
    Tsn tsn;
    StreamId stream;
    uint16_t reserved = 0;
    Mid mid;
    uint32_t ppid_or_fsn = 0;  // RFC 8260 §2.1: PPID with the B bit, else FSN
  };
};

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::IDataChunk::Fixed> {
  using F = jsp::sctp::IDataChunk::Fixed;
  static constexpr std::tuple kFields{&F::tsn, &F::stream, &F::reserved, &F::mid, &F::ppid_or_fsn};
};
static_assert(jsp::wire::kSize<jsp::sctp::IDataChunk::Fixed> + jsp::sctp::kTlvHeaderSize ==
              jsp::sctp::IDataChunk::kHeaderSize);

namespace jsp::sctp {

inline Expected<IDataChunk, ParseError> IDataChunk::Parse(const ChunkView& chunk) {
  if (chunk.type != kType) return Unexpected(ParseError{ParseErrc::kBadType, 0});
  const auto fixed = wire::Read<Fixed>(chunk.value);
  if (!fixed) return Unexpected(ParseError{ParseErrc::kBadLength, 2});
  IDataChunk result;
  DataChunk& data = result.data;
  data.tsn = fixed->tsn;
  data.stream = fixed->stream;
  data.mid = fixed->mid;
  data.immediate = (chunk.flags & 8) != 0;
  data.unordered = (chunk.flags & 4) != 0;
  data.beginning = (chunk.flags & 2) != 0;
  data.end = (chunk.flags & 1) != 0;
  if (data.beginning) {
    data.ppid = Ppid(fixed->ppid_or_fsn);
  } else {
    data.fsn = fixed->ppid_or_fsn;
  }
  data.payload = chunk.value.subspan(wire::kSize<Fixed>);
  return result;
}

inline void IDataChunk::Write(ByteWriter& writer) const {
  const int flags = (data.immediate ? 8 : 0) | (data.unordered ? 4 : 0) | (data.beginning ? 2 : 0) | (data.end ? 1 : 0);
  WriteChunkHeader(writer, kType, static_cast<uint8_t>(flags), Size());
  writer.WriteStruct(Fixed{.tsn = data.tsn,
                           .stream = data.stream,
                           .mid = data.mid,
                           .ppid_or_fsn = data.beginning ? data.ppid.value : data.fsn});
  writer.WriteBytes(data.payload);
}

}  // namespace jsp::sctp
