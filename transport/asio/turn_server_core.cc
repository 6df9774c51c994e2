#include "transport/asio/turn_server_core.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/overloaded.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"
namespace jsp::transport::io {
namespace {

using boost::system::error_code;

turn::ServerOptions CoreOptions(const TurnServerOptions& options, const BoundListeners& listeners) {
  turn::ServerOptions core = options.core;
  core.listeners.clear();
  for (const BoundListener& each : listeners.all) {
    const turn::ListenerId id{static_cast<uint16_t>(core.listeners.size())};
    core.listeners.push_back({id, each.listen.transport, each.listen.address});
    auto& relays = core.relay_addresses;
    const bool is_default = options.core.relay_addresses.empty();
    if (is_default && std::ranges::find(relays, each.listen.address.ip) == relays.end()) {
      relays.push_back(each.listen.address.ip);
    }
  }
  return core;
}

}  // namespace

TurnServerCore::TurnServerCore(boost::asio::any_io_executor ex, TurnServerOptions server_options,
                               const BoundListeners& listeners, ReadySet ready)
    : executor(std::move(ex)),
      options(std::move(server_options)),
      rng(SystemRng()),
      server(CoreOptions(options, listeners), rng),
      binding({.behavior = listeners.behavior}),
      datagrams(*this, std::move(ready)),
      deadline{boost::asio::steady_timer(executor), Timestamp::Never()} {
  for (const BoundListener& each : listeners.all) listening.push_back(each.listen);
}

std::optional<std::string> TurnServerCore::Start(BoundListeners& listeners) {
  server.SetUnixTime(Now(), static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                                      std::chrono::system_clock::now().time_since_epoch())
                                                      .count()));
  for (size_t i = 0; i < listeners.all.size(); ++i) {
    const turn::ListenerId id{static_cast<uint16_t>(i)};
    BoundListener& each = listeners.all[i];
    if (each.udp && !datagrams.AddListener(id, std::move(each.udp))) {
      return "cannot wait for UDP " + each.listen.address.ToString();
    }
    if (each.stream) return "TCP and TLS listeners are not supported yet";
  }
  WaitDatagrams();
  return std::nullopt;
}

void TurnServerCore::Stop() {
  stopped = true;
  deadline.timer.cancel();
}

void TurnServerCore::WaitDatagrams() {
  datagrams.Wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self || self->stopped || error) return;
    const Timestamp now = Now();
    self->datagrams.Read(now);
    self->Drain(now);
    self->WaitDatagrams();
  });
}

// Answers go before what events do: RFC 6062 §5.4 wants the success response in front of the peer's octets.
void TurnServerCore::Drain(Timestamp now) {
  datagrams.Flush();
  bool any = false;
  std::array<uint8_t, turn::Server::kMaxResponse> out;
  while (true) {
    while (const auto transmit = server.PollTransmit(now, out)) {
      SendToClient(transmit->path, std::span(out).first(transmit->size));
      any = true;
    }
    const auto event = server.PollEvent();
    if (!event) break;
    HandleEvent(now, *event);
    any = true;
  }
  if (!any) return;
  datagrams.Flush();
  ArmTimer();
}

void TurnServerCore::SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message) {
  datagrams.SendToClient(path, message);
}

void TurnServerCore::HandleEvent(Timestamp now, const turn::Server::Event& event) {
  std::visit(Overloaded{
                 [&](const turn::Server::OpenRelay& open) { datagrams.OpenRelay(now, open); },
                 [&](const turn::Server::CloseRelay& close) { datagrams.CloseRelay(close.relay); },
                 [&](const turn::Server::ConnectPeer&) {},
                 [&](const turn::Server::Splice&) {},
                 [&](const turn::Server::CloseConnection&) {},
             },
             event);
}

SocketAddress TurnServerCore::BoundAddressOf(const SocketAddress& relay) const {
  const auto found = std::ranges::find(options.relay_mappings, relay.ip, &TurnRelayMapping::advertised);
  return {found == options.relay_mappings.end() ? relay.ip : found->bound, relay.port};
}

// A timer that fires too early does no harm, so that it is moved only when it would fire too late.
void TurnServerCore::ArmTimer() {
  const Timestamp next = server.NextTimeout();
  if (next >= deadline.armed) return;
  deadline.armed = next;
  deadline.timer.expires_at(ToTimePoint(next));
  deadline.timer.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (self && !self->stopped && !error) self->HandleTimer();
  });
}

void TurnServerCore::HandleTimer() {
  deadline.armed = Timestamp::Never();
  const Timestamp now = Now();
  server.HandleTimeout(now);
  Drain(now);
  ArmTimer();
}

}  // namespace jsp::transport::io
