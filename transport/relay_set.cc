#include "transport/relay_set.h"

#include <algorithm>
#include <utility>

#include "base/overloaded.h"
#include "stun/error_code.h"
namespace jsp::transport {
namespace {

// Of a Refresh after a restart. It is sent at once, after 250 and 750 ms (RFC 8489 §6.2.1, RTO 250 ms): at 10 % loss
// each way one living allocation in 150 is replaced for nothing.
constexpr Duration kSignOfLife = std::chrono::milliseconds(1250);

// A relay that is slower to reach is the worse one: what TCP loses, everybody waits for.
uint16_t CostOf(turn::ControlTransport transport) {
  switch (transport) {
    case turn::ControlTransport::kUdp:
      return 0;
    case turn::ControlTransport::kTcp:
      return 10;
    case turn::ControlTransport::kTls:
      return 20;
  }
  return 20;
}

const char* Describe(turn::AllocationFailure reason) {
  using turn::AllocationFailure;
  switch (reason) {
    case AllocationFailure::kTimeout:
      return "it does not answer; is it a TURN server, and is the way to it open?";
    case AllocationFailure::kUnreachable:
      return "it cannot be reached";
    case AllocationFailure::kWrongCredentials:
      return "it refuses the user name or the password";
    case AllocationFailure::kQuota:
      return "the user has as many allocations as it may have";
    case AllocationFailure::kCapacity:
      return "it has no free relayed address";
    case AllocationFailure::kPortsInUse:
      return "it holds other allocations for our ports";
    case AllocationFailure::kUnsupported:
      return "it does not relay UDP of that address family";
    case AllocationFailure::kStaleNonce:
    case AllocationFailure::kBadChallenge:
    case AllocationFailure::kIntegrity:
      return "its authentication cannot be relied on";
    case AllocationFailure::kTooManyRedirects:
      return "it redirects to a server that redirects";
    default:
      return "it refuses to allocate an address";
  }
}

turn::ClientOptions ToClientOptions(const RelayServer& server, const SocketAddress& local,
                                    const stun::RetransmitOptions& retransmit) {
  turn::ClientOptions options;
  options.local = local;
  options.server = server.address;
  options.transport = server.transport;
  // Whoever reaches a server over IPv6 has IPv6, and a relay of either family may be the one that the peer can use
  // (RFC 8656 §7.1: ADDITIONAL-ADDRESS-FAMILY). Of the two one may be missing.
  if (server.address.ip.is_v6()) options.families = turn::RelayFamilies::kBoth;
  options.credentials.username = server.username;
  options.credentials.password = server.password;
  options.retransmit = retransmit;
  return options;
}

}  // namespace

RelaySet::RelaySet(const RelaySetOptions& options, Rng& rng) : options_(options), rng_(&rng) {
  const size_t servers = std::min(options.servers.size(), kMaxRelays);
  for (size_t i = 0; i < servers; ++i) {
    RelayServer server = options.servers[i];
    std::vector<SocketAddress> addresses = std::exchange(server.alternatives, {});
    addresses.insert(addresses.begin(), server.address);
    if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses);
    groups_.push_back({.race = ConnectionRace(addresses.size()), .first = relays_.size()});
    for (const SocketAddress& address : addresses) {
      server.address = address;
      relays_.push_back({.id = RelayId(0), .group = i, .server = server});
    }
  }
}

void RelaySet::Start(Timestamp now) {
  if (started_) return;
  started_ = true;
  for (Group& group : groups_) group.race.Start(now);
  AdvanceRaces(now);
  MaybeSettle();
}

// RFC 8445 §9: a restart gathers anew.
void RelaySet::Restart(Timestamp now) {
  if (!started_) return;
  AskAgain(now, [](const Relay& relay) {
    return relay.state == Relay::State::kEnded || relay.state == Relay::State::kWaiting;
  });
  for (Relay& relay : relays_) CheckAllocation(now, relay);
  settled_ = false;
  MaybeSettle();
}

