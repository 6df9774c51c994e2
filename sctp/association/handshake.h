#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/common_header.h"
namespace jsp::sctp {

// Establishment of an association (RFC 9260 §5): INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, their collisions and
// restarts. The responder keeps nothing between INIT and COOKIE ECHO.

// Leaves Closed: draws the tag and the initial TSN and makes INIT due.
void StartHandshake(Context& context);
void HandleT1(Context& context);

// The handlers of the four chunks. The caller has verified the packet's verification tag as RFC 9260 §8.5.1 says,
// except for COOKIE ECHO, whose tag is compared with the cookie's.
Flow HandleInit(Context& context, const ChunkView& chunk);
Flow HandleInitAck(Context& context, const ChunkView& chunk);
Flow HandleCookieEcho(Context& context, const ChunkView& chunk, VerificationTag packet_tag);
Flow HandleCookieAck(Context& context, const ChunkView& chunk);
// RFC 9260 §5.2.6.
Flow HandleStaleCookieError(Context& context);

// The INIT of CookieWait, when due. 0: none.
size_t WriteInit(Context& context, state::CookieWait& wait, std::span<uint8_t> out);

}  // namespace jsp::sctp
