#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sctp/association/context.h"
#include "sctp/events.h"
namespace jsp::sctp {

// How associations end at once. Graceful ends are shutdown's.

// One error cause, written, without padding: it is the last of its chunk (RFC 9260 §3.2).
template <class Cause>
std::vector<uint8_t> WriteCause(const Cause& cause) {
  std::vector<uint8_t> octets(cause.Size());
  ByteWriter writer(octets);
  cause.Write(writer);
  return octets;
}

// The last event; nothing is kept and nothing more is sent but what is queued in `replies`.
void Close(Context& context, Event last);

// RFC 9260 §9.1: sends ABORT with these causes where the peer's tag is known, then closes with event::Aborted.
Flow AbortAssociation(Context& context, std::span<const uint8_t> causes, AbortCause why, std::string detail);
// The same for a peer that broke the rules: cause 13 (RFC 9260 §3.3.10.13), which carries `detail`.
Flow AbortForViolation(Context& context, std::string detail);

// RFC 9260 §8.1: one more retransmission without an answer; too many close the association.
Flow CountError(Context& context, Tcb& tcb);

}  // namespace jsp::sctp
