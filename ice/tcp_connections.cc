#include "ice/tcp_connections.h"

#include <algorithm>
#include <utility>

#include "stun/message_view.h"
namespace jsp::ice {
namespace {

// A restarted session leaves one behind, rarely more.
constexpr size_t kMaxBroken = 4;

size_t Frame(std::span<const uint8_t> datagram, std::span<uint8_t> out) {
  std::ranges::copy(TcpFrameHeader(datagram.size()), out.begin());
  std::ranges::copy(datagram, out.begin() + kTcpFrameHeader);
  return kTcpFrameHeader + datagram.size();
}

}  // namespace

TcpConnections::Connection* TcpConnections::Find(TcpId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

bool TcpConnections::IsOpen(const AddressPair& path) const {
  const auto found = by_path_.find(path);
  return found != by_path_.end() && connections_.at(found->second).state == State::kOpen;
}

std::optional<TcpConnections::Transmit> TcpConnections::Send(Timestamp now, const AddressPair& path,
                                                             std::span<const uint8_t> datagram,
                                                             std::span<uint8_t> out) {
  const auto known = by_path_.find(path);
  std::optional<TcpId> id = known == by_path_.end() ? std::nullopt : std::optional(known->second);
  if (!id) {
    // RFC 6544 §11.1: "If the agent's local candidate is tcp-passive, the agent MUST await an incoming connection".
    if (path.local.port != kTcpActivePort) return Drop(TcpDrop::kNoConnection), std::nullopt;
    id = Open(path);
    if (!id) return std::nullopt;
    BeginConnects(now);
  }
  Connection& connection = *Find(*id);
  // RFC 6544 §11.1: data may follow only once a check has proved the connection, also a reopened one.
  if (!connection.is_verified && !stun::MessageView::LooksLikeStun(datagram)) {
    return Drop(TcpDrop::kNotVerified), std::nullopt;
  }
  if (connection.state != State::kOpen || !connection.waiting.empty()) return Wait(connection, datagram), std::nullopt;
  return Transmit{Frame(datagram, out), *id};
}

void TcpConnections::Wait(Connection& connection, std::span<const uint8_t> datagram) {
  const size_t size = kTcpFrameHeader + datagram.size();
  if (connection.waiting.size() + size > options_.max_waiting) return Drop(TcpDrop::kTooMuchWaits);
  connection.waiting.resize(connection.waiting.size() + size);
  (void)Frame(datagram, std::span(connection.waiting).last(size));
}

std::optional<TcpConnections::Transmit> TcpConnections::PollTransmit(Timestamp, std::span<uint8_t> out) {
  while (const auto id = ready_.Pop()) {
    Connection* connection = Find(*id);
    if (connection == nullptr || connection->waiting.empty()) continue;
    const size_t size = std::min(connection->waiting.size(), out.size());  // octets of a stream: any cut will do
    std::copy_n(connection->waiting.begin(), size, out.begin());
    connection->waiting.erase(connection->waiting.begin(), connection->waiting.begin() + static_cast<ptrdiff_t>(size));
    if (!connection->waiting.empty()) ready_.Push(*id);
    if (size > 0) return Transmit{size, *id};
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<TcpId> TcpConnections::Open(const AddressPair& path) {
  if (!MakeRoom()) {
    events_.Push(tcp_event::PathFailed{path});
    return Drop(TcpDrop::kTooMany), std::nullopt;
  }
  const TcpId id(next_id_++);
  connections_.emplace(id, Connection{.path = path, .is_again = std::erase(broken_, path) > 0});
  by_path_.emplace(path, id);
  return id;
}

size_t TcpConnections::ConnectsTo(const IpAddress& host) const {
  return static_cast<size_t>(std::ranges::count_if(connections_, [&](const auto& entry) {
    return entry.second.state == State::kConnecting && entry.second.path.remote.ip == host;
  }));
}

// RFC 6544 §12: "an ICE agent SHOULD NOT have more than 5 outstanding TCP connection attempts with the same peer to the
// same IP address". The oldest go first.
void TcpConnections::BeginConnects(Timestamp now) {
  for (auto& [id, connection] : connections_) {
    if (connection.state != State::kQueued) continue;
    if (ConnectsTo(connection.path.remote.ip) >= options_.max_connects_per_host) continue;
    connection.state = State::kConnecting;
    connection.deadline = now + options_.connect_timeout;
    ++metrics_.connects;
    events_.Push(tcp_event::ConnectWanted{id, connection.path.local, connection.path.remote});
  }
}

void TcpConnections::HandleConnected(Timestamp now, TcpId id) {
  Connection* connection = Find(id);
  if (connection == nullptr || connection->state != State::kConnecting) return;
  connection->state = State::kOpen;
  connection->deadline = Timestamp::Never();
  if (connection->is_again) events_.Push(tcp_event::Reopened{connection->path});
  ready_.Push(id);
  BeginConnects(now);
}

void TcpConnections::HandleClosed(Timestamp now, TcpId id) {
  const Connection* connection = Find(id);
  if (connection == nullptr) return;
  const AddressPair path = connection->path;
  const bool was_verified = connection->is_verified;
  Remove(id, Ending::kQuiet);
  if (was_verified) {
    // The path has not failed: consent, or the next datagram, opens it anew.
    if (broken_.size() == kMaxBroken) broken_.erase(broken_.begin());
    broken_.push_back(path);
  } else {
    events_.Push(tcp_event::PathFailed{path});
  }
  BeginConnects(now);
}

std::optional<TcpId> TcpConnections::HandleAccepted(Timestamp now, const SocketAddress& listener,
                                                    const SocketAddress& remote) {
  const AddressPair path{listener, remote};
  if (by_path_.contains(path) || !MakeRoom()) return Drop(TcpDrop::kTooMany), std::nullopt;
  const TcpId id(next_id_++);
  connections_.emplace(id, Connection{.path = path,
                                      .state = State::kOpen,
                                      .deadline = now + options_.stranger_timeout,
                                      .is_again = std::erase(broken_, path) > 0});
  by_path_.emplace(path, id);
  ++metrics_.accepts;
  return id;
}

// For one more: the oldest that was accepted and has not proved anything goes.
bool TcpConnections::MakeRoom() {
  if (connections_.size() < options_.max_connections) return true;
  const auto stranger = std::ranges::find_if(connections_, [](const auto& entry) {
    return entry.second.path.local.port != kTcpActivePort && !entry.second.is_verified;
  });
  if (stranger == connections_.end()) return false;
  Remove(stranger->first, Ending::kClose);
  return true;
}

std::optional<TcpConnections::Received> TcpConnections::Next(Timestamp, TcpId id, std::span<const uint8_t>& octets) {
  Connection* connection = Find(id);
  if (connection == nullptr || connection->state != State::kOpen) {
    if (!octets.empty()) Drop(TcpDrop::kUnknown);
    octets = {};
    return std::nullopt;
  }
  const auto datagram = connection->reader.Next(octets);
  if (!datagram) return std::nullopt;
  if (!std::exchange(connection->has_read, true) && !stun::MessageView::LooksLikeStun(*datagram)) {
    // RFC 6544 §7.1: "the remote candidate address apparently was not one of the peer's addresses".
    const AddressPair path = connection->path;
    Drop(TcpDrop::kNotStunFirst);
    octets = {};
    Remove(id, Ending::kClose);
    events_.Push(tcp_event::PathFailed{path});
    return std::nullopt;
  }
  return Received{connection->path, *datagram};
}

void TcpConnections::HandleAuthenticated(const AddressPair& path) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Connection& connection = connections_.at(found->second);
  if (connection.state != State::kOpen) return;
  connection.is_verified = true;
  connection.deadline = Timestamp::Never();
}

void TcpConnections::KeepOnly(const AddressPair& path) {
  std::vector<TcpId> others;
  for (const auto& [id, connection] : connections_) {
    if (connection.path != path) others.push_back(id);
  }
  for (const TcpId id : others) Remove(id, Ending::kClose);
  std::erase_if(broken_, [&](const AddressPair& other) { return other != path; });
}

void TcpConnections::Remove(TcpId id, Ending ending) {
  const auto found = connections_.find(id);
  const bool has_socket = found->second.state != State::kQueued;
  by_path_.erase(found->second.path);
  connections_.erase(found);
  if (ending == Ending::kClose && has_socket) events_.Push(tcp_event::CloseWanted{id});
}

void TcpConnections::HandleTimeout(Timestamp now) {
  std::vector<TcpId> late;
  for (const auto& [id, connection] : connections_) {
    if (now >= connection.deadline) late.push_back(id);
  }
  for (const TcpId id : late) {
    const Connection& connection = *Find(id);
    const AddressPair path = connection.path;
    const bool was_connecting = connection.state == State::kConnecting;
    Remove(id, Ending::kClose);
    if (was_connecting) events_.Push(tcp_event::PathFailed{path});
  }
  if (!late.empty()) BeginConnects(now);
}

Timestamp TcpConnections::NextTimeout() const {
  Timestamp next;
  for (const auto& [id, connection] : connections_) next = std::min(next, connection.deadline);
  return next;
}

}  // namespace jsp::ice
