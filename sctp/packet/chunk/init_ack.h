#pragma once
#include "sctp/packet/chunk/init.h"
namespace jsp::sctp {

// INIT ACK, RFC 9260 §3.3.3. The State Cookie is among its parameters; that it is there is for the handshake to check.
using InitAckChunk = BasicInitChunk<ChunkType::kInitAck>;

}  // namespace jsp::sctp
