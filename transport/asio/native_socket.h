#pragma once
// Linux's socket calls in our terms; empty elsewhere.
#if defined(__linux__)
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ecn_mark.h"
#include "base/socket_address.h"

struct sock_extended_err;  // of <linux/errqueue.h>, for who reads it
namespace jsp::transport::io {

// An address of either family, as the kernel takes it.
union NativeAddress {
  sockaddr base;
  sockaddr_in v4;
  sockaddr_in6 v6;
};
SocketAddress FromNative(const NativeAddress& native);
socklen_t ToNative(const SocketAddress& address, NativeAddress& native);

// The kernel has no room now.
bool IsBusy(int error);
// An earlier datagram's, which the kernel gives back by whatever call comes next (IP_RECVERR).
bool MayBeOfEarlierDatagram(int error);

bool SetOption(int descriptor, int level, int option, int value);
// Datagrams that came to the socket and found no room (SO_MEMINFO).
uint32_t DroppedOnArrival(int descriptor);
// The size of a train's datagrams (UDP_GRO); 0 when it is a single one.
size_t GroSegmentSize(msghdr& header);
// Room for it, and for UDP_SEGMENT.
constexpr size_t kSegmentControlSize = CMSG_SPACE(sizeof(int));
// A segmented send (UDP_SEGMENT). `header`'s control buffer has kSegmentControlSize octets.
void SetGsoSegmentSize(msghdr& header, uint16_t size);
// The ECN field of what was received (RFC 3168 §5), once IP_RECVTOS or IPV6_RECVTCLASS is set.
EcnMark EcnOf(msghdr& header);
// Room for it.
constexpr size_t kEcnControlSize = CMSG_SPACE(sizeof(int));
// What is sent to `remote` carries it. `header`'s control buffer has kEcnControlSize octets behind what it holds.
void AddEcn(msghdr& header, const SocketAddress& remote, EcnMark ecn);
// What the error queue says of a datagram (IP_RECVERR).
std::optional<sock_extended_err> FindExtendedError(msghdr& header);

}  // namespace jsp::transport::io
#endif
