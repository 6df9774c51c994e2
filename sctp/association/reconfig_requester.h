#pragma once
#include <cstdint>
#include <span>

#include "base/expected.h"
#include "sctp/association.h"
#include "sctp/association/context.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/packet/parameter/reconfig_response.h"
namespace jsp::sctp {

// RFC 6525 §5.1, §5.2.7: our requests, one RE-CONFIG chunk at a time, its timer, and the peer's answers. Asked for by
// the application, or by the peer where the answer to a request of its own is a request of ours.

// The commands of Association.
Expected<void, ResetError> RequestStreamReset(Context& context, std::span<const StreamId> streams);
Expected<void, ResetError> RequestPeerReset(Context& context, std::span<const StreamId> streams);
Expected<void, ResetError> RequestAssociationReset(Context& context);
Expected<void, AddStreamsError> RequestMoreOutgoing(Context& context, uint16_t streams);
Expected<void, AddStreamsError> RequestMoreIncoming(Context& context, uint16_t streams);

// Makes a request of what is wanted, when none is in flight (RFC 6525 §5.1.1).
void MaybeStartRequest(Context& context, Tcb& tcb);
// Adds the request in flight to a packet when it is due.
void WriteReconfigRequest(Context& context, Tcb& tcb, PacketBuilder& builder);
void HandleReconfigTimer(Context& context);

// RFC 6525 §5.2.7.
Flow HandleReconfigResponse(Context& context, Tcb& tcb, const ReconfigResponse& response);
// RFC 6525 §5.2.2 E1: a request of the peer may be the answer to ours.
void AcknowledgeByReset(Context& context, Tcb& tcb, ReconfigSn response_sn);
void AcknowledgeByMoreStreams(Context& context, Tcb& tcb, uint16_t streams);

// Outgoing streams that there will be when all requests are answered well.
uint32_t PlannedOutgoingStreams(const Tcb& tcb);
// An SSN/TSN reset of ours may have been performed by the peer, without our knowing.
bool AwaitsAssociationReset(const Tcb& tcb);

}  // namespace jsp::sctp
