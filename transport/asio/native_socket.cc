#include "transport/asio/native_socket.h"

#if defined(__linux__)
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
namespace jsp::transport::io {

SocketAddress FromNative(const NativeAddress& native) {
  if (native.base.sa_family == AF_INET) {
    return {IpAddress::V4(ntohl(native.v4.sin_addr.s_addr)), ntohs(native.v4.sin_port)};
  }
  const sockaddr_in6& v6 = native.v6;
  return {IpAddress::V6(std::span<const uint8_t, 16>(v6.sin6_addr.s6_addr, 16), v6.sin6_scope_id), ntohs(v6.sin6_port)};
}

socklen_t ToNative(const SocketAddress& address, NativeAddress& native) {
  if (address.ip.is_v4()) {
    native.v4 = {};
    native.v4.sin_family = AF_INET;
    native.v4.sin_port = htons(address.port);
    native.v4.sin_addr.s_addr = htonl(address.ip.v4_host_order());
    return sizeof(native.v4);
  }
  native.v6 = {};
  native.v6.sin6_family = AF_INET6;
  native.v6.sin6_port = htons(address.port);
  native.v6.sin6_scope_id = address.ip.scope_id();
  std::ranges::copy(address.ip.octets(), native.v6.sin6_addr.s6_addr);
  return sizeof(native.v6);
}

bool IsBusy(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

bool MayBeOfEarlierDatagram(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EMSGSIZE ||
         error == EHOSTDOWN || error == EPROTO || error == EOPNOTSUPP;
}

bool SetOption(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof(value)) == 0;
}

uint32_t DroppedOnArrival(int descriptor) {
  std::array<uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof(memory);
  const bool is_told = ::getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) == 0;
  return is_told ? memory[SK_MEMINFO_DROPS] : 0;
}

size_t GroSegmentSize(msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
    int segment = 0;
    std::memcpy(&segment, CMSG_DATA(c), sizeof(segment));
    if (segment > 0) return static_cast<size_t>(segment);
  }
  return 0;
}

void SetGsoSegmentSize(msghdr& header, uint16_t size) {
  header.msg_controllen = CMSG_SPACE(sizeof(size));
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  std::memset(control, 0, CMSG_SPACE(sizeof(size)));  // the padding, too: the kernel is given all of it
  control->cmsg_level = SOL_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(size));
  std::memcpy(CMSG_DATA(control), &size, sizeof(size));
}

// RFC 3168 §5, figure 1: the two lowest bits of TOS or traffic class. IPv4 tells one octet, IPv6 an int.
EcnMark EcnOf(msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) return static_cast<EcnMark>(*CMSG_DATA(c) & 3);
    if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_TCLASS) continue;
    int traffic_class = 0;
    std::memcpy(&traffic_class, CMSG_DATA(c), sizeof(traffic_class));
    return static_cast<EcnMark>(traffic_class & 3);
  }
  return EcnMark::kNotEct;
}

void AddEcn(msghdr& header, const SocketAddress& remote, EcnMark ecn) {
  if (ecn == EcnMark::kNotEct) return;
  const int field = static_cast<int>(ecn);
  auto* control = reinterpret_cast<cmsghdr*>(static_cast<char*>(header.msg_control) + header.msg_controllen);
  std::memset(control, 0, CMSG_SPACE(sizeof(field)));
  control->cmsg_level = remote.ip.is_v4() ? IPPROTO_IP : IPPROTO_IPV6;
  control->cmsg_type = remote.ip.is_v4() ? IP_TOS : IPV6_TCLASS;
  control->cmsg_len = CMSG_LEN(sizeof(field));
  std::memcpy(CMSG_DATA(control), &field, sizeof(field));
  header.msg_controllen += CMSG_SPACE(sizeof(field));
}

std::optional<sock_extended_err> FindExtendedError(msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    const bool is_v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
    const bool is_v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
    if (!is_v4 && !is_v6) continue;
    sock_extended_err error;
    std::memcpy(&error, CMSG_DATA(c), sizeof(error));
    return error;
  }
  return std::nullopt;
}

}  // namespace jsp::transport::io
#endif
