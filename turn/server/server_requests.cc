// Who asks, and Refresh, CreatePermission and ChannelBind (RFC 8489 §9.2.4, RFC 8656 §5, §8.2, §10.2, §12.2).
#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <utility>

#include "base/wire_layout.h"
#include "stun/address_attribute.h"
#include "turn/server/server.h"
#include "turn/server/server_send.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::IntegrityStatus;
using stun::MessageClass;
using stun::Method;
namespace error_code = stun::error_code;

constexpr size_t kMaxUnknownListed = 16;  // S4: a 420 stays small
// RFC 8016 §3.2.2: the old ticket is recognised "for a period of at least 30 seconds".
constexpr Duration kOldTicketLifetime = std::chrono::seconds(30);

bool IsTurnMethod(Method method) {
  switch (method) {
    case Method::kAllocate:
    case Method::kRefresh:
    case Method::kCreatePermission:
    case Method::kChannelBind:
    case Method::kConnect:
    case Method::kConnectionBind:
      return true;
    default:
      return false;
  }
}

bool IsPresentButMalformed(const stun::MessageView& message) {
  return (message.Has(Lifetime::kType) && !Find<Lifetime>(message)) ||
         (message.Has(RequestedAddressFamily::kType) && !Find<RequestedAddressFamily>(message));
}

}  // namespace

void Server::HandleRequest(const ClientPath& path, const stun::MessageView& message, FromClient& run) {
  if (!IsTurnMethod(message.method())) return Drop(ServerDrop::kUnexpected);
  ++metrics_.requests;
  if (responses_.size() >= options_.limits.queued_responses) return Drop(ServerDrop::kOverload);
  Request request{.path = path, .message = message, .run = run, .allocation = allocations_.Find(path)};
  // While its relays are being opened nobody can say anything about an allocation; the client asks again.
  if (request.allocation && allocations_.at(*request.allocation).state == ServerAllocation::State::kOpening) {
    return Drop(ServerDrop::kOpening);
  }
  const auto claim = authentication_.ReadClaim(now_, path.client.ip, message);
  if (!claim) return Challenge(path, message, claim.error());
  if (const auto result = Authenticate(request, *claim); !result) {
    if (result.error() == error_code::kWrongCredentials) return Refuse(request, result.error());
    return Challenge(path, message, result.error());
  }
  shared_->Forgive(path.client.ip);
  HandleAuthenticated(request);
}

// The key that an allocation was made with decides first: it is that user's, and no list has to be asked. Whoever has
// another valid key is another user (RFC 8656 §5: 441; T8).
Expected<void, uint16_t> Server::Authenticate(Request& request, const stun::LongTermServer::Claim& claim) {
  using Error = Unexpected<uint16_t>;
  const auto accept = [&](const stun::LongTermKeys& keys) -> Expected<void, uint16_t> {
    auto key = authentication_.Verify(request.message, claim, keys);
    if (!key) return Error(key.error());
    request.keys = keys;
    request.key = *key;
    return {};
  };
  request.username = claim.username;
  if (claim.userhash) request.username = options_.credentials.FindByUserhash(*claim.userhash).value_or("");
  const bool is_allocate = request.message.method() == Method::kAllocate;
  if (request.allocation) {
    const auto result = accept(allocations_.at(*request.allocation).keys);
    if (result || result.error() == error_code::kStaleNonce) return result;
  }
  const uint64_t since = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now_ - Timestamp::FromEpoch(Duration::zero())).count());
  for (const auto& keys : options_.credentials.Find(request.username, options_.realm, unix_at_epoch_ + since)) {
    const auto result = accept(keys);
    if (!result && result.error() != error_code::kStaleNonce) continue;
    if (!result) return result;
    if (request.allocation && !is_allocate) return Error(error_code::kWrongCredentials);
    return {};
  }
  return Error(error_code::kUnauthenticated);
}

// What the request names is another worker's, which has to answer. False: it is ours, or no worker's. Only an authentic
// request gets so far, and the other worker judges it again.
bool Server::HandOver(Request& request, WorkerIndex worker) {
  if (worker == worker_ || worker.value >= shared_->workers()) return false;
  request.run.worker = worker;
  return true;
}

