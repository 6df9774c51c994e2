#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "sctp/association/context.h"
namespace jsp::sctp {

// Composes the next packet of the association into `out`, at most Options::max_packet_size octets. 0: nothing to send.
// Control chunks go before DATA (RFC 9260 §6.10), and what must be alone or first is (RFC 9260 §3, §5.1).
size_t WritePacket(Context& context, std::span<uint8_t> out);

}  // namespace jsp::sctp
