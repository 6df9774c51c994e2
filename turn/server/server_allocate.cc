// Allocations come and go (RFC 8656 §7.2, RFC 6062 §5.1, RFC 8016 §3.1.2).
#include <algorithm>
#include <utility>

#include "turn/server/server.h"
#include "turn/server/server_send.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;
namespace error_code = stun::error_code;

// An owner that never says whether it could open a socket costs one record for as long.
constexpr Duration kOpeningTimeout = std::chrono::seconds(10);

template <class T>
bool IsMalformed(const stun::MessageView& message) {
  return message.Has(T::kType) && !Find<T>(message);
}

}  // namespace

const IpAddress* Server::RelayAddressOf(AddressFamily family) const {
  const auto& all = options_.relay_addresses;
  const auto is_of = [&](const IpAddress& ip) { return FamilyOf(ip) == family; };
  const auto count = static_cast<size_t>(std::ranges::count_if(all, is_of));
  if (count == 0) return nullptr;
  auto skip = rng_->Below(count);
  return &*std::ranges::find_if(all, [&](const IpAddress& ip) { return is_of(ip) && skip-- == 0; });
}

// RFC 6062 §5.1.
std::optional<uint16_t> Server::CheckTcpAllocate(const Request& request) const {
  if (!IsStream(TransportOf(request.path.listener))) return error_code::kBadRequest;
  for (const auto type : {AttributeType::kDontFragment, AttributeType::kEvenPort, AttributeType::kReservationToken}) {
    if (request.message.Has(type)) return error_code::kBadRequest;
  }
  return std::nullopt;
}

// The checks of RFC 8656 §7.2 that need no socket, in its order. The 5-tuple is known to be free.
std::optional<uint16_t> Server::CheckAllocate(const Request& request) const {
  const stun::MessageView& message = request.message;
  const auto transport = Find<RequestedTransport>(message);
  if (!transport) return error_code::kBadRequest;
  const auto& protocols = options_.relay_protocols;
  if (std::ranges::find(protocols, transport->protocol) == protocols.end()) {
    // RFC 6062 §5.1: UDP that is known and forbidden is 403.
    return transport->protocol == RelayProtocol::kUdp ? error_code::kForbidden
                                                      : error_code::kUnsupportedTransportProtocol;
  }
  if (transport->protocol == RelayProtocol::kTcp) {
    if (const auto code = CheckTcpAllocate(request)) return code;
  }
  const bool even = message.Has(EvenPort::kType);
  const bool requested = message.Has(RequestedAddressFamily::kType);
  const bool additional = message.Has(AdditionalAddressFamily::kType);
  const bool token = message.Has(ReservationToken::kType);
  if (IsMalformed<EvenPort>(message) || IsMalformed<AdditionalAddressFamily>(message) ||
      IsMalformed<ReservationToken>(message)) {
    return error_code::kBadRequest;
  }
  if ((token && (even || requested || additional)) || (requested && additional)) return error_code::kBadRequest;
  const auto family = Find<RequestedAddressFamily>(message).value_or(RequestedAddressFamily{}).family;
  if (!additional && !token && RelayAddressOf(family) == nullptr) return error_code::kAddressFamilyNotSupported;
  const bool reserves = even && Find<EvenPort>(message)->reserve_next;
  if (reserves && additional) return error_code::kBadRequest;
  if (additional && Find<AdditionalAddressFamily>(message)->family != AddressFamily::kV6) {
    return error_code::kBadRequest;
  }
  // RFC 8016 §3.1.2.
  if (const auto ticket = message.Find(AttributeType::kMobilityTicket)) {
    if (!ticket->empty()) return error_code::kBadRequest;
    if (options_.mobility == Mobility::kForbidden) return error_code::kMobilityForbidden;
  }
  if (IsRelay(request.path)) return error_code::kForbidden;  // T10
  if (reserves && reservations_.size() >= options_.limits.reservations) return error_code::kInsufficientCapacity;
  return std::nullopt;
}

