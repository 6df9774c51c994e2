#include "transport/asio/turn_listen.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/v6_only.hpp>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/interface_list.h"
#include "transport/asio/native_socket.h"
namespace jsp::transport::io {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

// One address after the other, each a socket of its own.
std::vector<SocketAddress> Expand(const SocketAddress& address) {
  if (!address.ip.IsUnspecified()) return {address};
  std::vector<SocketAddress> all;
  for (const InterfaceAddress& own : ListInterfaces()) {
    const bool usable = own.is_up && own.ip.family() == address.ip.family() && !own.ip.IsLinkLocal();
    const SocketAddress each{own.ip, address.port};
    if (usable && std::ranges::find(all, each) == all.end()) all.push_back(each);
  }
  return all;
}

const char* NameOf(turn::ControlTransport transport) {
  switch (transport) {
    case turn::ControlTransport::kUdp:
      return "UDP";
    case turn::ControlTransport::kTcp:
      return "TCP";
    case turn::ControlTransport::kTls:
      return "TLS";
  }
  return "";
}

class Binder {
 public:
  Binder(const boost::asio::any_io_executor& executor, const TurnServerOptions& options)
      : executor_(executor), options_(options) {}

  std::optional<std::string> Bind(turn::ControlTransport transport, const SocketAddress& address) {
    const error_code error = turn::IsStream(transport) ? BindStream(transport, address) : BindUdp(address);
    if (!error) return std::nullopt;
    return std::string("cannot listen on ") + NameOf(transport) + " " + address.ToString() + ": " + error.message();
  }
  // RFC 5780 §6: the alternate port of the primary address, and both ports of the alternate one. The port that follows,
  // as 3479 does 3478; a picked port has a picked other one, and is given up when they are not free on both addresses.
  std::optional<std::string> BindBehavior(const SocketAddress& wish, const IpAddress& alternate) {
    constexpr int kTries = 16;
    error_code error;
    SocketAddress failed;
    for (int i = 0; i < (wish.port == 0 ? kTries : 1); ++i) {
      const size_t before = bound_.all.size();
      failed = wish;
      if (error = BindUdp(wish); error) break;
      const SocketAddress primary = bound_.all.back().listen.address;
      const uint16_t wanted = wish.port == 0 ? uint16_t{0} : static_cast<uint16_t>(wish.port + 1);
      failed = {wish.ip, wanted};
      error = BindUdp(failed);
      if (!error) {
        const uint16_t other = bound_.all.back().listen.address.port;
        for (const uint16_t port : {primary.port, other}) {
          failed = {alternate, port};
          if (!error) error = BindUdp(failed);
        }
        if (!error) {
          bound_.behavior.push_back({primary, {alternate, other}});
          return std::nullopt;
        }
      }
      bound_.all.resize(before);
    }
    return "cannot listen on UDP " + failed.ToString() + " for RFC 5780: " + error.message();
  }
  BoundListeners Take() { return std::move(bound_); }

 private:
  error_code BindUdp(const SocketAddress& address) {
    auto opened =
        TrainSocket::Open(address, {.buffer_bytes = options_.socket_buffer,
                                    .segmentation = options_.segmentation ? Segmentation::kKernel : Segmentation::kNone,
                                    .port_use = options_.workers ? PortUse::kShared : PortUse::kExclusive});
    if (!opened) return opened.error();
    BoundListener& listener = bound_.all.emplace_back();
    listener.listen = {turn::ControlTransport::kUdp, (*opened)->local()};
    listener.udp = std::move(*opened);
    return {};
  }
  error_code BindStream(turn::ControlTransport transport, const SocketAddress& address) {
    error_code error;
    ip::tcp::acceptor acceptor(executor_);
    acceptor.open(address.ip.is_v4() ? ip::tcp::v4() : ip::tcp::v6(), error);
    if (!error && address.ip.is_v6()) acceptor.set_option(ip::v6_only(true), error);
    if (!error) acceptor.set_option(ip::tcp::acceptor::reuse_address(true), error);
    if (!error && options_.workers) (void)SetOption(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error) acceptor.bind({ToAsioAddress(address.ip), address.port}, error);
    if (!error) acceptor.listen(ip::tcp::acceptor::max_listen_connections, error);
    if (!error) acceptor.non_blocking(true, error);
    ip::tcp::endpoint local;
    if (!error) local = acceptor.local_endpoint(error);
    if (error) return error;
    BoundListener& listener = bound_.all.emplace_back();
    listener.listen = {transport, {FromAsioAddress(local.address()), local.port()}};
    listener.stream.emplace(std::move(acceptor));
    return {};
  }

  boost::asio::any_io_executor executor_;
  const TurnServerOptions& options_;
  BoundListeners bound_;
};

}  // namespace

Expected<BoundListeners, std::string> BindListeners(const boost::asio::any_io_executor& executor,
                                                    const TurnServerOptions& options) {
  using Error = Unexpected<std::string>;
  Binder binder(executor, options);
  const auto& alternate = options.alternate_address;
  bool has_behavior = false;
  for (const TurnListen& listen : options.listen) {
    const auto addresses = Expand(listen.address);
    if (addresses.empty()) return Error("no interface has an address for " + listen.address.ToString());
    for (const SocketAddress& address : addresses) {
      const bool behaves = listen.transport == turn::ControlTransport::kUdp && alternate &&
                           alternate->family() == address.ip.family() && *alternate != address.ip &&
                           !listen.address.ip.IsUnspecified();
      const auto error = behaves ? binder.BindBehavior(address, *alternate) : binder.Bind(listen.transport, address);
      if (error) return Error(*error);
      has_behavior = has_behavior || behaves;
    }
  }
  if (alternate && !has_behavior) {
    return Error("the alternate address needs a UDP listener on another address of its family");
  }
  return binder.Take();
}

}  // namespace jsp::transport::io
