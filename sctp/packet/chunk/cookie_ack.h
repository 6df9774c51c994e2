#pragma once
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// COOKIE ACK, RFC 9260 §3.3.12: type 11, no flags, length 4.
using CookieAckChunk = EmptyChunk<ChunkType::kCookieAck>;

}  // namespace jsp::sctp
