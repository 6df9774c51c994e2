#pragma once
#include <cstdint>
#include <span>

#include "base/ecn_mark.h"
#include "sctp/association/context.h"
namespace jsp::sctp {

// Verifies a packet's checksum, ports and verification tag (RFC 9260 §8.5), then hands its chunks to their procedures
// in order (RFC 9260 §6.10). What belongs to no association is answered as RFC 9260 §8.4 says. `mark`: of the IP
// packet.
void DispatchPacket(Context& context, std::span<const uint8_t> packet, EcnMark mark);

}  // namespace jsp::sctp
