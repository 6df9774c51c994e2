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

// A message of any size in one call, mostly.
constexpr size_t kReadBuffer = 64 * 1024;

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

turn::Server MakeServer(const TurnServerOptions& options, const BoundListeners& listeners, Rng& rng) {
  if (!options.workers) return turn::Server(CoreOptions(options, listeners), rng);
  return turn::Server(CoreOptions(options, listeners), rng, options.workers->state(), options.worker);
}

}  // namespace

TurnServerCore::TurnServerCore(boost::asio::any_io_executor ex, TurnServerOptions server_options,
                               const BoundListeners& listeners, ReadySet ready)
    : executor(std::move(ex)),
      options(std::move(server_options)),
      rng(SystemRng()),
      server(MakeServer(options, listeners, rng)),
      binding({.behavior = listeners.behavior}),
      stream_binding(stun::ServerOptions{}),
      buffer(kReadBuffer),
      datagrams(*this, std::move(ready)),
      streams(*this),
      tcp_relays(*this),
      handover(*this),
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
    if (each.stream) streams.AddListener(id, std::move(*each.stream));
  }
  WaitDatagrams();
  streams.Start();
  handover.Start();
  return std::nullopt;
}

void TurnServerCore::Stop() {
  phase.stopped = true;
  handover.Stop();
  deadline.timer.cancel();
}

void TurnServerCore::WaitDatagrams() {
  datagrams.Wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self || self->phase.stopped || error) return;
    const Timestamp now = Now();
    self->datagrams.Read(now);
    self->Drain(now);
    self->WaitDatagrams();
  });
}

// Answers go before what events do: RFC 6062 §5.4 wants the success response in front of the peer's octets.
void TurnServerCore::Drain(Timestamp now) {
  datagrams.Flush();
  if (std::exchange(phase.is_draining, true)) return;  // the loop below goes on
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
  phase.is_draining = false;
  if (!any) return;
  datagrams.Flush();
  ArmTimer();
}

void TurnServerCore::ReadMail() {
  if (!phase.stopped) handover.Read(Now());
}

void TurnServerCore::SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message) {
  if (!streams.IsOf(path.listener)) return datagrams.SendToClient(path, message);
  if (const auto stream = streams.Find(path)) stream->SendMessage(message);
}

// RFC 8489 §12: over TCP, too.
void TurnServerCore::AnswerBinding(Timestamp now, TurnStream& stream, std::span<const uint8_t> message) {
  const SocketAddress& local = listening[stream.path().listener.value].address;
  stream_binding.HandleDatagram(now, local, stream.path().client, message);
  std::array<uint8_t, turn::Server::kMaxResponse> out;
  while (const auto answer = stream_binding.PollTransmit(now, out)) {
    stream.SendMessage(std::span(out).first(answer->size));
  }
}

void TurnServerCore::HandleEvent(Timestamp now, const turn::Server::Event& event) {
  using turn::Server;
  std::visit(Overloaded{
                 [&](const Server::OpenRelay& open) {
                   if (open.protocol == turn::RelayProtocol::kUdp) return datagrams.OpenRelay(now, open);
                   tcp_relays.OpenRelay(now, open);
                 },
                 [&](const Server::ReadRelay& read) { datagrams.ReadRelay(now, read.relay); },
                 [&](const Server::CloseRelay& close) {
                   datagrams.CloseRelay(close.relay);
                   tcp_relays.CloseRelay(close.relay);
                 },
                 [&](const Server::ConnectPeer& connect) { tcp_relays.Connect(now, connect); },
                 [&](const Server::Splice& splice) { tcp_relays.Splice(now, splice); },
                 [&](const Server::CloseConnection& close) { tcp_relays.CloseConnection(now, close); },
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
    if (self && !self->phase.stopped && !error) self->HandleTimer();
  });
}

void TurnServerCore::HandleTimer() {
  deadline.armed = Timestamp::Never();
  const Timestamp now = Now();
  server.HandleTimeout(now);
  Drain(now);
  handover.Review();
  ArmTimer();
}

}  // namespace jsp::transport::io
