#include "transport/asio/port_mapper.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <variant>

#include "base/overloaded.h"
#include "base/sans_io.h"
#include "portmap/client.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/ipv4_gateway.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

constexpr auto kPatience = std::chrono::milliseconds(500);

}  // namespace

struct PortMapper::Impl : std::enable_shared_from_this<Impl> {
  // One local address at its gateway.
  struct Entry {
    Entry(const boost::asio::any_io_executor& executor, const SocketAddress& local_address,
          const SocketAddress& gateway_address)
        : local(local_address), gateway(gateway_address), socket(executor), timer(executor) {}

    bool Open(Rng& rng) {
      error_code error;
      socket.open(udp::v4(), error);
      if (!error) socket.bind(ToEndpoint({local.ip, 0}), error);
      if (!error) socket.non_blocking(true, error);
      // Connected: the kernel drops what does not come from there, and reports that nobody listens.
      if (!error) socket.connect(ToEndpoint(gateway), error);
      if (error) return false;
      own = FromEndpoint(socket.local_endpoint(error));
      client.emplace(portmap::ClientOptions{.gateway = gateway, .local = own}, rng);
      return client->Map(Now(), local.port).has_value();
    }

    SocketAddress local;  // what is mapped
    SocketAddress gateway;
    SocketAddress own;  // where requests leave
    udp::socket socket;
    boost::asio::steady_timer timer;
    std::optional<portmap::Client> client;
    std::optional<SocketAddress> external;
    bool is_settled = false;
    std::array<uint8_t, portmap::kMaxPcpMessage + 1> buffer;
  };

  Impl(const boost::asio::any_io_executor& ex, std::function<void()> changed)
      : executor(ex), patience(ex), on_change(std::move(changed)) {}

  void Start() {
    for (auto& entry : entries) {
      Pump(*entry);
      Receive(*entry);
    }
    patience.expires_after(kPatience);
    patience.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->has_waited = true;
      self->Report();
    });
  }
  // The handlers hold no reference: what is gone is not kept alive.
  void Receive(Entry& entry) {
    entry.socket.async_receive(
        boost::asio::buffer(entry.buffer), [weak = weak_from_this(), &entry](error_code error, size_t size) {
          const auto self = weak.lock();
          if (!self || (error && error != boost::asio::error::connection_refused)) return;
          if (error) {
            entry.client->HandleUnreachable(Now(), entry.gateway);
          } else {
            entry.client->HandleDatagram(Now(), entry.own, entry.gateway, std::span(entry.buffer).first(size));
          }
          self->Pump(entry);
          self->Receive(entry);
        });
  }
  void Pump(Entry& entry) {
    bool is_news = false;
    std::array<uint8_t, 128> scratch;
    const Timestamp next = Drain(
        *entry.client, Now(), scratch,
        [&](const portmap::Client::Transmit& transmit, std::span<const uint8_t> out) {
          Send(entry, out, transmit.size);
        },
        [&](const portmap::Client::Event& event) {
          is_news = true;
          entry.is_settled = true;
          const auto* mapped = std::get_if<portmap::event::Mapped>(&event);
          entry.external = mapped != nullptr ? std::optional(mapped->external) : std::nullopt;
        });
    if (is_news) Report();
    entry.timer.cancel();
    if (next == Timestamp::Never()) return;
    entry.timer.expires_at(ToTimePoint(next));
    entry.timer.async_wait([weak = weak_from_this(), &entry](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      entry.client->HandleTimeout(Now());
      self->Pump(entry);
    });
  }
  static void Send(Entry& entry, std::span<const uint8_t> out, size_t size) {
    error_code ignored;  // like a loss: the client sends again
    entry.socket.send(boost::asio::buffer(out.data(), size), 0, ignored);
  }
  void Report() {
    boost::asio::post(executor, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && self->on_change) self->on_change();
    });
  }
  void Close() {
    on_change = nullptr;
    for (auto& entry : entries) {
      entry->client->Close(Now());
      std::array<uint8_t, 128> scratch;
      while (const auto transmit = entry->client->PollTransmit(Now(), scratch)) Send(*entry, scratch, transmit->size);
      entry->timer.cancel();
      error_code ignored;
      entry->socket.close(ignored);
    }
    patience.cancel();
  }

  boost::asio::any_io_executor executor;
  std::vector<std::unique_ptr<Entry>> entries;
  boost::asio::steady_timer patience;
  bool has_waited = false;
  std::function<void()> on_change;
};

std::unique_ptr<PortMapper> PortMapper::Open(const boost::asio::any_io_executor& executor,
                                             const std::vector<LocalAddress>& locals, const PortMappingOptions& options,
                                             Rng& rng, std::function<void()> on_change) {
  auto impl = std::make_shared<Impl>(executor, std::move(on_change));
  for (const auto& local : locals) {
    const SocketAddress& address = local.address;
    std::optional<SocketAddress> gateway = options.gateway;
    if (!address.ip.is_v4() || (address.ip.IsLoopback() && !gateway)) continue;
    if (!gateway) {
      if (const auto hop = FindIpv4Gateway(address.ip)) gateway = SocketAddress{*hop, portmap::kServerPort};
    }
    if (!gateway) continue;
    auto entry = std::make_unique<Impl::Entry>(executor, address, *gateway);
    if (entry->Open(rng)) impl->entries.push_back(std::move(entry));
  }
  if (impl->entries.empty()) return nullptr;
  impl->Start();
  return std::unique_ptr<PortMapper>(new PortMapper(std::move(impl)));
}

PortMapper::~PortMapper() { impl_->Close(); }

std::vector<PortMapper::Mapped> PortMapper::mappings() const {
  std::vector<Mapped> found;
  for (const auto& entry : impl_->entries) {
    if (entry->external) found.push_back({entry->local, *entry->external, entry->gateway});
  }
  return found;
}

bool PortMapper::is_settled() const {
  return impl_->has_waited || std::ranges::all_of(impl_->entries, [](const auto& entry) { return entry->is_settled; });
}

}  // namespace jsp::transport::io
