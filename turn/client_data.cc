// The data path of Client: permissions, channels, indications (RFC 8656 §9 to §12).
#include <algorithm>
#include <utility>

#include "stun/message_builder.h"
#include "turn/client.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;

constexpr size_t kMaxQueuedOctets = 64 * 1024;

}  // namespace

std::optional<SendError> Client::CannotReach(const IpAddress& peer) const {
  if (!is_allocated() || options_.relay != RelayProtocol::kUdp) return SendError::kNotAllocated;
  // RFC 8656 §10.1, §12.1: only "addresses of the same address family as that of the relayed transport address".
  if (!allocation_->HasFamily(peer)) return SendError::kWrongFamily;
  return std::nullopt;
}

bool Client::StartPermission(const IpAddress& peer) {
  switch (permissions_.Add(now_, peer)) {
    case PermissionTable::Added::kNew:
      StartRequest(RequestKind::kCreatePermission, {peer, 0}, 0);
      return true;
    case PermissionTable::Added::kKnown:
      return true;
    case PermissionTable::Added::kRefused:
    case PermissionTable::Added::kFull:
      break;
  }
  return false;
}

bool Client::StartChannel(const SocketAddress& peer) {
  const auto* channel = channels_.Add(now_, peer);
  if (channel == nullptr) return false;
  const bool missing = channel->state == ChannelTable::State::kRequested;
  if (missing && transactions_.Find(RequestKind::kChannelBind, peer) == nullptr) {
    StartRequest(RequestKind::kChannelBind, peer, channel->number.value);
  }
  return true;
}

Expected<void, SendError> Client::AddPermission(Timestamp now, const IpAddress& peer) {
  Advance(now);
  // RFC 6062 §4.4 has permissions, too: they let peers connect.
  if (!is_allocated()) return Unexpected<SendError>(SendError::kNotAllocated);
  if (!allocation_->HasFamily(peer)) return Unexpected<SendError>(SendError::kWrongFamily);
  if (StartPermission(peer)) return {};
  const bool refused = permissions_.Find(now_, peer) == PermissionTable::State::kRefused;
  return Unexpected<SendError>(refused ? SendError::kRefused : SendError::kTooManyPeers);
}

Expected<void, SendError> Client::BindChannel(Timestamp now, const SocketAddress& peer) {
  Advance(now);
  if (const auto error = CannotReach(peer.ip)) return Unexpected<SendError>(*error);
  if (permissions_.Find(now_, peer.ip) == PermissionTable::State::kRefused) {
    return Unexpected<SendError>(SendError::kRefused);
  }
  if (!StartChannel(peer)) return Unexpected<SendError>(SendError::kTooManyPeers);
  return {};
}

void Client::Forget(Timestamp now, const SocketAddress& peer) {
  Advance(now);
  channels_.Forget(now_, peer);
  permissions_.Remove(peer.ip);
}

// Which way data goes, and a request for a better one where there is none yet.
Client::Path Client::PathTo(const SocketAddress& peer) {
  const auto* channel = channels_.FindByPeer(now_, peer);
  if (channel != nullptr && channel->state == ChannelTable::State::kBound) return Path::kChannel;
  const auto permission = permissions_.Find(now_, peer.ip);
  if (permission == PermissionTable::State::kRefused) return Path::kRefused;
  if (permission == PermissionTable::State::kGranted) {
    if (channel == nullptr) (void)StartChannel(peer);
    return Path::kIndication;
  }
  if (options_.first_data == FirstData::kOnNewChannel) {
    if (channel == nullptr && StartChannel(peer)) channel = channels_.FindByPeer(now_, peer);
    if (channel != nullptr) {
      const Transaction* bind = transactions_.Find(RequestKind::kChannelBind, peer);
      // RFC 8656 §12: ChannelData may follow the request at once; not overtake it.
      return bind != nullptr && bind->schedule.sent() > 0 ? Path::kChannel : Path::kWait;
    }
  }
  return StartPermission(peer.ip) ? Path::kWait : Path::kNone;
}

size_t Client::WriteData(Path path, const SocketAddress& peer, std::span<const uint8_t> data, std::span<uint8_t> out) {
  if (path == Path::kChannel) {
    const auto* channel = channels_.FindByPeer(now_, peer);
    return WriteChannelData(FramingOf(options_.transport), {channel->number, data}, out).size();
  }
  // RFC 8656 §11.1.
  stun::MessageBuilder indication(out, {Method::kSend, MessageClass::kIndication}, stun::TransactionId::Random(*rng_));
  indication.AddAddress(AttributeType::kXorPeerAddress, peer);
  if (options_.dont_fragment && !attempts_.without_dont_fragment) Add(indication, DontFragment{});
  indication.Add(AttributeType::kData, data);
  return indication.Finish().size();
}

