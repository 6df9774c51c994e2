#include "netsim/peer_driver.h"

#include <algorithm>
#include <array>
#include <string>
#include <variant>
#include <vector>

#include "base/overloaded.h"
#include "base/sans_io.h"

namespace jsp::netsim {

using transport::Peer;
using transport::RelayId;

constexpr auto kBlockedRetry = std::chrono::milliseconds(5);

struct PeerDriver::Gate {
  using Transmit = Peer::Transmit;
  using Event = Peer::Event;
  PeerDriver& driver;

  void HandleTimeout(Timestamp now) { driver.peer_.HandleTimeout(now); }
  std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out) {
    if (driver.IsBlocked()) return std::nullopt;
    return driver.peer_.PollTransmit(now, out);
  }
  std::optional<Event> PollEvent() { return driver.peer_.PollEvent(); }
  Timestamp NextTimeout() const { return driver.peer_.NextTimeout(); }
};

PeerDriver::PeerDriver(World& world, NodeId host, TcpHost& tcp, Peer& peer, IpAddress address)
    : world_(world),
      node_(host),
      tcp_(tcp),
      peer_(peer),
      address_(address),
      ice_tcp_({world, host, tcp, peer}, address, {this, &PeerDriver::HandleIceTcp}) {
  endpoint_ = world.Attach(host, {.self = this,
                                  .handle_datagram = &PeerDriver::HandleDatagram,
                                  .handle_timeout = &PeerDriver::HandleTimeout,
                                  .handle_packet_too_big = &PeerDriver::HandlePacketTooBig,
                                  .handle_unreachable = &PeerDriver::HandleUnreachable});
}

PeerDriver::~PeerDriver() { world_.Detach(endpoint_); }

SocketAddress PeerDriver::Open(const SocketAddress& address) {
  ++sockets_;
  return world_.Bind(endpoint_, address);
}

void PeerDriver::Close(const SocketAddress& socket) {
  --sockets_;
  world_.Unbind(endpoint_, socket);
}

SocketAddress PeerDriver::Gather() {
  const SocketAddress bound = Open({address_, 0});
  locals_.push_back(bound);
  peer_.AddLocalAddress(world_.now(), {bound});
  peer_.EndOfLocalAddresses(world_.now());
  Kick();
  return bound;
}

void PeerDriver::Renumber() {
  const std::vector<SocketAddress> gone = std::exchange(locals_, {Open({address_, 0})});
  peer_.HandleLocalAddresses(world_.now(), std::vector<transport::LocalAddress>{{.address = locals_.front()}});
  for (const SocketAddress& socket : gone) Close(socket);
  Kick();
}

void PeerDriver::Kick() {
  std::array<uint8_t, Peer::kMaxDatagram> scratch;  // not initialised: written before it is read
  Gate gate{*this};
  for (bool again = true; std::exchange(again, false);) {
    const Timestamp next = Drain(
        gate, world_.now(), scratch,
        [&](const Peer::Transmit& t, std::span<const uint8_t> octets) { Send(t, octets.first(t.size)); },
        [&](Peer::Event event) {
          again = TakeEvent(event) || again;
          if (observer_.handle_event != nullptr) observer_.handle_event(observer_.self, std::move(event));
        });
    const Timestamp due = std::min(next, ice_tcp_.NextTimeout());
    // What is due but held back would be due again at once, and time would stand still.
    world_.SetTimer(endpoint_, IsBlocked() ? std::max(due, world_.now() + kBlockedRetry) : due);
  }
}

bool PeerDriver::TakeEvent(const transport::PeerEvent& event) {
  if (const auto* wanted = std::get_if<transport::event::RelayConnectionWanted>(&event)) {
    Open(*wanted);
    return true;
  }
  if (const auto* wanted = std::get_if<transport::event::ProbeSocketsWanted>(&event)) {
    std::vector<SocketAddress> sockets;
    for (size_t i = 0; i < wanted->count; ++i) sockets.push_back(Open({wanted->address, 0}));
    peer_.HandleProbeSockets(world_.now(), sockets);
    return true;
  }
  if (std::holds_alternative<transport::event::FreshSocketsWanted>(event)) {
    locals_.push_back(Open({address_, 0}));
    peer_.AddLocalAddress(world_.now(), {locals_.back()});
    return true;
  }
  if (const auto* done = std::get_if<transport::event::ProbeSocketsDone>(&event)) {
    for (const SocketAddress& socket : done->sockets) Close(socket);
    return true;
  }
  if (const auto* done = std::get_if<transport::event::RelayConnectionDone>(&event)) {
    streams_.erase(done->id.value);
    const auto udp = udp_.find(done->id.value);
    if (udp != udp_.end()) Close(udp->second);
    udp_.erase(done->id.value);
    return true;
  }
  return ice_tcp_.TakeEvent(event);
}

