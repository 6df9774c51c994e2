#pragma once
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// SHUTDOWN ACK, RFC 9260 §3.3.9: type 8, no flags, length 4.
using ShutdownAckChunk = EmptyChunk<ChunkType::kShutdownAck>;

}  // namespace jsp::sctp
