#include "transport/asio/udp_socket.h"

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/native_socket.h"
#if defined(__linux__)
#include <linux/errqueue.h>
#include <netinet/udp.h>
#endif

namespace jsp::transport::io {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

constexpr size_t kMaxSegments = 64;      // UDP_MAX_SEGMENTS of the kernel
constexpr size_t kMaxMessages = 64;      // of one sendmmsg
constexpr size_t kMaxRunOctets = 65000;  // a segmented send is one IP packet to the kernel
constexpr size_t kMaxNoGso = 256;        // destinations remembered; past it segmentation is off for good

bool LetOthersBind([[maybe_unused]] UdpSocket::Native& socket) {
#if defined(SO_REUSEPORT)
  const int on = 1;
  return ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
#else
  return false;
#endif
}

}  // namespace

Expected<std::unique_ptr<UdpSocket>, error_code> UdpSocket::Open(boost::asio::any_io_executor executor,
                                                                 const SocketAddress& bind_to,
                                                                 const UdpSocketOptions& options) {
  error_code error;
  Native socket(std::move(executor));
  socket.open(bind_to.ip.is_v4() ? ip::udp::v4() : ip::udp::v6(), error);
  if (!error && bind_to.ip.is_v6()) socket.set_option(ip::v6_only(true), error);
  const bool is_shared = !error && options.port_use == PortUse::kShared;
  if (is_shared && !LetOthersBind(socket)) error = boost::asio::error::no_protocol_option;
  if (!error) socket.bind(ToEndpoint(bind_to), error);
  if (!error) socket.non_blocking(true, error);
  if (error) return Unexpected<error_code>(error);
  std::unique_ptr<UdpSocket> opened(new UdpSocket(std::move(socket), options));
  opened->local_ = FromEndpoint(opened->socket_.local_endpoint(error));
  if (error) return Unexpected<error_code>(error);
  return opened;
}

bool UdpSocket::SharePort() { return LetOthersBind(socket_); }

UdpSocketStats UdpSocket::stats() {
#if defined(__linux__)
  if (socket_.is_open()) stats_.receive_dropped = DroppedOnArrival(socket_.native_handle());
#endif
  return stats_;
}

UdpSocket::UdpSocket(Native socket, const UdpSocketOptions& options)
    : socket_(std::move(socket)),
      options_(options),
      buffers_(&LoopBuffers::Of(socket_.get_executor())),
      starvation_(socket_.get_executor()) {
  Configure();
}

void UdpSocket::Configure() {
  error_code ignored;
  socket_.set_option(Native::receive_buffer_size(options_.buffer_bytes), ignored);
  socket_.set_option(Native::send_buffer_size(options_.buffer_bytes), ignored);
#if defined(__linux__)
  // Beyond net.core.rmem_max where the process may (CAP_NET_ADMIN); refused silently elsewhere.
  (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVBUFFORCE, &options_.buffer_bytes,
                     sizeof(options_.buffer_bytes));
  (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDBUFFORCE, &options_.buffer_bytes,
                     sizeof(options_.buffer_bytes));
  const int on = 1;
  if (options_.use_gro) (void)::setsockopt(socket_.native_handle(), SOL_UDP, UDP_GRO, &on, sizeof(on));
#endif
  ConfigureFragmentation();
  ConfigureEcn();
  Native::receive_buffer_size receive_size;
  Native::send_buffer_size send_size;
  if (!socket_.get_option(receive_size, ignored)) stats_.receive_buffer = receive_size.value();
  if (!socket_.get_option(send_size, ignored)) stats_.send_buffer = send_size.value();
}

void UdpSocket::Send(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams) {
  if (has_backlog()) return Keep(buffer, datagrams);  // order is kept
  const size_t sent = SendSome(buffer, datagrams);
  if (sent < datagrams.size()) Keep(buffer, datagrams.subspan(sent));
}

void UdpSocket::Keep(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams) {
  for (const auto& datagram : datagrams) {
    if (backlog_.size() >= options_.max_backlog_datagrams) {
      ++stats_.backlog_dropped;
      continue;
    }
    const auto bytes = buffer.subspan(datagram.offset, datagram.size);
    backlog_.push_back({datagram.remote, {bytes.begin(), bytes.end()}, datagram.fragmentation, datagram.ecn});
  }
}

