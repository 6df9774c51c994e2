#pragma once
#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// RFC 9260 §8.3: probes a path that is idle, and answers the peer's probes.

// The association is established: the first period begins.
void StartHeartbeats(Context& context, Tcb& tcb);
void HandleHeartbeatTimer(Context& context);
Flow HandleHeartbeat(Context& context, const ChunkView& chunk);
Flow HandleHeartbeatAck(Context& context, Tcb& tcb, const ChunkView& chunk);

}  // namespace jsp::sctp
