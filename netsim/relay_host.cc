#include "netsim/relay_host.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "stun/long_term_key.h"

namespace jsp::netsim {
namespace {

constexpr const char* kRealm = "netsim";
constexpr turn::Icmp kPortUnreachable{.type = 3, .code = 3};    // RFC 792
constexpr turn::Icmp kPortUnreachableV6{.type = 1, .code = 4};  // RFC 4443 §3.1

void Gather(const turn::Segment& segment, std::vector<uint8_t>& octets) {
  octets.assign(segment.prefix.begin(), segment.prefix.begin() + segment.prefix_size);
  octets.insert(octets.end(), segment.payload.begin(), segment.payload.end());
  octets.resize(octets.size() + segment.padding);
}

}  // namespace

RelayHost::Options RelayHost::DefaultOptions(const IpAddress& address, std::string_view username,
                                             std::string_view password) {
  Options options;
  options.address = address;
  options.server.realm = kRealm;
  options.server.credentials.AddUser(username, kRealm, stun::LongTermKeys::Of(username, kRealm, password));
  for (const char* prefix : {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"}) {
    options.server.policy.Allow(*turn::Prefix::Parse(prefix));
  }
  return options;
}

turn::ServerOptions RelayHost::Complete(const Options& options) {
  turn::ServerOptions complete = options.server;
  const SocketAddress address{options.address, kPort};
  complete.listeners = {{kUdp, turn::ControlTransport::kUdp, address}, {kTcp, turn::ControlTransport::kTcp, address}};
  if (options.tls) {
    complete.listeners.push_back({kTls, turn::ControlTransport::kTls, {options.address, kTlsPort}});
  }
  complete.relay_addresses = {options.address};
  complete.relay_protocols = {turn::RelayProtocol::kUdp};
  return complete;
}

RelayHost::RelayHost(World& world, NodeId host, TcpHost& tcp, Options options)
    : world_(world),
      tcp_(tcp),
      options_(std::move(options)),
      rng_(world.ForkRng()),
      server_(Complete(options_), rng_),
      stun_(stun::ServerOptions{}),
      node_(host) {
  endpoint_ = world.Attach(host, {.self = this,
                                  .handle_datagram = &RelayHost::HandleDatagram,
                                  .handle_timeout = &RelayHost::HandleTimeout,
                                  .handle_unreachable = &RelayHost::HandleUnreachable});
  server_.SetUnixTime(world.now(), static_cast<uint64_t>(kUnixTimeOfWorlds));
  world.Bind(endpoint_, address());
  tcp.Listen(address(), {this, &RelayHost::Accept});
  if (options_.tls) tcp.Listen(tls_address(), {this, &RelayHost::Accept});
}

RelayHost::~RelayHost() { world_.Detach(endpoint_); }

void RelayHost::HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                               std::span<const uint8_t> datagram, EcnMark) {
  auto& host = *static_cast<RelayHost*>(self);
  if (local == host.address()) {
    host.HandleFromClient({remote, kUdp}, datagram);
  } else {
    host.HandleFromPeer(local, remote, datagram);
  }
  host.Pump();
}

void RelayHost::HandleUnreachable(void* self, const SocketAddress& local, const SocketAddress& remote) {
  auto& host = *static_cast<RelayHost*>(self);
  const auto relay = host.relays_.find(local);
  if (relay == host.relays_.end()) return;
  host.server_.HandleIcmp(host.world_.now(), relay->second, remote,
                          remote.ip.is_v4() ? kPortUnreachable : kPortUnreachableV6);
  host.Pump();
}

void RelayHost::HandleTimeout(void* self) {
  auto& host = *static_cast<RelayHost*>(self);
  host.server_.HandleTimeout(host.world_.now());
  host.Pump();
}

TcpObserver RelayHost::Accept(void* self, TcpSocketId id, const SocketAddress& local, const SocketAddress& remote) {
  auto& host = *static_cast<RelayHost*>(self);
  const bool is_tls = local == host.tls_address();
  const turn::ClientPath path{remote, is_tls ? kTls : kTcp};
  auto connection = std::make_unique<Connection>(Connection{&host, path});
  const StreamObserver observer{
      .self = connection.get(), .handle_octets = &RelayHost::HandleOctets, .handle_closed = &RelayHost::HandleClosed};
  Stream::Tls tls;
  if (is_tls) tls.context = host.options_.tls;
  connection->stream = std::make_unique<Stream>(host.world_, host.node_, host.tcp_, observer, std::move(tls));
  Stream& stream = *connection->stream;
  host.connections_.insert_or_assign(KeyOf(path), std::move(connection));
  return stream.Accept(id);
}

RelayHost::Connection* RelayHost::Find(const turn::ClientPath& path) {
  const auto found = connections_.find(KeyOf(path));
  return found == connections_.end() ? nullptr : found->second.get();
}

void RelayHost::HandleOctets(void* self, std::span<const uint8_t> octets) {
  auto& connection = *static_cast<Connection*>(self);
  RelayHost& host = *connection.host;
  while (const auto message = connection.framer.Next(octets)) host.HandleFromClient(connection.path, *message);
  if (connection.framer.error()) HandleClosed(self, "not TURN");
  host.Pump();
}

void RelayHost::HandleClosed(void* self, std::string) {
  auto& connection = *static_cast<Connection*>(self);
  RelayHost& host = *connection.host;
  const turn::ClientPath path = connection.path;
  host.connections_.erase(KeyOf(path));
  host.server_.HandleClientClosed(host.world_.now(), path);
  host.Pump();
}

void RelayHost::HandleFromClient(const turn::ClientPath& path, std::span<const uint8_t> message) {
  std::array<turn::Segment, 1> segments;
  const auto run = server_.HandleFromClient(world_.now(), path, {message, 0}, segments);
  if (run.is_binding) return HandleBinding(path, message);
  if (!run.to_peer) return;
  const auto relay = relay_addresses_.find(run.to_peer->relay.index);
  if (relay == relay_addresses_.end()) return;
  const auto fragmentation = run.to_peer->dont_fragment ? IpFragmentation::kForbidden : IpFragmentation::kAllowed;
  std::vector<uint8_t> octets;
  for (const turn::Segment& segment : std::span(segments).first(run.segments)) {
    Gather(segment, octets);
    world_.Send(endpoint_, relay->second, run.to_peer->peer, octets, {.fragmentation = fragmentation});
  }
}

void RelayHost::HandleFromPeer(const SocketAddress& relay, const SocketAddress& peer,
                               std::span<const uint8_t> datagram) {
  const auto handle = relays_.find(relay);
  if (handle == relays_.end()) return;
  std::array<turn::Segment, 1> segments;
  const auto run = server_.HandleFromPeer(world_.now(), handle->second, peer, {datagram, 0}, segments);
  if (!run.to_client) return;
  // What a stream cannot take in time is lost, like any datagram: waiting would only add to everybody's delay.
  const Connection* connection = Find(*run.to_client);
  if (connection != nullptr && connection->stream->IsBusy()) return;
  std::vector<uint8_t> octets;
  for (const turn::Segment& segment : std::span(segments).first(run.segments)) {
    Gather(segment, octets);
    SendToClient(*run.to_client, octets);
  }
}

void RelayHost::HandleBinding(const turn::ClientPath& path, std::span<const uint8_t> message) {
  stun_.HandleDatagram(world_.now(), address(), path.client, message);
  std::array<uint8_t, 1500> out;
  while (const auto transmit = stun_.PollTransmit(world_.now(), out)) {
    SendToClient(path, std::span(out).first(transmit->size));
  }
}

void RelayHost::SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message) {
  if (path.listener == kUdp) {
    world_.Send(endpoint_, address(), path.client, message, {.fragmentation = IpFragmentation::kAllowed});
    return;
  }
  if (Connection* connection = Find(path)) connection->stream->Write(message);
}

