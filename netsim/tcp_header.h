#pragma once
#include <cstdint>
namespace jsp::netsim {

// What a TCP segment says (RFC 9293 §3.1), as a value instead of octets: the world carries it beside the payload, as it
// carries addresses. Sequence numbers have 64 bits here and begin with 0, so that nothing wraps; the window needs no
// scaling (RFC 7323). The checksum covers the payload, which links may corrupt.
struct TcpHeader {
  uint64_t sequence = 0;
  uint64_t acknowledgment = 0;  // counts when `ack`
  uint32_t window = 0;
  uint32_t checksum = 0;
  bool syn = false;
  bool ack = false;
  bool fin = false;
  bool rst = false;
  bool operator==(const TcpHeader&) const = default;
};

}  // namespace jsp::netsim