void Server::HandleAllocate(Request& request) {
  const stun::MessageView& message = request.message;
  if (request.allocation) {
    const ServerAllocation& record = allocations_.at(*request.allocation);
    // RFC 8656 §7.2: a retransmission of the request that made it gets the same answer.
    const bool again = record.pending.id == message.transaction_id() && record.keys == request.keys;
    return again ? RespondAllocated(*request.allocation) : Refuse(request, error_code::kAllocationMismatch);
  }
  if (alternates_) {  // RFC 8489 §10
    const auto same_family = [&](const SocketAddress& a) { return a.ip.family() == request.path.client.ip.family(); };
    const auto found = std::ranges::find_if(*alternates_, same_family);
    if (found == alternates_->end()) return Refuse(request, error_code::kInsufficientCapacity);
    ++metrics_.errors[0];
    return Send(ReplyTo(request, MessageClass::kErrorResponse), [&](stun::MessageBuilder& b) {
      b.AddError(error_code::kTryAlternate, "").AddAddress(AttributeType::kAlternateServer, *found);
    });
  }
  if (const auto code = CheckAllocate(request)) return Refuse(request, *code);
  const auto token = Find<ReservationToken>(message);
  if (token && HandOver(request, WorkerIndex{token->octets[0]})) return;
  const auto user =
      shared_->Enter(options_.credentials.QuotaName(request.username), QuotaSourceOf(request.path.client.ip));
  if (!user) {
    const bool is_all = user.error() == Quota::Refusal::kTotal;
    return Refuse(request, is_all ? error_code::kInsufficientCapacity : error_code::kAllocationQuotaReached);
  }
  const auto index = allocations_.Create(request.path);
  if (!index) {
    shared_->Leave(*user);
    return Refuse(request, error_code::kInsufficientCapacity);
  }
  ServerAllocation& record = allocations_.at(*index);
  record.keys = request.keys;
  record.user = *user;
  record.protocol = Find<RequestedTransport>(message)->protocol;
  const bool modern = request.key.kind() == stun::IntegrityKind::kSha256;
  record.channels = modern ? ChannelRange::kRfc8656 : options_.channels;
  record.move.ticket = message.Has(AttributeType::kMobilityTicket) ? 1 : 0;
  record.pending.id = message.transaction_id();
  record.pending.key = request.key;
  record.pending.lifetime_seconds = LifetimeFor(message);
  record.pending.with_fingerprint = message.VerifyFingerprint() == stun::IntegrityStatus::kValid;
  record.pending.partial_is_enough = message.Has(AdditionalAddressFamily::kType);
  if (const auto even = Find<EvenPort>(message)) {
    record.pending.even = true;
    record.pending.reserve_next = even->reserve_next;
  }
  allocations_.ArmDeadline(*index, now_ + kOpeningTimeout);
  if (const auto code = StartRelays(*index, request)) FailAllocate(*index, *code);
}

std::optional<uint16_t> Server::StartRelays(uint32_t index, const Request& request) {
  if (const auto token = Find<ReservationToken>(request.message)) {
    const auto found = std::ranges::find(reservations_, *token, &std::pair<ReservationToken, Reservation>::first);
    Relay* relay = found == reservations_.end() ? nullptr : relays_.Find(found->second.relay);
    if (relay == nullptr || found->second.expires <= now_) return error_code::kInsufficientCapacity;
    relay->state = Relay::State::kOpen;
    shared_->AddRelay(relay->address, relay->protocol);
    relay->allocation = index;
    allocations_.at(index).family(relay->address.ip).relay = found->second.relay;
    reservations_.erase(found);
    FinishAllocate(index);
    return std::nullopt;
  }
  const bool both = request.message.Has(AdditionalAddressFamily::kType);
  const auto family = Find<RequestedAddressFamily>(request.message).value_or(RequestedAddressFamily{}).family;
  bool any = false;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const AddressFamily own = i == 0 ? AddressFamily::kV4 : AddressFamily::kV6;
    if (!both && family != own) continue;
    const bool opening = OpenRelayOf(index, i);
    any = any || opening;
    if (!opening) {
      // RFC 8656 §7.2: "it includes ADDRESS-ERROR-CODE …. 440 … or 508".
      allocations_.at(index).missing_family_code =
          RelayAddressOf(own) == nullptr ? error_code::kAddressFamilyNotSupported : error_code::kInsufficientCapacity;
    }
  }
  if (any) return std::nullopt;
  return error_code::kInsufficientCapacity;
}

