#include "turn/client.h"

#include <algorithm>
#include <utility>
namespace jsp::turn {
namespace {

constexpr size_t kMaxConnectionsUnderWay = 4096;  // numbers of transactions stay small whatever the options say

stun::RetransmitOptions RetransmitFor(const ClientOptions& options) {
  return IsStream(options.transport) ? stun::RetransmitOptions::Reliable() : options.retransmit;
}

}  // namespace

Client::Client(const ClientOptions& options, Rng& rng)
    : options_(options),
      rng_(&rng),
      now_(Timestamp::FromEpoch(Duration::zero())),
      credentials_(options.credentials.username, options.credentials.password, stun::AlgorithmChoice::kSha256IfOffered),
      transactions_(RetransmitFor(options), rng),
      permissions_(options.limits.max_permissions),
      channels_(options.limits.max_channels) {
  options_.limits.max_connections = std::min(options_.limits.max_connections, kMaxConnectionsUnderWay);
  if (options_.credentials.challenge && !options_.credentials.username.empty())
    credentials_.Adopt(*options_.credentials.challenge);
}

// base/sans_io.h, rule 1: an earlier `now` than last time is treated as last time.
void Client::Advance(Timestamp now) {
  if (now != Timestamp::Never()) now_ = std::max(now_, now);
}

Transaction& Client::StartRequest(RequestKind kind, const SocketAddress& peer, uint32_t number) {
  return transactions_.Start(kind, peer, number, options_.local);
}

void Client::Start(Timestamp now) {
  Advance(now);
  if (state_ != State::kIdle) return;
  state_ = State::kAllocating;
  if (Validate(options_)) return FailAllocation(AllocationFailure::kBadOptions, 0, "");
  StartRequest(RequestKind::kAllocate, {}, 0);
}

void Client::Restart(Timestamp now, const SocketAddress& local) {
  Advance(now);
  if (state_ != State::kWaitingForOwner) return;
  options_.local = local;
  state_ = State::kAllocating;
  StartRequest(RequestKind::kAllocate, {}, 0);
}

void Client::Close(Timestamp now) {
  Advance(now);
  switch (state_) {
    case State::kAllocated:
      state_ = State::kClosing;
      ForgetAllocation();
      StartRequest(RequestKind::kDelete, {}, 0);
      break;
    case State::kAllocating:
      // An allocation that may come to be is deleted as soon as the server says that it is there (RFC 8656 §8).
      state_ = State::kClosing;
      break;
    case State::kIdle:
    case State::kWaitingForOwner:
      state_ = State::kEnded;
      events_.Push(event::Closed{});
      break;
    case State::kClosing:
    case State::kDeleting:
    case State::kEnded:
      break;
  }
}

Expected<void, MoveError> Client::Move(Timestamp now, const SocketAddress& local) {
  Advance(now);
  if (!is_allocated()) return Unexpected<MoveError>(MoveError::kNotAllocated);
  // RFC 8016 §3.2.1: "If there has been no IP address or source port number change, the client MUST NOT include a
  // MOBILITY-TICKET attribute".
  if (allocation_->ticket().empty() || local == options_.local) return Unexpected<MoveError>(MoveError::kNoTicket);
  if (transactions_.Has(RequestKind::kMove)) return Unexpected<MoveError>(MoveError::kAlreadyMoving);
  transactions_.Start(RequestKind::kMove, {}, 0, local);
  return {};
}

Expected<void, ConnectError> Client::Connect(Timestamp now, const SocketAddress& peer) {
  Advance(now);
  using Error = Unexpected<ConnectError>;
  if (!is_allocated()) return Error(ConnectError::kNotAllocated);
  if (options_.relay != RelayProtocol::kTcp) return Error(ConnectError::kNotTcp);
  if (!allocation_->HasFamily(peer.ip)) return Error(ConnectError::kWrongFamily);
  ExpireConnections();
  const auto known = std::ranges::find(connections_, peer, &PeerConnection::peer);
  if (known != connections_.end()) {
    // RFC 6062 §4.3: after a 447 "MUST wait at least 10 seconds", and never two requests for one peer at a time.
    const bool failed = known->state == PeerConnection::State::kFailed;
    return Error(failed ? ConnectError::kTooSoon : ConnectError::kAlreadyConnecting);
  }
  if (connections_.size() >= options_.limits.max_connections) return Error(ConnectError::kTooMany);
  connections_.push_back({.peer = peer, .state = PeerConnection::State::kConnecting});
  StartRequest(RequestKind::kConnect, peer, 0);
  return {};
}

void Client::BindConnection(Timestamp now, ConnectionId connection, const SocketAddress& local) {
  Advance(now);
  PeerConnection* found = FindConnection(connection);
  if (found == nullptr || found->state != PeerConnection::State::kPending) return;
  found->state = PeerConnection::State::kBinding;
  found->until = Timestamp::Never();
  transactions_.Start(RequestKind::kConnectionBind, found->peer, connection.value, local);
}

void Client::HandleConnectionClosed(ConnectionId connection) {
  const PeerConnection* found = FindConnection(connection);
  if (found == nullptr) return;
  if (const Transaction* bind = transactions_.Find(RequestKind::kConnectionBind, found->peer)) {
    transactions_.Remove(stun::TransactionId(bind->id));
  }
  std::erase_if(connections_, [&](const PeerConnection& c) {
    return c.id == connection && c.state != PeerConnection::State::kConnecting &&
           c.state != PeerConnection::State::kFailed;
  });
}

Client::PeerConnection* Client::FindConnection(ConnectionId id) {
  const auto found = std::ranges::find_if(connections_, [&](const PeerConnection& c) {
    return c.id == id && c.state != PeerConnection::State::kConnecting && c.state != PeerConnection::State::kFailed;
  });
  return found == connections_.end() ? nullptr : &*found;
}

void Client::ExpireConnections() {
  std::erase_if(connections_, [&](const PeerConnection& c) { return c.until <= now_; });
}

Client::Handled Client::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                                       std::span<const uint8_t> datagram) {
  Advance(now);
  if (remote != options_.server) {
    Drop(ClientDrop::kWrongAddress);
    return {};
  }
  Handled handled{.mine = true, .data = std::nullopt};
  const MessageKind kind = datagram.empty() ? MessageKind::kOther : KindOf(datagram[0]);
  if (kind == MessageKind::kChannelData) {
    handled.data = HandleChannelData(datagram);
    return handled;
  }
  const auto message = kind == MessageKind::kStun ? stun::MessageView::Parse(datagram)
                                                  : Unexpected<stun::ParseError>({stun::ParseErrc::kNotStun, 0});
  if (!message) {
    Drop(ClientDrop::kUnparsable);
  } else if (message->VerifyFingerprint() == stun::IntegrityStatus::kInvalid) {
    Drop(ClientDrop::kBadFingerprint);
  } else if (message->message_class() == stun::MessageClass::kIndication) {
    handled.data = HandleIndication(*message);
  } else if (message->message_class() == stun::MessageClass::kRequest) {
    Drop(ClientDrop::kUnexpected);
  } else {
    HandleResponse(local, *message);
  }
  return handled;
}

