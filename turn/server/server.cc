#include "turn/server/server.h"

#include <algorithm>
#include <utility>

#include "base/wire_layout.h"
#include "stun/text_attribute.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;

// The i-th datagram of a train begins at i segments; a single one is all of it.
std::span<const uint8_t> FirstOf(std::span<const uint8_t> octets, size_t segment_size) {
  return segment_size == 0 ? octets : octets.first(std::min(segment_size, octets.size()));
}

// Over which a client of a listener can come, if it is a relay.
RelayProtocol RelayProtocolOf(ControlTransport transport) {
  return IsStream(transport) ? RelayProtocol::kTcp : RelayProtocol::kUdp;
}

size_t CountOf(const Train& train) {
  return train.segment_size == 0 ? 1 : (train.octets.size() + train.segment_size - 1) / train.segment_size;
}

// In front of the payload of a Data indication (RFC 8656 §11.3): all of the message but the value of DATA.
void WriteDataPrefix(const SocketAddress& peer, const stun::TransactionId& id, size_t payload, Segment& segment) {
  constexpr size_t kAttributeHeader = 4;
  stun::MessageBuilder b(segment.prefix, {Method::kData, MessageClass::kIndication}, id);
  b.AddAddress(AttributeType::kXorPeerAddress, peer);
  const size_t at = b.Finish().size();
  segment.padding = static_cast<uint8_t>((4 - payload % 4) % 4);
  segment.prefix_size = static_cast<uint8_t>(at + kAttributeHeader);
  wire::Codec<uint16_t>::Store(segment.prefix.data() + at, static_cast<uint16_t>(AttributeType::kData));
  wire::Codec<uint16_t>::Store(segment.prefix.data() + at + 2, static_cast<uint16_t>(payload));
  const size_t length = segment.size() - stun::kHeaderSize;
  wire::Codec<uint16_t>::Store(segment.prefix.data() + 2, static_cast<uint16_t>(length));
}

}  // namespace

Server::Server(const ServerOptions& options, Rng& rng)
    : Server(options, rng, std::make_shared<SharedState>(options, 1, rng), {}) {}

Server::Server(const ServerOptions& options, Rng& rng, std::shared_ptr<SharedState> shared, WorkerIndex worker)
    : options_(options),
      rng_(&rng),
      now_(Timestamp::FromEpoch(Duration::zero())),
      shared_(std::move(shared)),
      worker_(worker),
      authentication_({.realm = options.realm,
                       .nonce_lifetime = options.lifetimes.nonce,
                       .features = options.features,
                       .key = shared_->key()},
                      rng),
      allocations_(options.limits.max_allocations),
      relays_(options.relay_ports, rng),
      connections_(rng, shared_->workers() > 1 ? std::optional(worker.value) : std::nullopt) {
  // Both fit into kMaxResponse with everything else.
  constexpr size_t kMaxText = 127;
  if (options_.software.size() > kMaxText || !stun::MaySendText(AttributeType::kSoftware, options_.software)) {
    options_.software.clear();
  }
}

// base/sans_io.h, rule 1: an earlier `now` than last time is treated as last time.
void Server::Advance(Timestamp now) {
  if (now != Timestamp::Never()) now_ = std::max(now_, now);
}

void Server::SetUnixTime(Timestamp now, uint64_t seconds) {
  Advance(now);
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(now_ - Timestamp::FromEpoch(Duration::zero()));
  unix_at_epoch_ = seconds - static_cast<uint64_t>(since.count());
}

ControlTransport Server::TransportOf(ListenerId id) const {
  const auto found = std::ranges::find(options_.listeners, id, &Listener::id);
  return found == options_.listeners.end() ? ControlTransport::kUdp : found->transport;
}

// T1: nobody reaches our own listeners by way of a relay. A wildcard listener is on every address of ours. The ports of
// UDP and TCP are different ones: a UDP relay may well have the number of a TCP listener.
bool Server::IsOwnListener(const SocketAddress& peer, RelayProtocol protocol) const {
  return std::ranges::any_of(options_.listeners, [&](const Listener& listener) {
    if (listener.address.port != peer.port || RelayProtocolOf(listener.transport) != protocol) return false;
    if (listener.address.ip == peer.ip) return true;
    const bool ours = peer.ip.IsLoopback() || peer.ip.IsUnspecified() ||
                      std::ranges::find(options_.relay_addresses, peer.ip) != options_.relay_addresses.end();
    return listener.address.ip.IsUnspecified() && ours;
  });
}