Expected<size_t, SendError> Client::Send(Timestamp now, const SocketAddress& peer, std::span<const uint8_t> data,
                                         std::span<uint8_t> out) {
  Advance(now);
  using Error = Unexpected<SendError>;
  if (const auto error = CannotReach(peer.ip)) return Error(*error);
  if (data.size() > kMaxChannelDataPayload - kMaxOverhead) return Error(SendError::kTooLong);
  const Path path = PathTo(peer);
  if (path == Path::kRefused) return Error(SendError::kRefused);
  if (path == Path::kNone) return Error(SendError::kTooManyPeers);
  if (path != Path::kWait) {
    const size_t size = WriteData(path, peer, data, out);
    if (size == 0) return Error(SendError::kSmallBuffer);
    ++metrics_.data_sent;
    return size;
  }
  size_t octets = data.size();
  for (const Queued& queued : queued_) octets += queued.data.size();
  if (queued_.size() >= options_.limits.max_queued || octets > kMaxQueuedOctets) return Error(SendError::kQueueFull);
  queued_.push_back({peer, {data.begin(), data.end()}});
  return size_t{0};
}

// Requests have left before this is called, so that data does not overtake the request that it depends on.
std::optional<Client::Transmit> Client::PollQueued(std::span<uint8_t> out) {
  for (size_t i = 0; i < queued_.size();) {
    const SocketAddress peer = queued_[i].peer;
    const Path path = is_allocated() ? PathTo(peer) : Path::kNone;
    if (path == Path::kWait) {
      ++i;
      continue;
    }
    const bool sendable = path == Path::kChannel || path == Path::kIndication;
    const size_t size = sendable ? WriteData(path, peer, queued_[i].data, out) : 0;
    if (sendable && size == 0) return std::nullopt;  // `out` is too small
    queued_.erase(queued_.begin() + static_cast<std::ptrdiff_t>(i));
    if (sendable) {
      ++metrics_.data_sent;
      return Transmit{size, options_.local, options_.server};
    }
    Drop(ClientDrop::kQueuedDataDropped);
  }
  return std::nullopt;
}

std::optional<Client::Received> Client::HandleChannelData(std::span<const uint8_t> message) {
  const auto parsed = ParseChannelData(message);
  if (!parsed) {
    Drop(ClientDrop::kUnparsable);
    return std::nullopt;
  }
  // RFC 8656 §12: accepted "as soon as it has sent the ChannelBind request".
  const auto* channel = is_allocated() ? channels_.FindByNumber(now_, parsed->channel) : nullptr;
  if (channel == nullptr) {
    Drop(ClientDrop::kUnknownChannel);
    return std::nullopt;
  }
  ++metrics_.data_received;
  return Received{channel->peer, parsed->data};
}

std::optional<Client::Received> Client::HandleIndication(const stun::MessageView& message) {
  std::array<AttributeType, 1> unknown;
  const bool understood = message.UnknownAttributes(kKnownAttributes, unknown) == 0;
  if (understood && is_allocated()) {
    if (message.method() == Method::kData) return HandleDataIndication(message);
    if (message.method() == Method::kConnectionAttempt && options_.relay == RelayProtocol::kTcp) {
      HandleConnectionAttempt(message);
      return std::nullopt;
    }
  }
  // RFC 8489 §6.3.2: an indication with an unknown comprehension-required attribute is discarded.
  Drop(ClientDrop::kUnexpected);
  return std::nullopt;
}

// RFC 8656 §11.4, §11.6.
std::optional<Client::Received> Client::HandleDataIndication(const stun::MessageView& message) {
  const auto peer = message.FindAddress(AttributeType::kXorPeerAddress);
  const auto data = message.Find(AttributeType::kData);
  const auto icmp = Find<Icmp>(message);
  if (!peer || (!data && !icmp)) {
    Drop(ClientDrop::kMalformed);
    return std::nullopt;
  }
  const bool permitted = permissions_.Accepts(now_, peer->ip) || channels_.FindByPeer(now_, *peer) != nullptr;
  if (!permitted) {
    Drop(ClientDrop::kNoPermission);
    return std::nullopt;
  }
  if (icmp) {
    events_.Push(event::PeerUnreachable{*peer, *icmp});
    return std::nullopt;
  }
  ++metrics_.data_received;
  return Received{*peer, *data};
}

// RFC 6062 §4.4.
void Client::HandleConnectionAttempt(const stun::MessageView& message) {
  const auto peer = message.FindAddress(AttributeType::kXorPeerAddress);
  const auto id = Find<ConnectionId>(message);
  if (!peer || !id || FindConnection(*id) != nullptr) return Drop(ClientDrop::kMalformed);
  if (!permissions_.Accepts(now_, peer->ip)) return Drop(ClientDrop::kNoPermission);
  ExpireConnections();
  if (connections_.size() >= options_.limits.max_connections) return Drop(ClientDrop::kTooManyConnections);
  connections_.push_back(
      {.peer = *peer, .state = PeerConnection::State::kPending, .id = *id, .until = now_ + kConnectionBindTimeout});
  events_.Push(event::ConnectionPending{*id, *peer, event::ConnectionOrigin::kPeer});
}

}  // namespace jsp::turn