void PeerDriver::Open(const transport::event::RelayConnectionWanted& wanted) {
  const transport::RelayServer& server = wanted.server;
  if (server.transport == turn::ControlTransport::kUdp) {
    const SocketAddress bound = Open({address_, 0});
    udp_.emplace(wanted.id.value, bound);
    return peer_.HandleRelayConnected(world_.now(), wanted.id, bound);
  }
  const bool is_tls = server.transport == turn::ControlTransport::kTls;
  if (is_tls && !server.tls) {
    return peer_.HandleRelayConnectionFailed(world_.now(), wanted.id, "nobody is trusted to vouch for it");
  }
  auto connection = std::make_unique<Connection>(Connection{this, wanted.id, server.address});
  const StreamObserver observer{connection.get(), &PeerDriver::HandleConnected, &PeerDriver::HandleOctets,
                                &PeerDriver::HandleClosed, &PeerDriver::HandleWritable};
  Stream::Tls tls;
  if (is_tls) tls = {server.tls, server.host};
  connection->stream = std::make_unique<Stream>(world_, node_, tcp_, observer, std::move(tls));
  connection->stream->Connect(address_, server.address);
  streams_.emplace(wanted.id.value, std::move(connection));
}

bool PeerDriver::IsBlocked() const {
  return ice_tcp_.IsBusy() ||
         std::ranges::any_of(streams_, [](const auto& entry) { return entry.second->stream->IsBusy(); });
}

void PeerDriver::Send(const Peer::Transmit& transmit, std::span<const uint8_t> octets) {
  if (transmit.tcp) return ice_tcp_.Write(*transmit.tcp, octets);
  if (transmit.relay) {
    const auto stream = streams_.find(transmit.relay->value);
    if (stream != streams_.end()) return stream->second->stream->Write(octets);
    if (!udp_.contains(transmit.relay->value)) return;  // closed since
  }
  if (!world_.IsBound(endpoint_, transmit.local)) return;  // likewise
  world_.Send(endpoint_, transmit.local, transmit.remote, octets, {transmit.fragmentation, transmit.ecn});
}

void PeerDriver::HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                                std::span<const uint8_t> datagram, EcnMark mark) {
  auto& driver = *static_cast<PeerDriver*>(self);
  driver.peer_.HandleDatagram(driver.world_.now(), local, remote, datagram, mark);
  driver.Kick();
}

void PeerDriver::HandleTimeout(void* self) {
  auto& driver = *static_cast<PeerDriver*>(self);
  driver.ice_tcp_.HandleTimeout();
  driver.peer_.HandleTimeout(driver.world_.now());
  driver.Kick();
}

void PeerDriver::HandlePacketTooBig(void* self, const SocketAddress& local, const SocketAddress& remote, size_t mtu) {
  auto& driver = *static_cast<PeerDriver*>(self);
  driver.peer_.HandlePacketTooBig(driver.world_.now(), local, remote, mtu);
  driver.Kick();
}

void PeerDriver::HandleUnreachable(void* self, const SocketAddress& local, const SocketAddress& remote) {
  auto& driver = *static_cast<PeerDriver*>(self);
  driver.peer_.HandleUnreachable(driver.world_.now(), local, remote);
  driver.Kick();
}

void PeerDriver::HandleConnected(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  PeerDriver& driver = *connection.driver;
  driver.peer_.HandleRelayConnected(driver.world_.now(), connection.id, connection.stream->local());
  driver.Kick();
}

// The peer closes no connection before Kick takes its events.
void PeerDriver::HandleOctets(void* self, std::span<const uint8_t> octets) {
  auto& connection = *static_cast<Connection*>(self);
  PeerDriver& driver = *connection.driver;
  while (const auto message = connection.framer.Next(octets)) {
    driver.peer_.HandleRelayMessage(driver.world_.now(), connection.id, connection.server, *message);
  }
  if (connection.framer.error()) {
    driver.peer_.HandleRelayConnectionFailed(driver.world_.now(), connection.id, "what it sends is not TURN");
  }
  driver.Kick();
}

void PeerDriver::HandleClosed(void* self, std::string reason) {
  auto& connection = *static_cast<Connection*>(self);
  PeerDriver& driver = *connection.driver;
  const RelayId id = connection.id;
  driver.streams_.erase(id.value);
  driver.peer_.HandleRelayConnectionFailed(driver.world_.now(), id, std::move(reason));
  driver.Kick();
}

void PeerDriver::HandleWritable(void* self) { static_cast<Connection*>(self)->driver->Kick(); }

}  // namespace jsp::netsim