// A peer with its port: by the policy, or a relay of ours, whose owner may well be the peer of another client.
bool Server::MayReach(const SocketAddress& peer, RelayProtocol protocol) const {
  if (IsOwnListener(peer, protocol)) return false;
  return options_.policy.IsAllowed(peer.ip) || shared_->IsRelay(peer, protocol);
}

// T10: a client that is a relay of ours could have its allocation send to itself. It comes from a relay of its own
// transport: the port that the system gave to a TCP client may be the number of a UDP relay.
bool Server::IsRelay(const ClientPath& path) const {
  return shared_->IsRelay(path.client, RelayProtocolOf(TransportOf(path.listener)));
}

// A permission has no port (RFC 8656 §10.2): that of a relay address lets our own relays in and out, and nothing else,
// because what is sent is judged by MayReach.
bool Server::MayPermit(const IpAddress& peer) const {
  return options_.policy.IsAllowed(peer) ||
         std::ranges::find(options_.relay_addresses, peer) != options_.relay_addresses.end();
}

// RFC 8656 §5. Data from where a client has moved to ends the move (RFC 8016 §3.2.2).
ServerAllocation* Server::FindForData(const ClientPath& path) {
  const auto index = allocations_.Find(path);
  if (!index || allocations_.at(*index).protocol != RelayProtocol::kUdp) return nullptr;
  ServerAllocation& record = allocations_.at(*index);
  if (record.state != ServerAllocation::State::kActive) return nullptr;
  if (record.move.next_path == path) allocations_.CommitNextPath(*index);
  return &record;
}

Server::FromClient Server::HandleFromClient(Timestamp now, const ClientPath& path, Train train,
                                            std::span<Segment> out) {
  Advance(now);
  const auto first = FirstOf(train.octets, train.segment_size);
  FromClient run{.consumed = first.size(), .segments = 0, .to_peer = std::nullopt, .is_binding = false};
  const MessageKind kind = first.empty() ? MessageKind::kOther : KindOf(first[0], options_.channels);
  if (out.empty() || kind == MessageKind::kOther) {
    Drop(ServerDrop::kUnparsable);
  } else if (kind == MessageKind::kChannelData) {
    return HandleChannelTrain(path, train, out);
  } else {
    HandleStun(path, first, out, run);
  }
  return run;
}

// RFC 8656 §12.6. One look-up for all datagrams of one channel and one length; a shorter one may be the last.
Server::FromClient Server::HandleChannelTrain(const ClientPath& path, const Train& train, std::span<Segment> out) {
  FromClient run;
  size_t octets = 0;
  std::optional<ChannelNumber> channel;
  for (auto rest = train.octets; !rest.empty() && run.segments < out.size();) {
    const auto datagram = FirstOf(rest, train.segment_size);
    const auto message = ParseChannelData(datagram, options_.channels);
    if (!message && run.segments > 0) break;
    if (message && channel && (message->channel != *channel || message->data.size() > out[0].payload.size())) break;
    run.consumed += datagram.size();
    rest = rest.subspan(datagram.size());
    if (!message) {
      Drop(ServerDrop::kUnparsable);
      return run;
    }
    channel = message->channel;
    Segment& segment = out[run.segments++];
    segment.prefix_size = segment.padding = 0;
    segment.payload = message->data;
    octets += message->data.size();
    if (message->data.size() < out[0].payload.size()) break;
  }
  const size_t count = std::exchange(run.segments, 0);
  ServerAllocation* record = FindForData(path);
  const auto peer =
      record != nullptr && Contains(record->channels, *channel) ? record->peers.PeerOf(now_, *channel) : std::nullopt;
  if (record == nullptr) {
    Drop(ServerDrop::kNoAllocation, count);
  } else if (!peer) {
    Drop(ServerDrop::kUnboundChannel, count);
  } else if (!record->peers.IsPermitted(now_, peer->ip)) {
    Drop(ServerDrop::kNoPermission, count);  // T3: the binding outlives the permission (RFC 8656 §12.2, §12.6)
  } else if (!shared_->TakeBandwidth(now_, record->user, octets)) {
    Drop(ServerDrop::kBandwidth, count);
  } else {
    run.segments = count;
    run.to_peer = ToPeer{record->family(peer->ip).relay, *peer, false};
    metrics_.packets_to_peers += count;
    metrics_.octets_to_peers += octets;
  }
  return run;
}