void RelayHost::HandleEvent(const turn::Server::Event& event) {
  std::visit(Overloaded{
                 [&](const turn::Server::OpenRelay& e) {
                   if (world_.IsBound(endpoint_, e.address)) {
                     return server_.HandleRelayFailed(world_.now(), e.relay);
                   }
                   world_.Bind(endpoint_, e.address);
                   relays_.insert_or_assign(e.address, e.relay);
                   relay_addresses_.insert_or_assign(e.relay.index, e.address);
                   server_.HandleRelayOpened(world_.now(), e.relay);
                 },
                 [&](const turn::Server::CloseRelay& e) {
                   const auto found = relay_addresses_.find(e.relay.index);
                   if (found == relay_addresses_.end()) return;
                   world_.Unbind(endpoint_, found->second);
                   relays_.erase(found->second);
                   relay_addresses_.erase(found);
                 },
                 // Of TCP relays, which are not offered here.
                 [](const auto&) {},
             },
             event);
}

void RelayHost::Pump() {
  std::array<uint8_t, turn::Server::kMaxResponse> out;
  bool again = true;
  while (std::exchange(again, false)) {
    const Timestamp next = Drain(
        server_, world_.now(), out,
        [&](const turn::Server::Transmit& t, std::span<const uint8_t> octets) {
          SendToClient(t.path, octets.first(t.size));
        },
        [&](const turn::Server::Event& event) {
          again = true;
          HandleEvent(event);
        });
    world_.SetTimer(endpoint_, next);
  }
}

}  // namespace jsp::netsim
