#include "transport/asio/train_socket.h"

#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "transport/asio/native_socket.h"

namespace jsp::transport::io {

using boost::system::error_code;

namespace {

Unexpected<error_code> LastError() {
  return Unexpected<error_code>(error_code(errno, boost::system::system_category()));
}

}  // namespace

// As few calls as do it: an allocation costs its client hardly more than they cost the server.
Expected<std::unique_ptr<TrainSocket>, error_code> TrainSocket::Open(const SocketAddress& bind_to,
                                                                     const TrainSocketOptions& options, OpenFor use) {
  const int family = bind_to.ip.is_v4() ? AF_INET : AF_INET6;
  const int descriptor = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (descriptor < 0) return LastError();
  std::unique_ptr<TrainSocket> opened(new TrainSocket(descriptor, bind_to));
  if (bind_to.ip.is_v6()) (void)SetOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.port_use == PortUse::kShared) (void)SetOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  NativeAddress address;
  if (::bind(descriptor, &address.base, ToNative(bind_to, address)) != 0) return LastError();
  if (bind_to.port == 0) {
    socklen_t size = sizeof(address);
    if (::getsockname(descriptor, &address.base, &size) != 0) return LastError();
    opened->local_ = FromNative(address);
  }
  if (use == OpenFor::kUse) {
    opened->Configure(options);
  } else {
    // The system's least: what comes is not read, and must not fill its memory (ATTACKS T6).
    (void)SetOption(descriptor, SOL_SOCKET, SO_RCVBUF, 0);
  }
  return opened;
}

void TrainSocket::Use(const TrainSocketOptions& options) {
  constexpr int kMaxForgotten = 16;  // more than the system's least holds
  std::array<uint8_t, 1> octet;
  for (int i = 0; i < kMaxForgotten; ++i) {
    if (::recv(descriptor_, octet.data(), octet.size(), MSG_DONTWAIT) < 0 && !MayBeOfEarlierDatagram(errno)) break;
  }
  Configure(options);
}

TrainSocket::~TrainSocket() { ::close(descriptor_); }

void TrainSocket::Configure(const TrainSocketOptions& options) {
  for (const auto& [forced, asked] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (!SetOption(descriptor_, SOL_SOCKET, forced, options.buffer_bytes)) {
      (void)SetOption(descriptor_, SOL_SOCKET, asked, options.buffer_bytes);
    }
  }
  // A kernel that knows the one knows the other, which is older.
  const bool segments = options.segmentation == Segmentation::kKernel && SetOption(descriptor_, SOL_UDP, UDP_GRO, 1);
  if (segments) segmentation_ = Segmentation::kKernel;
  AllowFragments();
  if (options.errors == ErrorQueue::kRead) {
    const bool is_v4 = local_.ip.is_v4();
    (void)SetOption(descriptor_, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  }
}

void TrainSocket::ForbidFragments() {
  const bool is_v4 = local_.ip.is_v4();
  (void)SetOption(descriptor_, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
                  is_v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE);
}

void TrainSocket::AllowFragments() {
  const bool is_v4 = local_.ip.is_v4();
  (void)SetOption(descriptor_, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
                  is_v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT);
}

std::optional<TrainSocket::NetworkError> TrainSocket::ReceiveError() {
  while (true) {
    NativeAddress address;
    alignas(cmsghdr) std::array<char, 512> control;
    msghdr header{};
    header.msg_name = &address;
    header.msg_namelen = sizeof(address);
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    if (::recvmsg(descriptor_, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return std::nullopt;
    const auto extended = FindExtendedError(header);
    if (!extended || header.msg_namelen == 0) continue;
    if (extended->ee_origin != SO_EE_ORIGIN_ICMP && extended->ee_origin != SO_EE_ORIGIN_ICMP6) continue;
    return NetworkError{FromNative(address), {extended->ee_type, extended->ee_code, extended->ee_info}};
  }
}

}  // namespace jsp::transport::io