// Linux says ENOBUFS for a packet that the interface's queue drops, though the socket stays writable.
void UdpSocket::NoteFull(bool is_starved) {
  starvation_.is_starved = is_starved;
  stats_.no_buffer_space += is_starved ? 1 : 0;
}

void UdpSocket::NoteSent(size_t datagrams) {
  stats_.datagrams_sent += datagrams;
  starvation_.is_starved = false;
  starvation_.pause = {};
}

void UdpSocket::Close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  starvation_.timer.cancel();
  backlog_.clear();
}

void UdpSocket::Flush() {
  while (!backlog_.empty()) {
    const Waiting& first = backlog_.front();
    const OutgoingDatagram one{first.remote, 0, static_cast<uint32_t>(first.bytes.size()), first.fragmentation,
                               first.ecn};
    if (SendSome(first.bytes, std::span(&one, 1)) == 0) return;
    backlog_.pop_front();
  }
}

// Datagrams from the first on that may leave as one segmented send: one address, equal sizes, the last may be shorter,
// none that IP may cut, and one ECN field.
size_t UdpSocket::RunLength(std::span<const OutgoingDatagram> datagrams) const {
  const OutgoingDatagram& first = datagrams.front();
  if (!options_.use_gso || no_gso_.size() >= kMaxNoGso || first.size == 0 || no_gso_.contains(first.remote)) return 1;
  if (first.fragmentation == IpFragmentation::kAllowed) return 1;
  const size_t limit = std::min({datagrams.size(), kMaxSegments, kMaxRunOctets / first.size});
  size_t length = 1;
  while (length < limit) {
    const OutgoingDatagram& next = datagrams[length];
    const bool adjacent = next.offset == datagrams[length - 1].offset + datagrams[length - 1].size;
    if (next.fragmentation != first.fragmentation || next.ecn != first.ecn) break;
    if (next.remote != first.remote || next.size > first.size || next.size == 0 || !adjacent) break;
    ++length;
    if (next.size < first.size) break;
  }
  return length;
}

size_t UdpSocket::SendSome(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams) {
  size_t done = 0;
  while (done < datagrams.size()) {
    const auto rest = datagrams.subspan(done);
    const size_t sent = rest.front().fragmentation == IpFragmentation::kAllowed ? SendFragmentable(buffer, rest.front())
                                                                                : SendRuns(buffer, rest, kMaxSegments);
    if (sent == 0) return done;
    done += sent;
  }
  return done;
}

size_t UdpSocket::SendOneByOne(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> run) {
  size_t done = 0;
  while (done < run.size()) {
    const size_t sent = SendRuns(buffer, run.subspan(done), 1);
    if (sent == 0) break;
    done += sent;
  }
  return done;
}

#if defined(__linux__)

namespace {

// recvmmsg and sendmmsg work on these; built on the stack for each call.
struct MessageSlot {
  NativeAddress address;
  iovec vector;
  // Segmentation, and the ECN field.
  alignas(cmsghdr) std::array<char, kSegmentControlSize + kEcnControlSize> control;
};

// A run that leaves as one message.
void FillMessage(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> run, MessageSlot& slot,
                 mmsghdr& message) {
  const OutgoingDatagram& first = run.front();
  const size_t octets = run.back().offset + run.back().size - first.offset;
  slot.vector = {const_cast<uint8_t*>(buffer.data() + first.offset), octets};
  message = {};
  msghdr& header = message.msg_hdr;
  header.msg_namelen = ToNative(first.remote, slot.address);
  header.msg_name = &slot.address;
  header.msg_iov = &slot.vector;
  header.msg_iovlen = 1;
  header.msg_control = slot.control.data();
  if (run.size() > 1) SetGsoSegmentSize(header, static_cast<uint16_t>(first.size));
  AddEcn(header, first.remote, first.ecn);
}

}  // namespace

