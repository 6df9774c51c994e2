#pragma once
#include "sctp/association/context.h"
#include "sctp/packet/chunk_header.h"
namespace jsp::sctp {

// RFC 6525 §5.2: RE-CONFIG chunks in. Judges the peer's requests, answers them, and remembers the answers for
// retransmissions; responses go to reconfig_requester.

Flow HandleReconfig(Context& context, Tcb& tcb, const ChunkView& chunk);

// One RE-CONFIG chunk with these answers (RFC 6525 §5.2.1).
void SendReconfigAnswers(Context& context, std::span<const ReconfigResponder::Answer> answers);
// What became of a request that was answered before: a retransmission is told so.
void UpdateReconfigAnswer(Tcb& tcb, const ReconfigResponder::Answer& answer);

}  // namespace jsp::sctp
