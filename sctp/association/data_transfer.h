#pragma once
#include <cstddef>
#include <cstdint>

#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// DATA in and its acknowledgement, SACK and FORWARD TSN in, the receive window, and the timers of both directions
// (RFC 9260 §6, RFC 3758 §3). Composing packets is transmit's.

// RFC 9260 §6: DATA is accepted in these states, and sent in those.
bool AcceptsData(const StateData& state);
bool SendsData(const StateData& state);

Flow HandleData(Context& context, Tcb& tcb, const ChunkView& chunk);
Flow HandleIData(Context& context, Tcb& tcb, const ChunkView& chunk);
Flow HandleSack(Context& context, Tcb& tcb, const ChunkView& chunk);
// The Cumulative TSN Ack of a SHUTDOWN.
Flow HandleCumulativeAck(Context& context, Tcb& tcb, Tsn cumulative_tsn_ack);
Flow HandleForwardTsn(Context& context, Tcb& tcb, const ChunkView& chunk);
Flow HandleIForwardTsn(Context& context, Tcb& tcb, const ChunkView& chunk);
// After the last chunk of a packet: delivers what is whole and decides about the SACK.
Flow FinishPacket(Context& context, Tcb& tcb);
// Moves messages and pieces that are ready into the event queue.
void DeliverMessages(Context& context, Tcb& tcb);
// Gives a chunk that was observed to reassembly.
Flow Reassemble(Context& context, Tcb& tcb, UnwrappedTsn tsn, const DataChunk& data);

// T3-rtx of the sender.
void HandleT3(Context& context);
void HandleDelayedAckTimer(Context& context);

// Octets to advertise as a_rwnd.
uint32_t AdvertisedWindow(const Context& context, const Tcb& tcb);
void HandleConsumedOctets(Context& context, size_t octets);
// Octets of the window that are taken.
size_t TakenOctets(const Tcb& tcb);
// The window ends there, whatever its size is.
void SetAllowance(Context& context, size_t octets);

}  // namespace jsp::sctp
