#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Unrecognized Chunk Type, RFC 9260 §3.3.10.6: `value` is the whole chunk, ChunkView::octets.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Cause Code = 6        |          Cause Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                       Unrecognized Chunk                      /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using UnrecognizedChunkTypeCause = OpaqueTlv<CauseView, CauseCode::kUnrecognizedChunkType>;

}  // namespace jsp::sctp
