#include "netsim/tcp_host.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/crc32.h"

namespace jsp::netsim {
namespace {

constexpr size_t kMtu = 1500;
constexpr size_t kIpv4Headers = 40;
constexpr size_t kIpv6Headers = 60;

TcpOptions OptionsFor(const IpAddress& ip) {
  TcpOptions options;
  options.mss = kMtu - (ip.is_v4() ? kIpv4Headers : kIpv6Headers);
  return options;
}

}  // namespace

TcpHost::TcpHost(World& world, NodeId host, uint16_t first_port) : world_(world), next_port_(first_port) {
  endpoint_ = world.Attach(
      host, {.self = this, .handle_timeout = &TcpHost::HandleTimeout, .handle_segment = &TcpHost::HandleSegment});
}

TcpHost::~TcpHost() { world_.Detach(endpoint_); }

void TcpHost::Listen(const SocketAddress& address, const TcpListener& listener) {
  listeners_.insert_or_assign(address, listener);
}

TcpSocketId TcpHost::Add(const Pair& pair, const TcpObserver& observer) {
  const TcpSocketId id(next_id_++);
  sockets_.emplace(id.value,
                   std::make_unique<Socket>(Socket{pair, TcpConnection(OptionsFor(pair.remote.ip)), observer}));
  by_pair_.emplace(pair, id);
  return id;
}

TcpSocketId TcpHost::Connect(const IpAddress& local, const SocketAddress& remote, const TcpObserver& observer) {
  Pair pair{{local, next_port_}, remote};
  while (by_pair_.contains(pair)) ++pair.local.port;
  next_port_ = std::max<uint16_t>(kFirstPort, static_cast<uint16_t>(pair.local.port + 1));
  const TcpSocketId id = Add(pair, observer);
  sockets_.at(id.value)->connection.Connect();
  Drive(id);
  return id;
}

TcpHost::Socket* TcpHost::Find(TcpSocketId id) {
  const auto found = sockets_.find(id.value);
  return found == sockets_.end() ? nullptr : found->second.get();
}

SocketAddress TcpHost::LocalAddress(TcpSocketId id) const {
  const auto found = sockets_.find(id.value);
  return found == sockets_.end() ? SocketAddress{} : found->second->pair.local;
}

void TcpHost::Write(TcpSocketId id, std::span<const uint8_t> octets) {
  Socket* socket = Find(id);
  if (socket == nullptr) return;
  socket->connection.Write(octets);
  socket->was_busy = socket->was_busy || IsBusy(id);
  Flush(*socket);
  Settle();
}

bool TcpHost::IsBusy(TcpSocketId id) const {
  const auto found = sockets_.find(id.value);
  return found != sockets_.end() && found->second->connection.unacknowledged() > kBusy;
}

void TcpHost::Close(TcpSocketId id) {
  Socket* socket = Find(id);
  if (socket == nullptr) return;
  socket->observer = {};
  socket->connection.Close();
  Flush(*socket);
  Settle();
}

void TcpHost::Abort(TcpSocketId id) {
  Socket* socket = Find(id);
  if (socket == nullptr) return;
  socket->observer = {};
  socket->connection.Abort();
  Flush(*socket);
  Settle();
}

void TcpHost::AbortAll() {
  std::vector<TcpSocketId> ids;
  for (const auto& [id, socket] : sockets_) ids.push_back(TcpSocketId(id));
  for (const TcpSocketId id : ids) {
    Socket* socket = Find(id);
    if (socket == nullptr) continue;
    socket->connection.Abort();
    Drive(id);
  }
}

void TcpHost::ForgetAll() {
  std::vector<std::pair<TcpSocketId, TcpObserver>> gone;
  for (const auto& [id, socket] : sockets_) gone.emplace_back(TcpSocketId(id), socket->observer);
  sockets_.clear();
  by_pair_.clear();
  Settle();
  for (const auto& [id, observer] : gone) {
    if (observer.handle_closed != nullptr) observer.handle_closed(observer.self, id, TcpEnd::kReset);
  }
}

void TcpHost::HandleSegment(void* self, const SocketAddress& local, const SocketAddress& remote,
                            const TcpHeader& header, std::span<const uint8_t> payload) {
  auto& host = *static_cast<TcpHost*>(self);
  if (Crc32(payload) != header.checksum) {
    ++host.stats_.bad_checksum;
    return;
  }
  const Pair pair{local, remote};
  const auto known = host.by_pair_.find(pair);
  if (known == host.by_pair_.end()) {
    if (header.syn && !header.ack) return host.Accept(pair, header);
    return host.Refuse(pair, header, payload.size());
  }
  const TcpSocketId id = known->second;
  host.Find(id)->connection.HandleSegment(host.world_.now(), header, payload);
  host.Drive(id);
}

void TcpHost::Accept(const Pair& pair, const TcpHeader& header) {
  const auto listener = listeners_.find(pair.local);
  if (listener == listeners_.end()) return Refuse(pair, header, 0);
  ++stats_.accepted;
  const TcpSocketId id = Add(pair, {});
  Socket& socket = *sockets_.at(id.value);
  socket.connection.Accept(header);
  const TcpListener called = listener->second;
  socket.observer = called.accept(called.self, id, pair.local, pair.remote);
  Drive(id);
}

// RFC 9293 §3.5.2: a reset takes its number from the acknowledgment where there is one; no reset answers a reset.
void TcpHost::Refuse(const Pair& pair, const TcpHeader& header, size_t payload) {
  if (header.rst) return;
  ++stats_.refused;
  TcpHeader reset{.checksum = Crc32({}), .rst = true};
  if (header.ack) {
    reset.sequence = header.acknowledgment;
  } else {
    reset.ack = true;
    reset.acknowledgment = header.sequence + payload + (header.syn ? 1 : 0) + (header.fin ? 1 : 0);
  }
  world_.SendSegment(endpoint_, pair.local, pair.remote, reset, {});
}

void TcpHost::HandleTimeout(void* self) {
  auto& host = *static_cast<TcpHost*>(self);
  std::vector<TcpSocketId> due;
  for (const auto& [id, socket] : host.sockets_) {
    if (socket->connection.NextTimeout() <= host.world_.now()) due.push_back(TcpSocketId(id));
  }
  for (const TcpSocketId id : due) {
    Socket* socket = host.Find(id);
    if (socket == nullptr) continue;
    socket->connection.HandleTimeout(host.world_.now());
    host.Drive(id);
  }
  host.Settle();
}

void TcpHost::Drive(TcpSocketId id) {
  ++depth_;
  Notify(id);
  --depth_;
  Flush(*Find(id));
  Settle();
}

// What has come before what ended it. Each call may close the connection, which takes its observer away.
void TcpHost::Notify(TcpSocketId id) {
  Socket& socket = *Find(id);
  std::vector<TcpConnection::Event> events;
  while (auto event = socket.connection.PollEvent()) events.push_back(*event);
  const auto observer = [&] { return socket.observer; };
  for (const auto& event : events) {
    if (!std::holds_alternative<tcp_event::Connected>(event)) continue;
    if (observer().handle_connected != nullptr) observer().handle_connected(observer().self, id);
  }
  const std::vector<uint8_t> octets = socket.connection.TakeReceived();
  if (!octets.empty() && observer().handle_octets != nullptr) {
    observer().handle_octets(observer().self, id, octets);
  }
  if (socket.was_busy && socket.connection.unacknowledged() < kBusy / 2) {
    socket.was_busy = false;
    if (observer().handle_writable != nullptr) observer().handle_writable(observer().self, id);
  }
  for (const auto& event : events) {
    if (std::holds_alternative<tcp_event::Connected>(event)) continue;
    const auto* ended = std::get_if<tcp_event::Ended>(&event);
    const TcpObserver called = std::exchange(socket.observer, {});
    if (called.handle_closed != nullptr) called.handle_closed(called.self, id, ended ? ended->end : TcpEnd::kClosed);
    if (ended == nullptr) socket.connection.Close();
  }
}

void TcpHost::Flush(Socket& socket) {
  std::array<uint8_t, kMtu> out;  // not initialised: written before it is read
  while (auto transmit = socket.connection.PollTransmit(world_.now(), out)) {
    const auto payload = std::span<const uint8_t>(out).first(transmit->size);
    transmit->header.checksum = Crc32(payload);
    world_.SendSegment(endpoint_, socket.pair.local, socket.pair.remote, transmit->header, payload);
  }
}

void TcpHost::Settle() {
  Timestamp next;
  for (auto entry = sockets_.begin(); entry != sockets_.end();) {
    const Socket& socket = *entry->second;
    if (depth_ == 0 && socket.connection.is_ended()) {
      stats_.retransmissions += socket.connection.retransmissions();
      by_pair_.erase(socket.pair);
      entry = sockets_.erase(entry);
      continue;
    }
    next = std::min(next, socket.connection.NextTimeout());
    ++entry;
  }
  world_.SetTimer(endpoint_, next);
}

}  // namespace jsp::netsim