// RFC 8899 §4.5: the kernel's path MTU is suspended; probes leave with DF. What the network says about them comes by
// the error queue.
void UdpSocket::ConfigureFragmentation() {
  const int descriptor = socket_.native_handle();
  error_code ignored;
  if (socket_.local_endpoint(ignored).address().is_v4()) {
    controls_fragmentation_ = SetOption(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    (void)SetOption(descriptor, IPPROTO_IP, IP_RECVERR, 1);
  } else {
    controls_fragmentation_ = SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    (void)SetOption(descriptor, IPPROTO_IPV6, IPV6_RECVERR, 1);
  }
}

void UdpSocket::ConfigureEcn() {
  const int descriptor = socket_.native_handle();
  error_code ignored;
  carries_ecn_ = socket_.local_endpoint(ignored).address().is_v4()
                     ? SetOption(descriptor, IPPROTO_IP, IP_RECVTOS, 1)
                     : SetOption(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
}

// Rare: handshakes, and chunks that were cut before the path MTU shrank (RFC 9260 §6.9). Linux has no such flag for one
// datagram, so the socket's is turned.
size_t UdpSocket::SendFragmentable(std::span<const uint8_t> buffer, const OutgoingDatagram& datagram) {
  const int descriptor = socket_.native_handle();
  ++stats_.fragmentable;
  if (datagram.remote.ip.is_v4()) {
    (void)SetOption(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    const size_t sent = SendOneByOne(buffer, std::span(&datagram, 1));
    (void)SetOption(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    return sent;
  }
  // RFC 8200 §5: routers do not fragment; the source does, to what every link carries.
  constexpr int kIpv6MinMtu = 1280;
  (void)SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  (void)SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU, kIpv6MinMtu);
  const size_t sent = SendOneByOne(buffer, std::span(&datagram, 1));
  (void)SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU, 0);
  (void)SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  return sent;
}

std::optional<NetworkError> UdpSocket::ReceiveError() {
  constexpr size_t kMaxQuoted = 512;
  quoted_.resize(kMaxQuoted);
  while (true) {
    NativeAddress address;
    iovec vector{quoted_.data(), quoted_.size()};
    alignas(cmsghdr) std::array<char, 512> control;
    msghdr header{};
    header.msg_name = &address;
    header.msg_namelen = sizeof(address);
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket_.native_handle(), &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0) return std::nullopt;
    const auto extended = FindExtendedError(header);
    if (!extended || header.msg_namelen == 0) continue;
    NetworkError error;
    error.remote = FromNative(address);
    error.datagram = std::span<const uint8_t>(quoted_).first(static_cast<size_t>(size));
    if (extended->ee_errno == EMSGSIZE) {
      error.kind = NetworkError::Kind::kTooBig;
      error.mtu = extended->ee_info;
      const bool is_local = extended->ee_origin == SO_EE_ORIGIN_LOCAL;
      if (is_local && error.remote.ip == refused_as_too_large_.ip) error.remote = refused_as_too_large_;
    }
    return error;
  }
}

size_t UdpSocket::ReceiveBatch(uint8_t* slab) {
  std::array<MessageSlot, kMessages> slots;
  std::array<mmsghdr, kMessages> headers{};
  for (size_t i = 0; i < kMessages; ++i) {
    slots[i].vector = {slab + i * kMessageSize, kMessageSize};
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &slots[i].address;
    header.msg_namelen = sizeof(slots[i].address);
    header.msg_iov = &slots[i].vector;
    header.msg_iovlen = 1;
    header.msg_control = slots[i].control.data();
    header.msg_controllen = slots[i].control.size();
  }
  int count = ::recvmmsg(socket_.native_handle(), headers.data(), kMessages, MSG_DONTWAIT, nullptr);
  ++stats_.receive_calls;
  if (count < 0 && MayBeOfEarlierDatagram(errno)) {
    // It tells of an earlier send (ATTACKS X1), as the error queue does: the socket goes on.
    ++stats_.receive_errors;
    count = ::recvmmsg(socket_.native_handle(), headers.data(), kMessages, MSG_DONTWAIT, nullptr);
    ++stats_.receive_calls;
  }
  if (count < 0) {
    if (!IsBusy(errno)) ++stats_.receive_errors;
    return 0;
  }
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const size_t size = headers[i].msg_len;
    const size_t segment = GroSegmentSize(headers[i].msg_hdr);
    received_[i] = {FromNative(slots[i].address),
                    {slab + i * kMessageSize, size},
                    segment > 0 ? segment : std::max<size_t>(size, 1),
                    EcnOf(headers[i].msg_hdr)};
  }
  return static_cast<size_t>(count);
}

