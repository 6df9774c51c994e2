// Connections with peers (RFC 6062 §5).
#include <algorithm>

#include "turn/server/server.h"
#include "turn/server/server_send.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;
namespace error_code = stun::error_code;

}  // namespace

// RFC 6062 §5.2. That there is an allocation was checked: 437.
void Server::HandleConnect(const Request& request) {
  const uint32_t index = *request.allocation;
  ServerAllocation& record = allocations_.at(index);
  const auto peer = request.message.FindAddress(AttributeType::kXorPeerAddress);
  if (record.protocol != RelayProtocol::kTcp || !peer) return Refuse(request, error_code::kBadRequest);
  for (const ConnectionId id : record.connections) {
    const RelayedConnection* other = connections_.Find(id);
    if (other == nullptr || other->peer != *peer) continue;
    // A retransmission of the request that is under way is no second one.
    const bool same = other->connect_id == request.message.transaction_id();
    if (same && other->state == RelayedConnection::State::kConnecting) return Drop(ServerDrop::kOpening);
    return Refuse(request, error_code::kConnectionAlreadyExists);
  }
  if (!record.family(peer->ip).relay.is_set()) return Refuse(request, error_code::kPeerAddressFamilyMismatch);
  if (!MayReach(*peer, record.protocol)) return Refuse(request, error_code::kForbidden);
  if (record.connections.size() >= options_.limits.connections) {
    return Refuse(request, error_code::kInsufficientCapacity);
  }
  const ConnectionId id = connections_.Add({.allocation = index,
                                            .peer = *peer,
                                            .state = RelayedConnection::State::kConnecting,
                                            .until = now_ + options_.lifetimes.connect,
                                            .connect_id = request.message.transaction_id(),
                                            .connect_key = request.key});
  record.connections.push_back(id);
  events_.Push(ConnectPeer{record.family(peer->ip).relay, id, *peer});
}

void Server::AnswerConnect(const RelayedConnection& connection, std::variant<ConnectionId, uint16_t> answer) {
  const bool connected = std::holds_alternative<ConnectionId>(answer);
  const MessageClass message_class = connected ? MessageClass::kSuccessResponse : MessageClass::kErrorResponse;
  const Reply reply{allocations_.at(connection.allocation).path,
                    {Method::kConnect, message_class},
                    connection.connect_id,
                    connection.connect_key,
                    true};
  Send(reply, [&](stun::MessageBuilder& b) {
    if (connected) {
      Add(b, std::get<ConnectionId>(answer));
    } else {
      b.AddError(std::get<uint16_t>(answer), stun::ReasonPhrase(std::get<uint16_t>(answer)));
      ++metrics_.errors[std::get<uint16_t>(answer) - 300u];
    }
  });
}

void Server::HandlePeerConnected(Timestamp now, ConnectionId id) {
  Advance(now);
  RelayedConnection* connection = connections_.Find(id);
  if (connection == nullptr || connection->state != RelayedConnection::State::kConnecting) return;
  connection->state = RelayedConnection::State::kPending;
  connections_.SetDeadline(id, now_ + kConnectionBindTimeout);
  AnswerConnect(*connection, id);
}

void Server::HandlePeerFailed(Timestamp now, ConnectionId id) {
  Advance(now);
  RelayedConnection* connection = connections_.Find(id);
  if (connection == nullptr || connection->state != RelayedConnection::State::kConnecting) return;
  AnswerConnect(*connection, error_code::kConnectionTimeoutOrFailure);
  // The owner has no socket to close any more.
  std::erase(allocations_.at(connection->allocation).connections, id);
  connections_.Remove(id);
}

// RFC 6062 §5.3; T3: "If no permission for this peer has been installed …, the server MUST close the connection".
std::optional<ConnectionId> Server::HandlePeerAccepted(Timestamp now, RelayHandle relay, const SocketAddress& peer) {
  Advance(now);
  const Relay* found = relays_.Find(relay);
  if (found == nullptr || found->state != Relay::State::kOpen || found->protocol != RelayProtocol::kTcp) {
    Drop(ServerDrop::kLateRelay);
    return std::nullopt;
  }
  ServerAllocation& record = allocations_.at(found->allocation);
  if (record.state != ServerAllocation::State::kActive || !record.peers.IsPermitted(now_, peer.ip)) {
    Drop(ServerDrop::kNoPermission);
    return std::nullopt;
  }
  if (record.connections.size() >= options_.limits.connections) {
    Drop(ServerDrop::kOverload);
    return std::nullopt;
  }
  const ConnectionId id = connections_.Add({.allocation = found->allocation,
                                            .peer = peer,
                                            .state = RelayedConnection::State::kPending,
                                            .until = now_ + kConnectionBindTimeout});
  record.connections.push_back(id);
  SendIndication(record.path, Method::kConnectionAttempt, peer, id);
  return id;
}

// RFC 6062 §5.4, over a connection of its own.
void Server::HandleConnectionBind(Request& request) {
  const auto id = Find<ConnectionId>(request.message);
  RelayedConnection* connection = id ? connections_.Find(*id) : nullptr;
  const bool is_stream = IsStream(TransportOf(request.path.listener));
  // The system may have given this connection to another worker than the one with the allocation.
  const WorkerIndex worker{static_cast<uint8_t>(id ? id->value & 0xff : 0)};
  if (id && is_stream && !request.allocation && HandOver(request, worker)) return;
  const bool usable = is_stream && !request.allocation && connection != nullptr &&
                      connection->state == RelayedConnection::State::kPending &&
                      !connections_.FindByClient(request.path);
  if (!usable) return Refuse(request, error_code::kBadRequest);
  // RFC 6062 §4.3: "the same method and credentials as for the control connection".
  if (!(allocations_.at(connection->allocation).keys == request.keys)) {
    return Refuse(request, error_code::kWrongCredentials);
  }
  connection->state = RelayedConnection::State::kBound;
  connections_.SetDeadline(*id, Timestamp::Never());
  connections_.SetClient(*id, request.path);
  ++metrics_.connections_bound;
  Succeed(request);
  events_.Push(Splice{*id, request.path});
}

// RFC 6062 §5.5: with either side goes the other.
void Server::HandlePeerClosed(Timestamp now, ConnectionId connection) {
  Advance(now);
  RemoveConnection(connection);
}

void Server::RemoveConnection(ConnectionId id) {
  const RelayedConnection* connection = connections_.Find(id);
  if (connection == nullptr) return;
  events_.Push(CloseConnection{id, connection->client});
  std::erase(allocations_.at(connection->allocation).connections, id);
  connections_.Remove(id);
}

void Server::ExpireConnections() {
  while (const auto id = connections_.FindDue(now_)) {
    const RelayedConnection* connection = connections_.Find(*id);
    if (connection->state == RelayedConnection::State::kConnecting) {
      AnswerConnect(*connection, error_code::kConnectionTimeoutOrFailure);  // RFC 6062 §5.2
    }
    RemoveConnection(*id);  // RFC 6062 §5.2, §5.3: not bound for 30 seconds
  }
}

}  // namespace jsp::turn
