#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "base/strong_types.h"
#include "dtls/stream_context.h"
#include "turn/types.h"
namespace jsp::transport {

// One TURN server, over one transport. The name is resolved already; the certificate of TLS must have it.
struct RelayServer {
  SocketAddress address{};
  std::vector<SocketAddress> alternatives{};  // more of the same server's, in the order to try them (RFC 8305 §4)
  turn::ControlTransport transport = turn::ControlTransport::kUdp;
  std::string host{};
  std::string username{};  // prepared (stun/opaque_string.h), like the password
  std::string password{};
  std::shared_ptr<const dtls::StreamContext> tls{};  // whom a TLS connection trusts; required for one
  bool operator==(const RelayServer&) const = default;
};

// Names one connection between a peer and a TURN server: a UDP socket of its own, as the server knows an allocation by
// the client's address, or a TCP or TLS connection.
using RelayId = StrongId<struct RelayIdTag, uint32_t>;

}  // namespace jsp::transport