void Server::HandleStun(const ClientPath& path, std::span<const uint8_t> datagram, std::span<Segment> out,
                        FromClient& run) {
  const auto message = stun::MessageView::Parse(datagram);
  if (!message) return Drop(ServerDrop::kUnparsable);
  if (message->method() == Method::kBinding) {
    run.is_binding = true;
  } else if (message->VerifyFingerprint() == stun::IntegrityStatus::kInvalid) {
    Drop(ServerDrop::kBadFingerprint);
  } else if (message->Is(Method::kSend, MessageClass::kIndication)) {
    HandleSend(path, *message, out, run);
  } else if (message->message_class() == MessageClass::kRequest) {
    HandleRequest(path, *message, run);
  } else {
    Drop(ServerDrop::kUnexpected);
  }
}

// RFC 8656 §11.2.
void Server::HandleSend(const ClientPath& path, const stun::MessageView& message, std::span<Segment> out,
                        FromClient& run) {
  ServerAllocation* record = FindForData(path);
  if (record == nullptr) return Drop(ServerDrop::kNoAllocation);
  const auto peer = message.FindAddress(AttributeType::kXorPeerAddress);
  const auto data = message.Find(AttributeType::kData);
  const bool dont_fragment = message.Has(AttributeType::kDontFragment);
  std::array<AttributeType, 1> unknown;
  const bool understood = message.UnknownAttributes(kKnownAttributes, unknown) == 0;
  // DONT-FRAGMENT that we cannot do is as an unknown attribute, "and thus the Send indication is discarded".
  const bool can_do = !dont_fragment || options_.dont_fragment == DontFragmentSupport::kSupported;
  if (!peer || !data || !understood || !can_do) return Drop(ServerDrop::kMalformed);
  if (!record->family(peer->ip).relay.is_set()) return Drop(ServerDrop::kWrongFamily);
  if (!record->peers.IsPermitted(now_, peer->ip)) return Drop(ServerDrop::kNoPermission);
  if (!MayReach(*peer, RelayProtocol::kUdp)) return Drop(ServerDrop::kForbiddenPeer);
  if (!shared_->TakeBandwidth(now_, record->user, data->size())) return Drop(ServerDrop::kBandwidth);
  out[0].prefix_size = out[0].padding = 0;
  out[0].payload = *data;
  run.segments = 1;
  run.to_peer = ToPeer{record->family(peer->ip).relay, *peer, dont_fragment};
  ++metrics_.packets_to_peers;
  metrics_.octets_to_peers += data->size();
}

