#include "ice/tcp_connections.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "stun/message_view.h"
namespace jsp::ice {
namespace {

// A connection that has lived so long did not break because of what is wrong with its path for good.
constexpr Duration kStable = std::chrono::seconds(5);

// RFC 8489 §5: both class bits are 0.
bool IsRequest(std::span<const uint8_t> datagram) {
  return stun::MessageView::LooksLikeStun(datagram) && (datagram[0] & 0x01) == 0 && (datagram[1] & 0x10) == 0;
}

size_t Frame(std::span<const uint8_t> datagram, std::span<uint8_t> out) {
  if (!datagram.empty()) std::memmove(out.data() + kTcpFrameHeader, datagram.data(), datagram.size());
  std::ranges::copy(TcpFrameHeader(datagram.size()), out.begin());
  return kTcpFrameHeader + datagram.size();
}

}  // namespace

TcpConnections::Connection* TcpConnections::Find(TcpId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

const TcpConnections::Connection* TcpConnections::Find(const AddressPair& path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &connections_.at(found->second);
}

bool TcpConnections::IsReady(const AddressPair& path) const {
  const Connection* connection = Find(path);
  return connection != nullptr && connection->state == State::kOpen && connection->is_verified;
}

std::optional<TcpConnections::Transmit> TcpConnections::Send(Timestamp now, const AddressPair& path,
                                                             std::span<const uint8_t> datagram,
                                                             std::span<uint8_t> out) {
  const auto known = by_path_.find(path);
  std::optional<TcpId> id = known == by_path_.end() ? std::nullopt : std::optional(known->second);
  if (!id) {
    // RFC 6544 §11.1: "If the agent's local candidate is tcp-passive, the agent MUST await an incoming connection".
    // And an answer belongs to the connection that its request came over.
    if (path.local.port != kTcpActivePort || !IsRequest(datagram)) return Drop(TcpDrop::kNoConnection), std::nullopt;
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

TcpId TcpConnections::Add(Connection connection) {
  const TcpId id(next_id_++);
  by_path_.emplace(connection.path, id);
  connections_.emplace(id, std::move(connection));
  return id;
}

std::optional<TcpId> TcpConnections::Open(const AddressPair& path) {
  if (connections_.size() >= options_.max_connections) {
    events_.Push(tcp_event::PathFailed{path});
    return Drop(TcpDrop::kTooMany), std::nullopt;
  }
  return Add({.path = path, .deadline = Timestamp::Never()});
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
    const bool must_wait = connection.deadline != Timestamp::Never() && now < connection.deadline;
    if (connection.state != State::kQueued || must_wait) continue;
    connection.deadline = Timestamp::Never();
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
  connection->deadline = now + options_.proof_timeout;
  if (connection->is_again) {
    ++metrics_.reopened;
    events_.Push(tcp_event::Reopened{connection->path});
  }
  ready_.Push(id);
  BeginConnects(now);
}

void TcpConnections::HandleClosed(Timestamp now, TcpId id) {
  if (Find(id) == nullptr) return;
  HandleGone(now, id);
  BeginConnects(now);
}

// Its socket is gone, or of no use any more.
void TcpConnections::HandleGone(Timestamp now, TcpId id) {
  const Connection& connection = *Find(id);
  const AddressPair path = connection.path;
  const bool reopens =
      connection.is_ours() && IsSelected(connection) && (connection.is_verified || connection.is_again);
  // The break itself fails nothing: the path is tried again at once, and consent has its time.
  const bool is_break = reopens && connection.is_verified;
  Remove(id, Ending::kQuiet);
  if (!is_break) events_.Push(tcp_event::PathFailed{path});
  if (reopens) Reopen(now);
}

// A peer that accepts and resets makes us try again with growing pauses only.
void TcpConnections::Reopen(Timestamp now) {
  const bool was_stable = reopening_.verified_at != Timestamp::Never() && now - reopening_.verified_at >= kStable;
  if (was_stable) reopening_.failures = 0;
  reopening_.verified_at = Timestamp::Never();
  constexpr uint32_t kMaxDoublings = 16;
  const uint32_t failures = reopening_.failures++;
  Duration pause{};
  if (failures > 0) {
    pause = std::min<Duration>(options_.reopen_max,
                               options_.reopen_min * (int64_t{1} << std::min(failures - 1, kMaxDoublings)));
  }
  (void)Add({.path = *selected_, .deadline = now + pause, .is_again = true});
}

std::optional<TcpId> TcpConnections::HandleAccepted(Timestamp now, const SocketAddress& listener,
                                                    const SocketAddress& remote) {
  const AddressPair path{listener, remote};
  if (by_path_.contains(path) || !MakeRoomForAccepted()) return Drop(TcpDrop::kTooMany), std::nullopt;
  ++metrics_.accepts;
  return Add({.path = path,
              .state = State::kOpen,
              .deadline = has_completed_ ? now + options_.spare_timeout : Timestamp::Never(),
              .is_verified = true,
              .has_read = true});
}

// A peer whose network drops connections without a word leaves dead ones behind: the oldest goes.
bool TcpConnections::MakeRoomForAccepted() {
  const auto is_accepted = [](const auto& entry) { return !entry.second.is_ours(); };
  const auto accepted = static_cast<size_t>(std::ranges::count_if(connections_, is_accepted));
  if (accepted < options_.max_accepted && connections_.size() < options_.max_connections) return true;
  const auto oldest = std::ranges::find_if(
      connections_, [&](const auto& entry) { return is_accepted(entry) && !IsSelected(entry.second); });
  if (oldest == connections_.end()) return false;
  events_.Push(tcp_event::PathFailed{oldest->second.path});
  Remove(oldest->first, Ending::kClose);
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

void TcpConnections::HandleAuthenticated(Timestamp now, const AddressPair& path) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Connection& connection = connections_.at(found->second);
  if (connection.state != State::kOpen || connection.is_verified) return;
  connection.is_verified = true;
  const bool is_spare = has_completed_ && !IsSelected(connection);
  connection.deadline = is_spare ? now + options_.spare_timeout : Timestamp::Never();
  if (IsSelected(connection)) reopening_.verified_at = now;
}

void TcpConnections::Select(Timestamp now, const std::optional<AddressPair>& path) {
  if (selected_ == path) return;
  if (const auto former = selected_ ? by_path_.find(*selected_) : by_path_.end(); former != by_path_.end()) {
    Connection& connection = connections_.at(former->second);
    if (connection.is_again && connection.state == State::kQueued) {
      Remove(former->second, Ending::kQuiet);
    } else if (has_completed_ && connection.is_verified) {
      connection.deadline = now + options_.spare_timeout;
    }
  }
  selected_ = path;
  reopening_ = {.failures = 0, .verified_at = now};
  const auto present = path ? by_path_.find(*path) : by_path_.end();
  if (present == by_path_.end()) return;
  Connection& connection = connections_.at(present->second);
  if (connection.is_verified) connection.deadline = Timestamp::Never();
}

void TcpConnections::CloseOthers(Timestamp now) {
  has_completed_ = true;
  std::vector<TcpId> queued;
  for (auto& [id, connection] : connections_) {
    if (IsSelected(connection)) continue;
    connection.deadline = std::min(connection.deadline, now + options_.closing_delay);
    if (connection.state == State::kQueued) queued.push_back(id);
  }
  for (const TcpId id : queued) {
    events_.Push(tcp_event::PathFailed{Find(id)->path});
    Remove(id, Ending::kQuiet);
  }
}

void TcpConnections::LoseAddress(const IpAddress& address) {
  if (selected_ && selected_->local.ip == address) selected_.reset();
  std::vector<TcpId> gone;
  for (const auto& [id, connection] : connections_) {
    if (connection.path.local.ip == address) gone.push_back(id);
  }
  for (const TcpId id : gone) Remove(id, Ending::kClose);
}

void TcpConnections::Close() {
  selected_.reset();
  while (!connections_.empty()) Remove(connections_.begin()->first, Ending::kClose);
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
    if (connection.state != State::kQueued && now >= connection.deadline) late.push_back(id);
  }
  for (const TcpId id : late) {
    events_.Push(tcp_event::CloseWanted{id});
    HandleGone(now, id);
  }
  BeginConnects(now);
}

Timestamp TcpConnections::NextTimeout() const {
  Timestamp next;
  for (const auto& [id, connection] : connections_) next = std::min(next, connection.deadline);
  return next;
}

}  // namespace jsp::ice
