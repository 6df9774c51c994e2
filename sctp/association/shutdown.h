#pragma once
#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/packet_builder.h"
namespace jsp::sctp {

// The graceful end of an association (RFC 9260 §9.2).

void StartShutdown(Context& context);
// SHUTDOWN and SHUTDOWN ACK wait until nothing is outstanding; called after every input.
void MaybeAdvanceShutdown(Context& context);
void HandleT2(Context& context);
void HandleShutdownGuard(Context& context);

Flow HandleShutdown(Context& context, Tcb& tcb, const ChunkView& chunk);
Flow HandleShutdownAck(Context& context, Tcb& tcb, const ChunkView& chunk);
Flow HandleShutdownComplete(Context& context, const ChunkView& chunk);
// A packet of the peer arrived in ShutdownSent: it still lives; with DATA in it, it is answered at once.
enum class Carried : uint8_t { kNoData, kData };
void HandlePacketWhileShuttingDown(Context& context, Carried carried);

// Adds SHUTDOWN or SHUTDOWN ACK to a packet when it is due.
void WriteShutdown(Context& context, Tcb& tcb, PacketBuilder& builder);

}  // namespace jsp::sctp