// RFC 8656 §11.3, §12.7.
Server::FromPeer Server::HandleFromPeer(Timestamp now, RelayHandle relay, const SocketAddress& peer, Train train,
                                        std::span<Segment> out) {
  Advance(now);
  FromPeer run{.consumed = train.octets.size(), .segments = 0, .to_client = std::nullopt};
  const Relay* found = relays_.Find(relay);
  const size_t all = CountOf(train);
  if (out.empty() || found == nullptr || found->state != Relay::State::kOpen) {
    Drop(ServerDrop::kLateRelay, all);
    return run;
  }
  const ServerAllocation& record = allocations_.at(found->allocation);
  if (record.state != ServerAllocation::State::kActive) {
    Drop(ServerDrop::kOpening, all);
    return run;
  }
  if (!record.peers.IsPermitted(now_, peer.ip)) {
    Drop(ServerDrop::kNoPermission, all);
    return run;
  }
  const size_t count = std::min(all, out.size());
  const auto taken = count < all ? train.octets.first(count * train.segment_size) : train.octets;
  run.consumed = taken.size();
  if (!shared_->TakeBandwidth(now_, record.user, taken.size())) {
    Drop(ServerDrop::kBandwidth, count);
    return run;
  }
  const auto channel = record.peers.ChannelOf(now_, peer);
  const Framing framing = FramingOf(TransportOf(record.path.listener));
  constexpr size_t kMaxIndicated = 0xffff - Segment::kMaxPrefix - 3;
  auto rest = taken;
  for (size_t i = 0; i < count; ++i) {
    const auto payload = FirstOf(rest, train.segment_size);
    rest = rest.subspan(payload.size());
    if (payload.size() > kMaxIndicated) {
      Drop(ServerDrop::kTooLong);
      continue;
    }
    Segment& segment = out[run.segments++];
    segment.payload = payload;
    if (channel) {
      segment.prefix_size = kChannelDataHeader;
      segment.padding =
          static_cast<uint8_t>(ChannelDataSize(framing, payload.size()) - kChannelDataHeader - payload.size());
      WriteChannelDataHeader(*channel, payload.size(), std::span(segment.prefix).first<kChannelDataHeader>());
    } else {
      WriteDataPrefix(peer, stun::TransactionId::Random(*rng_), payload.size(), segment);
    }
  }
  run.to_client = record.path;
  metrics_.packets_to_clients += run.segments;
  metrics_.octets_to_clients += taken.size();
  return run;
}

// RFC 8656 §11.5: the permission that counts is that of whom the datagram was for. Over a channel's peer, too, it is an
// indication (RFC 8656 §12.5).
void Server::HandleIcmp(Timestamp now, RelayHandle relay, const SocketAddress& peer, const Icmp& icmp) {
  Advance(now);
  const Relay* found = relays_.Find(relay);
  if (found == nullptr || found->state != Relay::State::kOpen) return Drop(ServerDrop::kLateRelay);
  const bool useful = peer.ip.is_v4() ? icmp.type == 3 || icmp.type == 11 : icmp.type >= 1 && icmp.type <= 3;
  if (!useful) return Drop(ServerDrop::kUnexpected);
  const ServerAllocation& record = allocations_.at(found->allocation);
  if (!record.peers.IsPermitted(now_, peer.ip)) return Drop(ServerDrop::kNoPermission);
  // RFC 8656 §18.13: the MTU of the next hop, or zero.
  const bool has_mtu = peer.ip.is_v4() ? icmp.type == 3 && icmp.code == 4 : icmp.type == 2;
  SendIndication(record.path, Method::kData, peer, Icmp{icmp.type, icmp.code, has_mtu ? icmp.data : 0});
}

void Server::SendIndication(const ClientPath& path, Method method, const SocketAddress& peer,
                            const std::variant<Icmp, ConnectionId>& what) {
  if (responses_.size() >= options_.limits.queued_responses) return Drop(ServerDrop::kOverload);
  Response response;
  response.path = path;
  stun::MessageBuilder b(response.octets, {method, MessageClass::kIndication}, stun::TransactionId::Random(*rng_));
  b.AddAddress(AttributeType::kXorPeerAddress, peer);
  std::visit([&](const auto& attribute) { Add(b, attribute); }, what);
  response.size = static_cast<uint16_t>(b.Finish().size());
  responses_.Push(response);
}

std::optional<Server::Transmit> Server::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  Advance(now);
  if (out.size() < kMaxResponse) return std::nullopt;
  const auto response = responses_.Pop();
  if (!response) return std::nullopt;
  std::copy_n(response->octets.begin(), response->size, out.begin());
  return Transmit{response->size, response->path};
}

void Server::HandleTimeout(Timestamp now) {
  Advance(now);
  while (const auto index = allocations_.PopDue(now_)) ExpireAllocation(*index);
  ExpireReservations();
  ExpireConnections();
}

Timestamp Server::NextTimeout() const {
  Timestamp next = std::min(allocations_.NextTimeout(), connections_.NextTimeout());
  for (const auto& [token, reservation] : reservations_) next = std::min(next, reservation.expires);
  return next;
}

}  // namespace jsp::turn
