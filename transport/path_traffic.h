#pragma once
#include <cstdint>
#include <optional>

#include "turn/types.h"
namespace jsp::transport {

// Datagrams between the two peers (checks, DTLS and what is inside), without what a relay adds.
struct PathTraffic {
  uint64_t datagrams_sent = 0;
  uint64_t datagrams_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
};

// The same by the way that this side sends and receives them. A direct path of ours may still end at a relay of the
// other side's.
struct PathsTraffic {
  PathTraffic direct;  // by UDP
  PathTraffic tcp;     // likewise direct (RFC 6544)
  PathTraffic relay_udp;
  PathTraffic relay_tcp;
  PathTraffic relay_tls;

  PathTraffic& Of(const std::optional<turn::ControlTransport>& relay) {
    if (!relay) return direct;
    switch (*relay) {
      case turn::ControlTransport::kUdp:
        return relay_udp;
      case turn::ControlTransport::kTcp:
        return relay_tcp;
      case turn::ControlTransport::kTls:
        return relay_tls;
    }
    return direct;
  }
};

}  // namespace jsp::transport
