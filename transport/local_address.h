#pragma once
#include <cstdint>

#include "base/socket_address.h"
namespace jsp::transport {

// A local socket that a peer may use: its bound address, and the interface that it belongs to.
struct LocalAddress {
  SocketAddress address;
  uint16_t network_id = 0;    // opaque; equal for addresses of one interface
  uint16_t network_cost = 0;  // 0 = cheapest
};

}  // namespace jsp::transport