// The server may have been rebooted, or our NAT may show it another address by now: then the relayed address takes what
// is sent to it and gives nothing back, until the next Refresh is refused, minutes later.
void RelaySet::CheckAllocation(Timestamp now, Relay& relay) {
  if (relay.state == Relay::State::kAllocated && relay.is_released) return Replace(relay);
  if (relay.state != Relay::State::kAllocated || turn::IsStream(relay.server.transport)) return;
  relay.client->Refresh(now);
  relay.check_until = now + kSignOfLife;
}

void RelaySet::Replace(Relay& relay) {
  LoseConnection(relay);
  relay.is_released = false;
  Want(relay);
}

void RelaySet::Release(Timestamp now, const SocketAddress& used) {
  const Relay* kept = FindByRelayed(used);
  for (Relay& relay : relays_) {
    if (relay.state != Relay::State::kAllocated || relay.is_released || &relay == kept) continue;
    relay.is_released = true;
    LoseAddresses(relay);
    relay.client->Close(now);
    TakeEvents(now, relay);
  }
}

// The deletion was answered, or nothing answers it: no failure of a server's either way.
void RelaySet::FinishRelease(Relay& relay) {
  relay.state = Relay::State::kEnded;
  relay.client.reset();
  events_.Push(relay_event::ConnectionDone{relay.id});
}

void RelaySet::Reclaim(Timestamp now) {
  if (std::ranges::none_of(relays_, &Relay::is_released)) return;
  for (Relay& relay : relays_) {
    if (relay.state == Relay::State::kAllocated && relay.is_released) Replace(relay);
  }
  AskAgain(now, [](const Relay& relay) {
    return relay.state == Relay::State::kEnded || relay.state == Relay::State::kWaiting;
  });
}

// Servers of which no connection is more than `is_idle` says, as if nobody had asked them.
void RelaySet::AskAgain(Timestamp now, bool (*is_idle)(const Relay& relay)) {
  for (size_t i = 0; i < groups_.size(); ++i) {
    const size_t first = groups_[i].first;
    const size_t end = i + 1 < groups_.size() ? groups_[i + 1].first : relays_.size();
    const auto own = std::span(relays_).subspan(first, end - first);
    if (!std::ranges::all_of(own, is_idle)) continue;
    for (Relay& relay : own) {
      std::erase_if(failures_, [&](const RelayFailure& failure) { return failure.server == relay.server.address; });
      relay.client.reset();
      relay.relayed.clear();
      relay.is_released = false;
      relay.state = Relay::State::kWaiting;
    }
    groups_[i].race = ConnectionRace(own.size());
    groups_[i].race.Start(now);
  }
  AdvanceRaces(now);
}

void RelaySet::AdvanceRaces(Timestamp now) {
  for (Group& group : groups_) {
    while (const auto attempt = group.race.PollAttempt(now)) {
      Relay& relay = relays_[group.first + *attempt];
      if (relay.state == Relay::State::kWaiting) Want(relay);
    }
  }
}

// RFC 8305 §5: "all other connections attempts that have not yet succeeded SHOULD be canceled".
void RelaySet::HandleReached(const Relay& reached) {
  groups_[reached.group].race.HandleWon();
  for (Relay& relay : relays_) {
    const bool is_under_way = relay.state == Relay::State::kConnecting || relay.state == Relay::State::kAllocating;
    if (&relay == &reached || relay.group != reached.group || !is_under_way) continue;
    relay.state = Relay::State::kEnded;
    events_.Push(relay_event::ConnectionDone{relay.id});
  }
}

void RelaySet::Want(Relay& relay) {
  relay.id = RelayId(next_id_++);
  relay.state = Relay::State::kConnecting;
  events_.Push(relay_event::ConnectionWanted{relay.id, relay.server});
}

RelaySet::Relay* RelaySet::Find(RelayId id) {
  const auto found = std::ranges::find(relays_, id, &Relay::id);
  const bool is_live = found != relays_.end() && found->state != Relay::State::kEnded;
  return is_live && found->state != Relay::State::kWaiting ? &*found : nullptr;
}

