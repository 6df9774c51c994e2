#include "transport/asio/mdns_driver.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <variant>

#include "base/overloaded.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/udp_socket.h"
#include "transport/mdns.h"

namespace jsp::transport::io {

using boost::system::error_code;

// RFC 6762 §17: no message is longer.
constexpr size_t kMaxPacket = 9000;

// RFC 6762 §5.1: one-shot queries from an ephemeral port of each interface; answers come to that port by unicast. But
// Chromium answers such queries to the group all the same, so the group is heard too, where the system allows it.
struct MdnsDriver::Impl : std::enable_shared_from_this<Impl> {
  struct Waiting {
    std::string name;
    Done done;
  };

  Impl(const boost::asio::any_io_executor& ex, Rng& rng)
      : executor(ex), resolver(MdnsOptions{}, rng), timer(ex), listener(ex) {}

  bool OpenSockets(const std::vector<LocalAddress>& interfaces) {
    for (const auto& interface : interfaces) {
      if (!interface.address.ip.is_v4()) continue;
      UdpSocketOptions options;
      options.buffer_bytes = 64 * 1024;
      options.use_gso = false;
      options.use_gro = false;
      auto opened = UdpSocket::Open(executor, {interface.address.ip, 0}, options);
      if (!opened) continue;
      error_code ignored;
      const auto address = ToAsioAddress(interface.address.ip).to_v4();
      (*opened)->socket().set_option(boost::asio::ip::multicast::outbound_interface(address), ignored);
      sockets.push_back(std::move(*opened));
    }
    return !sockets.empty();
  }
  // RFC 6762 §15.1: the port is shared with the responders of this host. Bound to the group, so that no unicast answer
  // to one of those comes here. Failing is harmless: the unicast answers remain.
  void OpenListener(const std::vector<LocalAddress>& interfaces) {
    error_code error;
    const auto group = ToAsioAddress(kMdnsGroup.ip).to_v4();
    listener.open(boost::asio::ip::udp::v4(), error);
    if (!error) listener.set_option(boost::asio::socket_base::reuse_address(true), error);
    if (!error) listener.bind({group, kMdnsPort}, error);
    if (error) return;
    for (const auto& interface : interfaces) {
      if (!interface.address.ip.is_v4()) continue;
      error_code ignored;
      const auto address = ToAsioAddress(interface.address.ip).to_v4();
      listener.set_option(boost::asio::ip::multicast::join_group(group, address), ignored);
    }
    Listen();
  }
  void Listen() {
    listener.async_receive_from(boost::asio::buffer(heard), speaker,
                                [weak = weak_from_this()](error_code error, size_t size) {
                                  const auto self = weak.lock();
                                  if (!self || error) return;
                                  const auto packet = std::span<const uint8_t>(self->heard).first(size);
                                  self->resolver.HandlePacket(Now(), FromEndpoint(self->speaker), packet);
                                  self->Pump();
                                  self->Listen();
                                });
  }
  void WaitReadable(size_t index) {
    sockets[index]->socket().async_wait(UdpSocket::Native::wait_read,
                                        [weak = weak_from_this(), index](error_code error) {
                                          const auto self = weak.lock();
                                          if (!self || error) return;
                                          self->HandleReadable(index);
                                        });
  }
  void HandleReadable(size_t index) {
    // One batch a turn: the link may be noisy, and other sockets matter more.
    sockets[index]->Receive([&](const SocketAddress& from, std::span<const uint8_t> packet) {
      resolver.HandlePacket(Now(), from, packet);
    });
    Pump();
    WaitReadable(index);
  }
  // The resolver's output, its events, its timer.
  void Pump() {
    std::array<uint8_t, 512> buffer;
    const Timestamp next = Drain(
        resolver, Now(), buffer,
        [&](const MdnsResolver::Transmit& transmit, std::span<const uint8_t> out) {
          const OutgoingDatagram query{kMdnsGroup, 0, static_cast<uint32_t>(transmit.size)};
          for (auto& socket : sockets) socket->Send(out, std::span(&query, 1));
        },
        [&](MdnsResolver::Event event) {
          std::visit(Overloaded{
                         [&](const event::MdnsResolved& e) { Finish(e.name, e.address); },
                         [&](const event::MdnsFailed& e) { Finish(e.name, std::nullopt); },
                     },
                     event);
        });
    if (next == Timestamp::Never()) return;
    timer.expires_at(ToTimePoint(next));
    timer.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->resolver.HandleTimeout(Now());
      self->Pump();
    });
  }
  // Several peers may wait for one name.
  void Finish(const std::string& name, std::optional<IpAddress> address) {
    for (size_t i = 0; i < waiting.size();) {
      if (waiting[i].name != name) {
        ++i;
        continue;
      }
      boost::asio::post(executor, [done = std::move(waiting[i].done), address] { done(address); });
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  boost::asio::any_io_executor executor;
  MdnsResolver resolver;
  boost::asio::steady_timer timer;
  std::vector<std::unique_ptr<UdpSocket>> sockets;
  std::vector<Waiting> waiting;
  boost::asio::ip::udp::socket listener;
  boost::asio::ip::udp::endpoint speaker;
  std::vector<uint8_t> heard = std::vector<uint8_t>(kMaxPacket);
};

std::unique_ptr<MdnsDriver> MdnsDriver::Open(const boost::asio::any_io_executor& executor,
                                             const std::vector<LocalAddress>& interfaces, Rng& rng) {
  auto impl = std::make_shared<Impl>(executor, rng);
  if (!impl->OpenSockets(interfaces)) return nullptr;
  impl->OpenListener(interfaces);
  for (size_t i = 0; i < impl->sockets.size(); ++i) impl->WaitReadable(i);
  return std::unique_ptr<MdnsDriver>(new MdnsDriver(std::move(impl)));
}

MdnsDriver::~MdnsDriver() = default;

void MdnsDriver::Resolve(const std::string& name, Done done) {
  impl_->waiting.push_back({name, std::move(done)});
  if (!impl_->resolver.Resolve(Now(), name)) impl_->Finish(name, std::nullopt);
  impl_->Pump();
}

}  // namespace jsp::transport::io