// What strangers get (S8, T6): no reason phrase, no SOFTWARE, and not many of them.
void Server::Challenge(const ClientPath& path, const stun::MessageView& message, uint16_t code) {
  if (!shared_->TakeAnswer(now_, path.client.ip)) return Drop(ServerDrop::kRateLimited);
  Response response;
  response.path = path;
  stun::MessageBuilder b(response.octets, {message.method(), MessageClass::kErrorResponse}, message.transaction_id());
  b.AddError(code, "");
  if (code != error_code::kBadRequest) {
    authentication_.AddChallenge(now_, path.client, b);
    ++metrics_.challenges;
  }
  if (message.VerifyFingerprint() == IntegrityStatus::kValid) b.AddFingerprint();
  response.size = static_cast<uint16_t>(b.Finish().size());
  ++metrics_.errors[code - 300u];
  responses_.Push(response);
}

Server::Reply Server::ReplyTo(const Request& request, MessageClass message_class) const {
  return {request.path,
          {request.message.method(), message_class},
          request.message.transaction_id(),
          request.key,
          request.message.VerifyFingerprint() == IntegrityStatus::kValid};
}

void Server::Succeed(const Request& request) {
  Send(ReplyTo(request, MessageClass::kSuccessResponse), [](stun::MessageBuilder&) {});
}

void Server::Refuse(const Request& request, uint16_t code) {
  ++metrics_.errors[code - 300u];
  Send(ReplyTo(request, MessageClass::kErrorResponse),
       [&](stun::MessageBuilder& b) { b.AddError(code, stun::ReasonPhrase(code)); });
}

// RFC 8489 §6.3.1: 420. DONT-FRAGMENT that we cannot do is among the unknown (RFC 8656 §7.2).
bool Server::RefuseUnknown(const Request& request) {
  std::array<AttributeType, kMaxUnknownListed> unknown;
  size_t count = request.message.UnknownAttributes(kKnownAttributes, unknown);
  const bool cannot = options_.dont_fragment == DontFragmentSupport::kNone;
  if (cannot && request.message.Has(AttributeType::kDontFragment) && count < unknown.size()) {
    unknown[count++] = AttributeType::kDontFragment;
  }
  if (count == 0) return false;
  ++metrics_.errors[error_code::kUnknownAttribute - 300u];
  Send(ReplyTo(request, MessageClass::kErrorResponse), [&](stun::MessageBuilder& b) {
    b.AddError(error_code::kUnknownAttribute, "").AddUnknownAttributes(std::span(unknown).first(count));
  });
  return true;
}

void Server::HandleAuthenticated(Request& request) {
  const stun::MessageView& message = request.message;
  if (RefuseUnknown(request)) return;
  if (IsPresentButMalformed(message)) return Refuse(request, error_code::kBadRequest);
  switch (message.method()) {
    case Method::kAllocate:
      return HandleAllocate(request);
    case Method::kConnectionBind:
      return HandleConnectionBind(request);
    case Method::kRefresh:
      if (const auto ticket = message.Find(AttributeType::kMobilityTicket)) return HandleMove(request, *ticket);
      break;
    default:
      break;
  }
  // RFC 8656 §5: "MUST either be rejected with a 437 Allocation Mismatch error (if it is a request)".
  if (!request.allocation) return Refuse(request, error_code::kAllocationMismatch);
  if (message.method() == Method::kRefresh) return HandleRefresh(request);
  if (message.method() == Method::kCreatePermission) return HandleCreatePermission(request);
  if (message.method() == Method::kChannelBind) return HandleChannelBind(request);
  HandleConnect(request);
}

// RFC 8656 §7.2, §8.2: the wish, at most the maximum, at least the default.
uint32_t Server::LifetimeFor(const stun::MessageView& message) const {
  const auto seconds = [](Duration d) {
    return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
  };
  const auto wish = Find<Lifetime>(message);
  const uint32_t computed = wish ? std::min(wish->seconds, seconds(options_.lifetimes.max_allocation)) : 0;
  return std::max(computed, seconds(options_.lifetimes.default_allocation));
}

void Server::SetLifetime(uint32_t index, std::optional<AddressFamily> family, uint32_t seconds) {
  ServerAllocation& record = allocations_.at(index);
  const Timestamp expires = now_ + std::chrono::seconds(seconds);
  for (size_t i = 0; i < record.families.size(); ++i) {
    const AddressFamily own = i == 0 ? AddressFamily::kV4 : AddressFamily::kV6;
    if (record.families[i].relay.is_set() && (!family || *family == own)) record.families[i].expires = expires;
  }
  allocations_.ArmDeadline(index, expires);
}