const RelaySet::Relay* RelaySet::FindByRelayed(const SocketAddress& address) const {
  for (const Relay& relay : relays_) {
    if (relay.state != Relay::State::kAllocated) continue;
    const auto& allocation = relay.client->allocation();
    if (!allocation) continue;
    if (allocation->relayed_v4() == address || allocation->relayed_v6() == address) return &relay;
  }
  return nullptr;
}

std::optional<RelayId> RelaySet::FindUdp(const SocketAddress& local) const {
  for (const Relay& relay : relays_) {
    const bool is_open = relay.state == Relay::State::kAllocating || relay.state == Relay::State::kAllocated;
    if (is_open && relay.server.transport == turn::ControlTransport::kUdp && relay.local == local) return relay.id;
  }
  return std::nullopt;
}

std::optional<turn::ControlTransport> RelaySet::TransportOf(const SocketAddress& relayed) const {
  const Relay* relay = FindByRelayed(relayed);
  if (relay == nullptr) return std::nullopt;
  return relay->server.transport;
}

void RelaySet::HandleConnected(Timestamp now, RelayId id, const SocketAddress& local) {
  Relay* relay = Find(id);
  if (relay == nullptr || relay->state != Relay::State::kConnecting) return;
  relay->local = local;
  relay->state = Relay::State::kAllocating;
  if (turn::IsStream(relay->server.transport)) HandleReached(*relay);
  if (!relay->client) {
    relay->client.emplace(ToClientOptions(relay->server, local, options_.retransmit), *rng_);
    relay->client->Start(now);
  } else {
    relay->client->Restart(now, local);
  }
  TakeEvents(now, *relay);
}

void RelaySet::HandleConnectionFailed(Timestamp now, RelayId id, std::string reason) {
  Relay* relay = Find(id);
  if (relay == nullptr) return;
  if (relay->client) relay->client->HandleTransportFailed(now);
  End(now, *relay, std::move(reason));
}

// The 5-tuple is gone, and with it what was allocated for it (RFC 8656 §5): the server keeps it until it expires. A
// candidate that stayed would hold up those of its foundation (RFC 8445 §6.1.4.2): nothing leaves from it.
void RelaySet::LoseAddresses(Relay& relay) {
  for (const SocketAddress& relayed : std::exchange(relay.relayed, {})) {
    events_.Push(relay_event::AddressLost{relayed});
  }
}

void RelaySet::LoseConnection(Relay& relay) {
  LoseAddresses(relay);
  relay.check_until = Timestamp::Never();
  relay.client.reset();
  events_.Push(relay_event::ConnectionDone{relay.id});
}

void RelaySet::HandleAddressLost(Timestamp, const IpAddress& local) {
  for (Relay& relay : relays_) {
    const bool has_client = relay.state == Relay::State::kAllocating || relay.state == Relay::State::kAllocated;
    if (!has_client || relay.local.ip != local) continue;
    Replace(relay);
  }
}

void RelaySet::HandleAddressAdded(Timestamp now) {
  if (!started_) return;
  AskAgain(now, [](const Relay& relay) { return relay.state == Relay::State::kEnded; });
}

void RelaySet::GiveUpUnsettled(Timestamp now) {
  for (Group& group : groups_) group.race.HandleWon();
  for (Relay& relay : relays_) {
    relay.check_until = Timestamp::Never();
    if (relay.state != Relay::State::kConnecting && relay.state != Relay::State::kAllocating) continue;
    if (relay.client) relay.client->Close(now);
    GiveUp(relay, "it did not answer in time");
  }
  MaybeSettle();
}

void RelaySet::Close(Timestamp now) {
  for (Relay& relay : relays_) {
    if (relay.state == Relay::State::kAllocated) relay.client->Close(now);
  }
}

