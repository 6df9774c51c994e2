#include "transport/asio/train_socket.h"

#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <cstring>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/native_socket.h"

namespace jsp::transport::io {

using boost::system::error_code;
namespace ip = boost::asio::ip;

Expected<std::unique_ptr<TrainSocket>, error_code> TrainSocket::Open(boost::asio::any_io_executor executor,
                                                                     const SocketAddress& bind_to,
                                                                     const TrainSocketOptions& options) {
  error_code error;
  ip::udp::socket socket(std::move(executor));
  socket.open(bind_to.ip.is_v4() ? ip::udp::v4() : ip::udp::v6(), error);
  if (!error && bind_to.ip.is_v6()) socket.set_option(ip::v6_only(true), error);
  if (!error && options.port_use == PortUse::kShared) {
    (void)SetOption(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (!error) socket.bind(ToEndpoint(bind_to), error);
  if (!error) socket.non_blocking(true, error);
  SocketAddress local;
  if (!error) local = FromEndpoint(socket.local_endpoint(error));
  // Out of Asio's hands: a ReadySet waits for many sockets at the cost of one.
  const int descriptor = error ? -1 : socket.release(error);
  if (error) return Unexpected<error_code>(error);
  std::unique_ptr<TrainSocket> opened(new TrainSocket(descriptor, local));
  opened->Configure(options);
  return opened;
}

TrainSocket::~TrainSocket() { ::close(descriptor_); }

void TrainSocket::Configure(const TrainSocketOptions& options) {
  for (const int option : {SO_RCVBUF, SO_SNDBUF, SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
    (void)SetOption(descriptor_, SOL_SOCKET, option, options.buffer_bytes);
  }
  if (options.segmentation == Segmentation::kKernel) {
    (void)SetOption(descriptor_, SOL_UDP, UDP_GRO, 1);
    // 0: none but what a send asks for. Refused by a kernel that does not know it.
    if (SetOption(descriptor_, SOL_UDP, UDP_SEGMENT, 0)) segmentation_ = Segmentation::kKernel;
  }
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
