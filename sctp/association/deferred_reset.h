#pragma once
#include <vector>

#include "sctp/association/context.h"
#include "sctp/packet/chunk/data.h"
namespace jsp::sctp {

// RFC 6525 §5.2.2: resets of incoming streams, at once or when all that was sent before has arrived, and the DATA that
// is held meanwhile.

// E3: all that arrived is delivered, then the streams begin anew. None listed: all.
void PerformIncomingReset(Context& context, Tcb& tcb, std::vector<StreamId> streams);

// E2, and RFC 6525 §5.1.4: true when the chunk may belong behind a reset that is not performed yet: it is kept here.
bool HoldForReset(Tcb& tcb, UnwrappedTsn tsn, const DataChunk& data);
// RFC 3758 §3.6 for chunks that are held.
void DropHeldForReset(Tcb& tcb, UnwrappedTsn new_cumulative);
// E4: held chunks take the way of chunks that have just arrived.
Flow ReleaseHeld(Context& context, Tcb& tcb, std::vector<HeldChunks::HeldChunk> held);
// E3 to E6, once the cumulative TSN has come far enough.
Flow MaybePerformDeferredReset(Context& context, Tcb& tcb);

}  // namespace jsp::sctp