void RelaySet::GiveUp(Relay& relay, std::string reason) {
  relay.state = Relay::State::kEnded;
  relay.check_until = Timestamp::Never();
  failures_.push_back({relay.server.address, std::move(reason)});
  events_.Push(relay_event::ConnectionDone{relay.id});
}

// One pair that fails, which ICE finds out by itself (RFC 8656 §10.2); people want to know why.
void RelaySet::NoteRefusal(const Relay& relay, const IpAddress& peer, uint16_t error_code) {
  if (error_code == 0 || refusals_.size() >= kMaxRefusals) return;
  const RelayRefusal refusal{relay.server.address, peer, error_code};
  if (std::ranges::find(refusals_, refusal) == refusals_.end()) refusals_.push_back(refusal);
}

// RFC 8489 §8.1: then "the client SHOULD retry the request to the next server".
void RelaySet::End(Timestamp now, Relay& relay, std::string reason) {
  if (relay.is_released) return FinishRelease(relay);
  const bool had_allocation = relay.state == Relay::State::kAllocated;
  GiveUp(relay, std::move(reason));
  LoseAddresses(relay);
  if (!had_allocation) {
    groups_[relay.group].race.HandleFailed(now);
    AdvanceRaces(now);
  }
  MaybeSettle();
}

std::optional<RelaySet::Received> RelaySet::HandleMessage(Timestamp now, RelayId id, const SocketAddress& remote,
                                                          std::span<const uint8_t> message) {
  Relay* relay = Find(id);
  if (relay == nullptr || !relay->client) {
    ++metrics_.dropped_unknown_connection;
    return std::nullopt;
  }
  const auto handled = relay->client->HandleDatagram(now, relay->local, remote, message);
  if (handled.mine && relay->state == Relay::State::kAllocating) HandleReached(*relay);
  TakeEvents(now, *relay);
  if (!relay->client) return std::nullopt;
  const auto& allocation = relay->client->allocation();
  if (!handled.data || !allocation) return std::nullopt;
  const auto& relayed = handled.data->peer.ip.is_v4() ? allocation->relayed_v4() : allocation->relayed_v6();
  if (!relayed) return std::nullopt;
  ++metrics_.datagrams_received;
  metrics_.bytes_received += handled.data->data.size();
  return Received{*relayed, handled.data->peer, handled.data->data};
}

void RelaySet::HandleTimeout(Timestamp now) {
  AdvanceRaces(now);
  for (Relay& relay : relays_) {
    if (relay.state == Relay::State::kEnded || !relay.client) continue;
    relay.client->HandleTimeout(now);
    TakeEvents(now, relay);
    if (now >= relay.check_until) Replace(relay);
  }
}

std::optional<RelaySet::Transmit> RelaySet::Send(Timestamp now, const SocketAddress& relayed, const SocketAddress& peer,
                                                 std::span<const uint8_t> data, std::span<uint8_t> out) {
  Relay* relay = FindByRelayed(relayed);
  const auto size = relay == nullptr ? Unexpected<turn::SendError>(turn::SendError::kNotAllocated)
                                     : relay->client->Send(now, peer, data, out);
  if (!size) {
    ++metrics_.dropped_unsendable;
    return std::nullopt;
  }
  ++metrics_.datagrams_sent;
  metrics_.bytes_sent += data.size();
  if (*size == 0) return std::nullopt;
  return Transmit{*size, relay->id, relay->local, relay->client->server()};
}

std::optional<RelaySet::Transmit> RelaySet::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  for (Relay& relay : relays_) {
    const bool has_client = relay.state == Relay::State::kAllocating || relay.state == Relay::State::kAllocated;
    if (!has_client) continue;
    if (const auto transmit = relay.client->PollTransmit(now, out)) {
      return Transmit{transmit->size, relay.id, transmit->local, transmit->remote};
    }
  }
  return std::nullopt;
}