// Asks the owner for a socket, or for two in a row (RFC 8656 §7.2, EVEN-PORT). False: no address or no port.
bool Server::OpenRelayOf(uint32_t index, size_t family) {
  ServerAllocation& record = allocations_.at(index);
  const IpAddress* ip = RelayAddressOf(family == 0 ? AddressFamily::kV4 : AddressFamily::kV6);
  if (ip == nullptr) return false;
  const auto parity = record.pending.reserve_next ? RelayTable::Parity::kEvenPair
                      : record.pending.even       ? RelayTable::Parity::kEven
                                                  : RelayTable::Parity::kAny;
  const auto port = relays_.PickPort(*ip, record.protocol, parity);
  if (!port) return false;
  const SocketAddress address{*ip, *port};
  record.families[family].relay = relays_.Open(address, record.protocol, index);
  events_.Push(OpenRelay{record.families[family].relay, address, record.protocol});
  if (!record.pending.reserve_next) return true;
  const SocketAddress next{*ip, static_cast<uint16_t>(*port + 1)};
  record.reserved = relays_.Open(next, record.protocol, index);
  events_.Push(OpenRelay{record.reserved, next, record.protocol});
  return true;
}

void Server::HandleRelayOpened(Timestamp now, RelayHandle handle) {
  Advance(now);
  Relay* relay = relays_.Find(handle);
  if (relay == nullptr || relay->state != Relay::State::kOpening) return;  // closed meanwhile; CloseRelay was said
  relay->state = Relay::State::kOpen;
  shared_->AddRelay(relay->address, relay->protocol);
  const uint32_t index = relay->allocation;
  const ServerAllocation& record = allocations_.at(index);
  for (const RelayHandle other : {record.families[0].relay, record.families[1].relay, record.reserved}) {
    const Relay* found = relays_.Find(other);
    if (found != nullptr && found->state == Relay::State::kOpening) return;
  }
  FinishAllocate(index);
}

void Server::HandleRelayFailed(Timestamp now, RelayHandle handle) {
  Advance(now);
  const Relay* relay = relays_.Find(handle);
  if (relay == nullptr || relay->state == Relay::State::kReserved) return;
  const uint32_t index = relay->allocation;
  const size_t family = relay->address.ip.is_v4() ? 0 : 1;
  if (relay->state == Relay::State::kOpen) return LoseRelay(index, family);
  ServerAllocation& record = allocations_.at(index);
  relays_.Close(handle);
  // Of a pair, the other one is of no use either.
  for (RelayHandle* other : {&record.families[family].relay, &record.reserved}) {
    if (*other == handle) *other = {};
    CloseRelayOf(*other);
  }
  if (++record.pending.tries < options_.limits.port_tries && OpenRelayOf(index, family)) return;
  record.missing_family_code = error_code::kInsufficientCapacity;
  const RelayHandle other = record.families[1 - family].relay;
  if (!record.pending.partial_is_enough || !other.is_set()) {
    return FailAllocate(index, error_code::kInsufficientCapacity);
  }
  if (relays_.Find(other)->state == Relay::State::kOpen) FinishAllocate(index);
}

void Server::FinishAllocate(uint32_t index) {
  ServerAllocation& record = allocations_.at(index);
  record.state = ServerAllocation::State::kActive;
  if (Relay* next = relays_.Find(record.reserved)) {
    next->state = Relay::State::kReserved;
    shared_->RemoveRelay(next->address, next->protocol);
    record.token = ReservationToken{rng_->Random<std::array<uint8_t, 8>>()};
    if (shared_->workers() > 1) record.token->octets[0] = worker_.value;
    reservations_.emplace_back(*record.token, Reservation{record.reserved, now_ + options_.lifetimes.reservation});
    record.reserved = {};
  }
  SetLifetime(index, std::nullopt, record.pending.lifetime_seconds);
  ++metrics_.allocations_created;
  RespondAllocated(index);
}