// RFC 8656 §8.2.
void Server::HandleRefresh(const Request& request) {
  const uint32_t index = *request.allocation;
  const auto family = Find<RequestedAddressFamily>(request.message);
  if (family) {
    const bool is_v4 = family->family == AddressFamily::kV4;
    const bool is_v6 = family->family == AddressFamily::kV6;
    const bool has = (is_v4 || is_v6) && allocations_.at(index).families[is_v4 ? 0 : 1].relay.is_set();
    if (!has) return Refuse(request, error_code::kPeerAddressFamilyMismatch);
  }
  const auto wish = Find<Lifetime>(request.message);
  const bool deletes = wish && wish->seconds == 0;
  const uint32_t seconds = deletes ? 0 : LifetimeFor(request.message);
  Send(ReplyTo(request, MessageClass::kSuccessResponse), [&](stun::MessageBuilder& b) { Add(b, Lifetime{seconds}); });
  const auto only = family ? std::optional(family->family) : std::nullopt;
  if (!deletes) return SetLifetime(index, only, seconds);
  for (size_t i = 0; i < 2; ++i) {
    const AddressFamily own = i == 0 ? AddressFamily::kV4 : AddressFamily::kV6;
    if (!only || *only == own) CloseFamily(index, i);
  }
  const auto& families = allocations_.at(index).families;
  if (families[0].relay.is_set() || families[1].relay.is_set()) return;
  ++metrics_.allocations_deleted;
  RemoveAllocation(index);
}

// The allocation's worker and place in its slab, which tenant of it, and which ticket of that, under a MAC: nothing
// that a client could not know, and nothing that it could make (RFC 8016 §A has an encrypted one because it holds the
// 5-tuple).
std::array<uint8_t, Server::kTicketSize> Server::MakeTicket(const Ticket& ticket) const {
  constexpr size_t kSigned = 13;
  std::array<uint8_t, kTicketSize> octets;
  wire::Codec<uint32_t>::Store(octets.data(), ticket.index);
  wire::Codec<uint32_t>::Store(octets.data() + 4, ticket.generation);
  wire::Codec<uint32_t>::Store(octets.data() + 8, ticket.number);
  octets[12] = ticket.worker.value;
  const auto mac = authentication_.SignOpaque(std::span(octets).first(kSigned));
  std::copy_n(mac.begin(), kTicketSize - kSigned, octets.begin() + kSigned);
  return octets;
}

// RFC 8016 §3.2.2.
void Server::HandleMove(Request& request, std::span<const uint8_t> ticket) {
  if (options_.mobility == Mobility::kForbidden) return Refuse(request, error_code::kMobilityForbidden);
  if (ticket.size() != kTicketSize) return Refuse(request, error_code::kBadRequest);
  const auto index = wire::Codec<uint32_t>::Load(ticket.data());
  const auto generation = wire::Codec<uint32_t>::Load(ticket.data() + 4);
  const auto number = wire::Codec<uint32_t>::Load(ticket.data() + 8);
  const WorkerIndex worker{ticket[12]};
  if (!crypto::EqualConstantTime(MakeTicket({index, generation, number, worker}), ticket)) {
    return Refuse(request, error_code::kBadRequest);
  }
  if (worker != worker_ && request.allocation) return Refuse(request, error_code::kAllocationMismatch);
  if (HandOver(request, worker)) return;
  if (!allocations_.IsLive(index, generation) || allocations_.at(index).state != ServerAllocation::State::kActive) {
    return Refuse(request, error_code::kAllocationMismatch);
  }
  ServerAllocation& record = allocations_.at(index);
  // T8: the ticket alone is not enough.
  if (!(record.keys == request.keys)) return Refuse(request, error_code::kWrongCredentials);
  const bool repeats =
      number + 1 == record.move.ticket && now_ < record.move.old_ticket_until && record.move.next_path == request.path;
  if (!repeats) {
    const bool current = number == record.move.ticket && record.move.ticket != 0;
    if (!current || record.path == request.path) return Refuse(request, error_code::kBadRequest);
    // The new 5-tuple has an allocation of its own, or it is a relay of ours: an allocation inside itself (T10).
    const bool taken = request.allocation && *request.allocation != index;
    if (taken) return Refuse(request, error_code::kAllocationMismatch);
    if (IsRelay(request.path)) return Refuse(request, error_code::kForbidden);
    if (record.move.next_path != request.path) allocations_.SetNextPath(index, request.path);
    ++record.move.ticket;
    record.move.old_ticket_until = now_ + kOldTicketLifetime;
  }
  const uint32_t seconds = LifetimeFor(request.message);
  SetLifetime(index, std::nullopt, seconds);
  const auto next = MakeTicket({index, generation, record.move.ticket, worker_});
  Send(ReplyTo(request, MessageClass::kSuccessResponse), [&](stun::MessageBuilder& b) {
    Add(b, Lifetime{seconds});
    Add(b, MobilityTicket{next});
  });
}

