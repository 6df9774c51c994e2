#pragma once
#include <cstddef>
#include <span>

#include "base/expected.h"
#include "sctp/association.h"
#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/packet_builder.h"
namespace jsp::sctp {

// RFC 6525: resets of outgoing streams at our request, resets of incoming streams at the peer's. Other requests are
// denied; see docs/sctp.md.

Expected<void, ResetError> RequestStreamReset(Context& context, std::span<const StreamId> streams);
// Makes a request of the streams that are drained, when none is in flight (RFC 6525 §5.1.1).
void MaybeStartReset(Context& context, Tcb& tcb);
// Adds the request in flight to a packet when it is due.
void WriteResetRequest(Context& context, Tcb& tcb, PacketBuilder& builder);
void HandleReconfigTimer(Context& context);

Flow HandleReconfig(Context& context, Tcb& tcb, const ChunkView& chunk);

// RFC 6525 §5.2.2 E2. True when the chunk belongs behind a reset that waits for earlier TSNs: it is kept here.
bool HoldForReset(Tcb& tcb, UnwrappedTsn tsn, const DataChunk& data);
// RFC 3758 §3.6 for chunks that are held.
void DropHeldForReset(Tcb& tcb, UnwrappedTsn new_cumulative);
// RFC 6525 §5.2.2 E3 to E6, once the cumulative TSN has come far enough.
Flow MaybePerformDeferredReset(Context& context, Tcb& tcb);

}  // namespace jsp::sctp
