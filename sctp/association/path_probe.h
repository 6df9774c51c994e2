#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "sctp/association/context.h"
namespace jsp::sctp {

// Path MTU discovery of an association (RFC 9260 §7.3, RFC 8899 §6.2.3): probes are a HEARTBEAT of minimum length and a
// PAD chunk, acknowledged by HEARTBEAT ACK. PathMtu decides; this makes its packets, keeps its timer, and gives the
// size that it found to the sender. Probes do not count against any window, and their losses say nothing about
// congestion (RFC 8899 §3 item 7).

// The association is established, or its path is another one.
void StartPathMtu(Context& context, Tcb& tcb);
void HandlePathMtuTimer(Context& context);
// Composes the probe that is due. 0: none is.
size_t WriteProbe(Context& context, Tcb& tcb, std::span<uint8_t> out);
// True when `nonce` is that of the probe under way.
bool HandleProbeAck(Context& context, Tcb& tcb, uint64_t nonce);
// After a SACK or T3-rtx: what the losses of large chunks say about the path (RFC 8899 §4.3).
void ObserveLargeChunks(Context& context, Tcb& tcb, bool large_acknowledged);
void HandleT3Loss(Context& context, Tcb& tcb);
// RFC 8899 §4.6: `mtu` octets of an IP packet, as a router or the own host said.
void HandlePacketTooBigHint(Context& context, size_t mtu);
// RFC 8261 §6.1: the path changed; it is measured anew, and congestion control begins anew.
void HandlePathChange(Context& context, const PathProperties& path);

}  // namespace jsp::sctp