// RFC 8656 §7.2.
void Server::RespondAllocated(uint32_t index) {
  const ServerAllocation& record = allocations_.at(index);
  const Reply reply{record.path,
                    {Method::kAllocate, MessageClass::kSuccessResponse},
                    record.pending.id,
                    record.pending.key,
                    record.pending.with_fingerprint != 0};
  Timestamp expires;
  for (const auto& family : record.families) expires = std::min(expires, family.expires);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(expires - now_);
  Send(reply, [&](stun::MessageBuilder& b) {
    for (const auto& family : record.families) {
      if (const Relay* relay = relays_.Find(family.relay)) {
        b.AddAddress(AttributeType::kXorRelayedAddress, relay->address);
      }
    }
    Add(b, Lifetime{static_cast<uint32_t>(left.count())});
    if (record.token) Add(b, *record.token);
    b.AddAddress(AttributeType::kXorMappedAddress, record.path.client);
    if (record.missing_family_code != 0) {
      const bool v4_is_missing = !record.families[0].relay.is_set();
      const AddressFamily missing = v4_is_missing ? AddressFamily::kV4 : AddressFamily::kV6;
      Add(b, AddressErrorCode{missing, record.missing_family_code, ""});
    }
    if (record.move.ticket != 0)
      Add(b, MobilityTicket{MakeTicket({index, record.slot.generation, record.move.ticket, worker_})});
  });
}

void Server::FailAllocate(uint32_t index, uint16_t code) {
  const ServerAllocation& record = allocations_.at(index);
  ++metrics_.errors[code - 300u];
  const Reply reply{record.path,
                    {Method::kAllocate, MessageClass::kErrorResponse},
                    record.pending.id,
                    record.pending.key,
                    record.pending.with_fingerprint != 0};
  Send(reply, [&](stun::MessageBuilder& b) { b.AddError(code, stun::ReasonPhrase(code)); });
  RemoveAllocation(index);
}

void Server::CloseRelayOf(RelayHandle& relay) {
  if (const Relay* found = relays_.Find(relay)) {
    if (found->state == Relay::State::kOpen) shared_->RemoveRelay(found->address, found->protocol);
    relays_.Close(relay);
    events_.Push(CloseRelay{relay});
  }
  relay = {};
}

// RFC 8656 §8.1: the other family keeps everything.
void Server::CloseFamily(uint32_t index, size_t family) {
  ServerAllocation& record = allocations_.at(index);
  CloseRelayOf(record.families[family].relay);
  record.families[family].expires = Timestamp::Never();
  record.peers.RemoveFamily(family == 0 ? IpAddress::Family::kV4 : IpAddress::Family::kV6);
}

void Server::LoseRelay(uint32_t index, size_t family) {
  CloseFamily(index, family);
  if (allocations_.at(index).families[1 - family].relay.is_set()) return;
  ++metrics_.allocations_deleted;
  RemoveAllocation(index);
}

void Server::RemoveAllocation(uint32_t index) {
  ServerAllocation& record = allocations_.at(index);
  while (!record.connections.empty()) RemoveConnection(record.connections.back());  // RFC 6062 §5.5
  CloseFamily(index, 0);
  CloseFamily(index, 1);
  CloseRelayOf(record.reserved);
  shared_->Leave(record.user);
  allocations_.Remove(index);
}

void Server::ExpireAllocation(uint32_t index) {
  ServerAllocation& record = allocations_.at(index);
  if (record.state == ServerAllocation::State::kOpening) {
    return FailAllocate(index, error_code::kInsufficientCapacity);
  }
  Timestamp next;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (!record.families[i].relay.is_set()) continue;
    if (record.families[i].expires <= now_) {
      CloseFamily(index, i);
    } else {
      next = std::min(next, record.families[i].expires);
    }
  }
  if (next != Timestamp::Never()) return allocations_.ArmDeadline(index, next);
  ++metrics_.allocations_expired;
  RemoveAllocation(index);
}

void Server::ExpireReservations() {
  std::erase_if(reservations_, [&](auto& item) {
    if (item.second.expires > now_) return false;
    CloseRelayOf(item.second.relay);
    return true;
  });
}

void Server::StopAllocating(std::vector<SocketAddress> alternates) { alternates_ = std::move(alternates); }

void Server::HandleClientClosed(Timestamp now, const ClientPath& path) {
  Advance(now);
  if (const auto connection = connections_.FindByClient(path)) return RemoveConnection(*connection);
  const auto index = allocations_.Find(path);
  if (!index) return;
  ServerAllocation& record = allocations_.at(*index);
  // RFC 8016 §3.2.2: the old connection of a client that has moved. One that may still move keeps its allocation.
  if (record.move.next_path && record.path == path) return allocations_.CommitNextPath(*index);
  if (record.move.ticket != 0 && record.state == ServerAllocation::State::kActive) return;
  ++metrics_.allocations_deleted;
  RemoveAllocation(*index);
}

}  // namespace jsp::turn
