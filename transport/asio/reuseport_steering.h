#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/socket_address.h"
namespace jsp::transport::io {

// Sockets that share a port (SO_REUSEPORT), one for each of several loops: which of them gets a datagram is a function
// of its source's address and port, so that all of a source go to one loop, and everybody can tell beforehand to which.

// What the kernel computes of a source's address and port, and we too. Different seeds give different ones, so that
// nobody outside knows whose datagrams fall together.
uint32_t SteeringHash(uint32_t seed, const SocketAddress& source);

// Has the kernel choose among all sockets that share the port of `descriptor`: the one at indices[SteeringHash(source)
// % indices.size()], counted in the order in which they were bound; when one is closed, the last takes its place. For
// addresses of that family; with IPv6 extension headers the port is not found, and the choice is another, but always
// the same. False: the system has no such thing (SO_ATTACH_REUSEPORT_CBPF is Linux's), and its own hash decides.
bool AttachSteering(int descriptor, IpAddress::Family family, uint32_t seed, std::span<const uint16_t> indices);

}  // namespace jsp::transport::io