void Client::HandleTransportFailed(Timestamp now) {
  Advance(now);
  if (state_ == State::kAllocating) FailAllocation(AllocationFailure::kUnreachable, 0, "");
  if (state_ == State::kAllocated) LoseAllocation(AllocationFailure::kUnreachable, 0);
  if (state_ == State::kClosing) {
    state_ = State::kEnded;
    ForgetAllocation();
    events_.Push(event::Closed{});
  }
}

void Client::Refresh(Timestamp now) {
  Advance(now);
  if (is_allocated() && !is_refreshing()) StartRequest(RequestKind::kRefresh, {}, 0);
}

void Client::HandleTimeout(Timestamp now) {
  Advance(now);
  while (const auto expired = transactions_.PopTimedOut(now_)) HandleTimedOut(*expired);
  if (!is_allocated()) return;
  if (allocation_->IsExpired(now_)) return LoseAllocation(AllocationFailure::kExpired, 0);
  if (allocation_->PopRefreshDue(now_)) StartRequest(RequestKind::kRefresh, {}, 0);
  // Channels first: a ChannelBind renews the peer's permission, too (RFC 8656 §12.1).
  while (const auto* channel = channels_.PopDue(now_)) {
    StartRequest(RequestKind::kChannelBind, channel->peer, channel->number.value);
  }
  while (const auto peer = permissions_.PopDue(now_)) {
    StartRequest(RequestKind::kCreatePermission, {*peer, 0}, 0);
  }
  ExpireConnections();
}

std::optional<Client::Transmit> Client::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  Advance(now);
  if (Transaction* next = transactions_.NextToSend()) {
    next->generation = credentials_.has_challenge() ? credentials_.generation() : 0;
    const auto request = BuildRequest(*next, out);
    if (request.empty()) return std::nullopt;
    transactions_.HandleSent(now_, *next);
    ++metrics_.requests_sent;
    return Transmit{request.size(), next->local, options_.server};
  }
  return queued_.empty() ? std::nullopt : PollQueued(out);
}

Timestamp Client::NextTimeout() const {
  Timestamp next = transactions_.NextTimeout();
  if (!is_allocated()) return next;
  next = std::min({next, allocation_->NextTimeout(), channels_.NextTimeout(), permissions_.NextTimeout()});
  for (const PeerConnection& connection : connections_) next = std::min(next, connection.until);
  return next;
}

}  // namespace jsp::turn
