#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ecn_mark.h"
#include "base/ip_fragmentation.h"
#include "sctp/association/context.h"
namespace jsp::sctp {

struct WrittenPacket {
  size_t size = 0;  // 0: nothing to send
  IpFragmentation fragmentation = IpFragmentation::kForbidden;
  EcnMark ecn = EcnMark::kNotEct;
};

// Composes the next packet of the association into `out`: at most PathMtu::size() octets, but for a probe of the path
// MTU and for a chunk that was cut before the MTU shrank, which goes alone and may be fragmented (RFC 9260 §6.9).
// Control chunks go before DATA (RFC 9260 §6.10), and what must be alone or first is (RFC 9260 §3, §5.1).
WrittenPacket WritePacket(Context& context, std::span<uint8_t> out);

}  // namespace jsp::sctp
