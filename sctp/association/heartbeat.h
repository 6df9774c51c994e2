#pragma once
#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// RFC 9260 §8.3: probes a path that is idle, and answers the peer's probes.

// A nonce and nothing else: RFC 9260 §3.3.5 wants 64 bits of it, and the time stays with us.
inline constexpr size_t kHeartbeatNonceSize = 8;

// RFC 9260 §8.3: up to SHUTDOWN-SENT and SHUTDOWN-ACK-SENT.
bool IsHeartbeatState(const StateData& state);
// The association is established: the first period begins, and path MTU discovery.
void StartHeartbeats(Context& context, Tcb& tcb);
void HandleHeartbeatTimer(Context& context);
// Neither end sent anything for a while: what the last transfers took is not needed soon.
void GiveMemoryBack(Context& context, Tcb& tcb);
Flow HandleHeartbeat(Context& context, const ChunkView& chunk);
Flow HandleHeartbeatAck(Context& context, Tcb& tcb, const ChunkView& chunk);

}  // namespace jsp::sctp
