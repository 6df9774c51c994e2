#include "transport/asio/mdns_driver.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/unicast.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <variant>

#include "base/overloaded.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/udp_socket.h"
#include "transport/mdns.h"
#include "transport/mdns_responder.h"

namespace jsp::transport::io {

namespace multicast = boost::asio::ip::multicast;
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

  struct Leg {
    IpAddress address;
    std::unique_ptr<UdpSocket> socket;
  };

  // Those of IPv4 that are new; what has gone is closed.
  void SetInterfaces(const std::vector<LocalAddress>& interfaces) {
    std::erase_if(legs, [&](const auto& leg) {
      const bool is_there =
          std::ranges::any_of(interfaces, [&](const LocalAddress& local) { return local.address.ip == leg->address; });
      if (!is_there) leg->socket->Close();
      return !is_there;
    });
    for (const auto& interface : interfaces) {
      const IpAddress& ip = interface.address.ip;
      const bool is_known = std::ranges::any_of(legs, [&](const auto& leg) { return leg->address == ip; });
      if (!ip.is_v4() || is_known) continue;
      UdpSocketOptions options;
      options.buffer_bytes = 64 * 1024;
      options.use_gso = false;
      options.use_gro = false;
      auto opened = UdpSocket::Open(executor, {ip, 0}, options);
      if (!opened) continue;
      error_code ignored;
      const auto address = ToAsioAddress(ip).to_v4();
      (*opened)->socket().set_option(multicast::outbound_interface(address), ignored);
      if (is_listening) {
        listener.set_option(multicast::join_group(ToAsioAddress(kMdnsGroup.ip).to_v4(), address), ignored);
      }
      legs.push_back(std::make_shared<Leg>(Leg{ip, std::move(*opened)}));
      WaitReadable(legs.back());
    }
  }
  // RFC 6762 §15.1: the port is shared with the responders of this host. Bound to the group, so that no unicast answer
  // to one of those comes here. Failing is harmless to what is resolved: the unicast answers remain.
  void OpenListener() {
    error_code error;
    const auto group = ToAsioAddress(kMdnsGroup.ip).to_v4();
    listener.open(boost::asio::ip::udp::v4(), error);
    if (!error) listener.set_option(boost::asio::socket_base::reuse_address(true), error);
    if (!error) listener.bind({group, kMdnsPort}, error);
    if (!error) listener.non_blocking(true, error);
    is_listening = !error;
    if (error) return;
    // RFC 6762 §11
    error_code ignored;
    listener.set_option(multicast::hops(255), ignored);
    listener.set_option(boost::asio::ip::unicast::hops(255), ignored);
    Listen();
  }
  void Listen() {
    listener.async_receive_from(boost::asio::buffer(heard), speaker,
                                [weak = weak_from_this()](error_code error, size_t size) {
                                  const auto self = weak.lock();
                                  if (!self || error) return;
                                  const auto packet = std::span<const uint8_t>(self->heard).first(size);
                                  const SocketAddress from = FromEndpoint(self->speaker);
                                  self->resolver.HandlePacket(Now(), from, packet);
                                  self->responder.HandlePacket(Now(), from, packet);
                                  self->Pump();
                                  self->Listen();
                                });
  }
  void WaitReadable(const std::shared_ptr<Leg>& leg) {
    leg->socket->socket().async_wait(UdpSocket::Native::wait_read,
                                     [weak = weak_from_this(), of = std::weak_ptr(leg)](error_code error) {
                                       const auto self = weak.lock();
                                       const auto open = of.lock();
                                       if (!self || !open || error) return;
                                       self->HandleReadable(open);
                                     });
  }
  void HandleReadable(const std::shared_ptr<Leg>& leg) {
    // One batch a turn: the link may be noisy, and other sockets matter more.
    leg->socket->Receive([&](const SocketAddress& from, std::span<const uint8_t> packet) {
      resolver.HandlePacket(Now(), from, packet);
    });
    Pump();
    WaitReadable(leg);
  }
  // To the group on every interface, or to one who asked; from the port of multicast DNS.
  void SendResponse(const MdnsResponder::Transmit& transmit, std::span<const uint8_t> out) {
    const auto response = boost::asio::buffer(out.data(), transmit.size);
    error_code ignored;  // like a loss
    if (transmit.remote != kMdnsGroup) {
      listener.send_to(response, ToEndpoint(transmit.remote), 0, ignored);
      return;
    }
    for (const auto& leg : legs) {
      listener.set_option(multicast::outbound_interface(ToAsioAddress(leg->address).to_v4()), ignored);
      listener.send_to(response, ToEndpoint(kMdnsGroup), 0, ignored);
    }
  }
  // Output, events and timer of both.
  void Pump() {
    std::array<uint8_t, 512> buffer;
    Timestamp next = Drain(
        responder, Now(), buffer,
        [&](const MdnsResponder::Transmit& transmit, std::span<const uint8_t> out) { SendResponse(transmit, out); },
        [](const MdnsResponder::Event&) {});
    const Timestamp next_of_resolver = Drain(
        resolver, Now(), buffer,
        [&](const MdnsResolver::Transmit& transmit, std::span<const uint8_t> out) {
          const OutgoingDatagram query{kMdnsGroup, 0, static_cast<uint32_t>(transmit.size)};
          for (const auto& leg : legs) leg->socket->Send(out, std::span(&query, 1));
        },
        [&](MdnsResolver::Event event) {
          std::visit(Overloaded{
                         [&](const event::MdnsResolved& e) { Finish(e.name, e.address); },
                         [&](const event::MdnsFailed& e) { Finish(e.name, std::nullopt); },
                     },
                     event);
        });
    next = std::min(next, next_of_resolver);
    if (next == Timestamp::Never()) return;
    timer.expires_at(ToTimePoint(next));
    timer.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->resolver.HandleTimeout(Now());
      self->responder.HandleTimeout(Now());
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
  MdnsResponder responder;
  boost::asio::steady_timer timer;
  std::vector<std::shared_ptr<Leg>> legs;
  std::vector<Waiting> waiting;
  boost::asio::ip::udp::socket listener;
  bool is_listening = false;
  boost::asio::ip::udp::endpoint speaker;
  std::vector<uint8_t> heard = std::vector<uint8_t>(kMaxPacket);
};

std::unique_ptr<MdnsDriver> MdnsDriver::Open(const boost::asio::any_io_executor& executor,
                                             const std::vector<LocalAddress>& interfaces, Rng& rng) {
  auto impl = std::make_shared<Impl>(executor, rng);
  impl->OpenListener();
  impl->SetInterfaces(interfaces);
  if (impl->legs.empty()) return nullptr;
  return std::unique_ptr<MdnsDriver>(new MdnsDriver(std::move(impl)));
}

MdnsDriver::~MdnsDriver() = default;

void MdnsDriver::Resolve(const std::string& name, Done done) {
  impl_->waiting.push_back({name, std::move(done)});
  if (!impl_->resolver.Resolve(Now(), name)) impl_->Finish(name, std::nullopt);
  impl_->Pump();
}

bool MdnsDriver::Publish(const std::string& name, const IpAddress& address) {
  if (!impl_->is_listening || !impl_->responder.Publish(Now(), name, address)) return false;
  impl_->Pump();
  return true;
}

void MdnsDriver::Withdraw(const std::string& name) { impl_->responder.Withdraw(name); }

void MdnsDriver::SetInterfaces(const std::vector<LocalAddress>& interfaces) { impl_->SetInterfaces(interfaces); }

}  // namespace jsp::transport::io