size_t UdpSocket::SendRuns(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams,
                           size_t max_run) {
  std::array<MessageSlot, kMaxMessages> slots;  // neither is initialised: only what is used is written
  std::array<mmsghdr, kMaxMessages> headers;
  std::array<std::span<const OutgoingDatagram>, kMaxMessages> runs;
  size_t count = 0;
  for (size_t at = 0; at < datagrams.size() && count < kMaxMessages; ++count) {
    const auto rest = datagrams.subspan(at);
    if (at > 0 && rest.front().fragmentation == IpFragmentation::kAllowed) break;
    const auto run = rest.first(std::min(RunLength(rest), max_run));
    FillMessage(buffer, run, slots[count], headers[count]);
    runs[count] = run;
    at += run.size();
  }
  size_t consumed = 0;
  bool is_retry = false;
  for (size_t done = 0; done < count;) {
    const int sent =
        ::sendmmsg(socket_.native_handle(), &headers[done], static_cast<unsigned>(count - done), MSG_DONTWAIT);
    ++stats_.send_calls;
    if (sent > 0) {
      const size_t before = consumed;
      for (const auto& run : std::span(runs).subspan(done, static_cast<size_t>(sent))) consumed += run.size();
      NoteSent(consumed - before);
      done += static_cast<size_t>(sent);
      is_retry = false;
      continue;
    }
    const int error = errno;
    has_error_ = true;
    if (IsBusy(error)) {
      NoteFull(error == ENOBUFS);
      break;
    }
    if (!std::exchange(is_retry, true) && MayBeOfEarlierDatagram(error)) continue;
    // What follows is put together anew: it may be for the destination that cannot take runs.
    return consumed + HandleRefused(error, buffer, runs[done]);
  }
  return consumed;
}

size_t UdpSocket::HandleRefused(int error, std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> run) {
  if (run.size() == 1) {
    if (error == EMSGSIZE) {
      ++stats_.too_large;
      refused_as_too_large_ = run.front().remote;
    }
    ++stats_.send_errors;  // of this one datagram; the next may go elsewhere
    return 1;
  }
  if (error != EIO && error != EINVAL && error != EMSGSIZE) {
    stats_.send_errors += run.size();
    return run.size();
  }
  // Either the path cannot segment, or its segments are too large for the interface: the datagrams one by one tell.
  const uint64_t too_large = stats_.too_large;
  const size_t done = SendOneByOne(buffer, run);
  if (stats_.too_large == too_large) {
    ++stats_.gso_refused;
    no_gso_.insert(run.front().remote);
  }
  return done;
}

#else  // plain calls, one datagram each

// Without control over DF there is no path MTU discovery: Driver::AddPeer switches it off (RFC 8261 §5).
void UdpSocket::ConfigureFragmentation() {}
void UdpSocket::ConfigureEcn() {}  // likewise
std::optional<NetworkError> UdpSocket::ReceiveError() { return std::nullopt; }
size_t UdpSocket::SendFragmentable(std::span<const uint8_t> buffer, const OutgoingDatagram& datagram) {
  return SendOneByOne(buffer, std::span(&datagram, 1));
}

size_t UdpSocket::ReceiveBatch(uint8_t* slab) {
  size_t count = 0;
  ++stats_.receive_calls;
  while (count < kMessages) {
    error_code error;
    ip::udp::endpoint from;
    uint8_t* data = slab + count * kMessageSize;
    const size_t size = socket_.receive_from(boost::asio::buffer(data, kMessageSize), from, 0, error);
    if (error == boost::asio::error::would_block) break;
    if (error) {
      ++stats_.receive_errors;
      break;
    }
    received_[count++] = {FromEndpoint(from), {data, size}, std::max<size_t>(size, 1)};
  }
  return count;
}

size_t UdpSocket::SendRuns(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams, size_t) {
  size_t done = 0;
  for (const auto& datagram : datagrams) {
    error_code error;
    ++stats_.send_calls;
    socket_.send_to(boost::asio::buffer(buffer.data() + datagram.offset, datagram.size), ToEndpoint(datagram.remote), 0,
                    error);
    const bool is_starved = error == boost::asio::error::no_buffer_space;
    if (is_starved || error == boost::asio::error::would_block) return NoteFull(is_starved), done;
    error ? static_cast<void>(++stats_.send_errors) : NoteSent(1);
    ++done;
  }
  return done;
}

#endif

}  // namespace jsp::transport::io
