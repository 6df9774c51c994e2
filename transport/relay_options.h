#pragma once
#include <cstdint>
#include <string>

#include "base/socket_address.h"
#include "base/strong_types.h"
#include "turn/types.h"
namespace jsp::transport {

// One TURN server, over one transport. The name is resolved already; it is kept for the certificate of TLS.
struct RelayServer {
  SocketAddress address{};
  turn::ControlTransport transport = turn::ControlTransport::kUdp;
  std::string host{};
  std::string username{};  // prepared (stun/opaque_string.h), like the password
  std::string password{};
};

// Names one connection between a peer and a TURN server: a UDP socket of its own, as the server knows an allocation by
// the client's address, or a TCP or TLS connection.
using RelayId = StrongId<struct RelayIdTag, uint32_t>;

}  // namespace jsp::transport