Timestamp RelaySet::NextTimeout() const {
  Timestamp next;
  for (const Group& group : groups_) next = std::min(next, group.race.NextTimeout());
  for (const Relay& relay : relays_) {
    if (relay.state == Relay::State::kEnded || !relay.client) continue;
    next = std::min({next, relay.client->NextTimeout(), relay.check_until});
  }
  return next;
}

void RelaySet::TakeEvents(Timestamp now, Relay& relay) {
  while (relay.client) {
    const auto event = relay.client->PollEvent();
    if (!event) break;
    HandleEvent(now, relay, *event);
  }
  if (relay.check_until == Timestamp::Never() || relay.client->is_refreshing()) return;
  relay.check_until = Timestamp::Never();
  MaybeSettle();
}

void RelaySet::HandleEvent(Timestamp now, Relay& relay, const turn::ClientEvent& event) {
  std::visit(Overloaded{
                 [&](const turn::event::Allocated& e) {
                   relay.state = Relay::State::kAllocated;
                   AddCandidate(relay, e.relayed_v4, e.mapped);
                   AddCandidate(relay, e.relayed_v6, e.mapped);
                   MaybeSettle();
                 },
                 [&](const turn::event::AllocationFailed& e) {
                   const bool is_exhausted = e.error_code == stun::error_code::kAllocationQuotaReached ||
                                             e.error_code == stun::error_code::kInsufficientCapacity;
                   if (is_exhausted && !turn::IsStream(relay.server.transport)) {
                     events_.Push(relay_event::Exhausted{relay.server.address});
                   }
                   std::string reason = Describe(e.reason);
                   if (e.error_code != 0) reason += " (" + std::to_string(e.error_code) + ")";
                   End(now, relay, std::move(reason));
                 },
                 // The server takes our port for somebody else's (437), or sends us to another server: a new
                 // connection.
                 [&](const turn::event::NeedsNewPort&) {
                   events_.Push(relay_event::ConnectionDone{relay.id});
                   Want(relay);
                 },
                 [&](const turn::event::Redirected& e) {
                   relay.server.address = e.server;
                   if (!e.domain.empty()) relay.server.host = e.domain;
                   if (!turn::IsStream(relay.server.transport)) return;  // the client goes on over the same socket
                   events_.Push(relay_event::ConnectionDone{relay.id});
                   Want(relay);
                 },
                 [&](const turn::event::AllocationLost&) {
                   if (relay.check_until != Timestamp::Never()) return Replace(relay);
                   End(now, relay, "the allocation is gone");
                 },
                 [&](const turn::event::Closed&) { End(now, relay, "closed"); },
                 [&](const turn::event::PermissionRefused& e) { NoteRefusal(relay, e.peer, e.error_code); },
                 [&](const turn::event::ChannelRefused& e) { NoteRefusal(relay, e.peer.ip, e.error_code); },
                 [](const auto&) {},
             },
             event);
}

void RelaySet::AddCandidate(Relay& relay, const std::optional<SocketAddress>& relayed, const SocketAddress& mapped) {
  if (!relayed) return;
  relay.relayed.push_back(*relayed);
  ice::Candidate candidate;
  candidate.type = ice::CandidateType::kRelayed;
  candidate.address = *relayed;
  candidate.base = *relayed;
  if (!options_.hide_mapped) candidate.related = mapped;
  candidate.server = relay.client->server();
  if (turn::IsStream(relay.server.transport)) candidate.server_protocol = ice::TransportProtocol::kTcpActive;
  candidate.network_cost = CostOf(relay.server.transport);
  events_.Push(relay_event::CandidateGathered{std::move(candidate)});
}

bool RelaySet::is_settled() const {
  return std::ranges::none_of(relays_, [](const Relay& relay) {
    return relay.state == Relay::State::kConnecting || relay.state == Relay::State::kAllocating ||
           relay.check_until != Timestamp::Never();
  });
}

void RelaySet::MaybeSettle() {
  if (settled_ || !started_ || !is_settled()) return;
  settled_ = true;
  events_.Push(relay_event::Settled{});
}

}  // namespace jsp::transport
