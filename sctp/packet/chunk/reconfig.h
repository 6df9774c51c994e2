#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// RE-CONFIG, RFC 6525 §3.1: one or two parameters, in one of ten combinations.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Type = 130    |  Chunk Flags  |      Chunk Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                  Re-configuration Parameter                   /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \             Re-configuration Parameter (optional)             /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ReconfigChunk {
  static constexpr ChunkType kType = ChunkType::kReconfig;
  ParameterRange parameters;  // one or two, whole

  // A combination that RFC 6525 §3.1 does not list is kBadValue; the answer to it is an ERROR with Protocol Violation.
  static Expected<ReconfigChunk, ParseError> Parse(const ChunkView& chunk);
  size_t Size() const { return kTlvHeaderSize + parameters.octets().size(); }
  void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, kType, 0, Size());
    writer.WriteBytes(parameters.octets());
  }
};

}  // namespace jsp::sctp
