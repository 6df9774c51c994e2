#pragma once
#include "sctp/association/context.h"
#include "sctp/association/tcb.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/packet/sctp_packet.h"
namespace jsp::sctp {

// Explicit Congestion Notification (RFC 3168) between two ends that both offered it. RFC 9260 §3.2 reserves its chunks
// and says no more; docs/sctp.md#ecn has the rules.

// The receiver's half. `packet` has not been handled yet, and its IP packet was marked.
void HandleMark(Context& context, Tcb& tcb, const PacketView& packet);
Flow HandleCwr(Context& context, Tcb& tcb, const ChunkView& chunk);
// Before each SACK.
void WriteEcne(Tcb& tcb, PacketBuilder& builder);

// The sender's half. Whether a packet that was just written with new DATA, and could be marked, may be: until something
// that left so was acknowledged without a repetition, it is watched whether all of it is lost.
bool IsPathTrusted(const Context& context, Tcb& tcb);
Flow HandleEcne(Context& context, Tcb& tcb, const ChunkView& chunk);
void WriteCwr(Tcb& tcb, PacketBuilder& builder);

}  // namespace jsp::sctp