// RFC 8656 §10.2: all of the addresses, or none.
void Server::HandleCreatePermission(const Request& request) {
  ServerAllocation& record = allocations_.at(*request.allocation);
  boost::container::small_vector<IpAddress, 16> peers;
  bool malformed = false;
  request.message.ForEachAttribute([&](const stun::Attribute& attribute) {
    if (attribute.type != AttributeType::kXorPeerAddress) return;
    const auto peer = stun::ParseAddress(attribute.type, attribute.value, request.message.transaction_id());
    malformed = malformed || !peer;
    if (peer) peers.push_back(peer->ip);
  });
  if (malformed || peers.empty()) return Refuse(request, error_code::kBadRequest);
  const auto has_relay = [&](const IpAddress& ip) { return record.family(ip).relay.is_set(); };
  if (!std::ranges::all_of(peers, has_relay)) return Refuse(request, error_code::kPeerAddressFamilyMismatch);
  const auto allowed = [&](const IpAddress& ip) { return MayPermit(ip); };
  if (!std::ranges::all_of(peers, allowed)) return Refuse(request, error_code::kForbidden);

  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  const auto fresh = static_cast<size_t>(
      std::ranges::count_if(peers, [&](const IpAddress& ip) { return !record.peers.IsPermitted(now_, ip); }));
  const size_t limit = options_.limits.permissions;
  if (fresh > record.peers.PermissionRoom(now_, limit)) return Refuse(request, error_code::kInsufficientCapacity);
  for (const IpAddress& ip : peers) {
    (void)record.peers.Permit(now_, ip, options_.lifetimes.permission, limit);
    MaybeReadRelay(record, ip);
  }
  Succeed(request);
}

// What comes to a relay without any permission is of no use to anybody (RFC 8656 §11.3).
void Server::MaybeReadRelay(ServerAllocation& record, const IpAddress& peer) {
  const RelayHandle handle = record.family(peer).relay;
  Relay* relay = relays_.Find(handle);
  if (relay == nullptr || relay->protocol != RelayProtocol::kUdp || std::exchange(relay->is_read, true)) return;
  events_.Push(ReadRelay{handle});
}

// RFC 8656 §12.2.
void Server::HandleChannelBind(const Request& request) {
  ServerAllocation& record = allocations_.at(*request.allocation);
  const auto channel = Find<ChannelNumber>(request.message);
  const auto peer = request.message.FindAddress(AttributeType::kXorPeerAddress);
  const bool udp = record.protocol == RelayProtocol::kUdp;
  if (!udp || !channel || !peer || !Contains(record.channels, *channel)) {
    return Refuse(request, error_code::kBadRequest);
  }
  if (!record.family(peer->ip).relay.is_set()) return Refuse(request, error_code::kPeerAddressFamilyMismatch);
  if (!MayReach(*peer, record.protocol)) return Refuse(request, error_code::kForbidden);
  const bool needs_permission = !record.peers.IsPermitted(now_, peer->ip);
  if (needs_permission && record.peers.PermissionRoom(now_, options_.limits.permissions) == 0) {
    return Refuse(request, error_code::kInsufficientCapacity);
  }
  switch (record.peers.Bind(now_, *channel, *peer, options_.lifetimes.channel, options_.limits.channels)) {
    case PeerTable::BindResult::kConflict:
      return Refuse(request, error_code::kBadRequest);
    case PeerTable::BindResult::kFull:
      return Refuse(request, error_code::kInsufficientCapacity);
    case PeerTable::BindResult::kBound:
      break;
  }
  (void)record.peers.Permit(now_, peer->ip, options_.lifetimes.permission, options_.limits.permissions);
  MaybeReadRelay(record, peer->ip);
  Succeed(request);
}

}  // namespace jsp::turn
