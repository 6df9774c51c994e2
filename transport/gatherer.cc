#include "transport/gatherer.h"

#include <algorithm>
#include <string>
#include <utility>

namespace jsp::transport {
namespace {

// A loopback socket cannot reach a server elsewhere, and a link-local one only its own link.
bool MayReach(const SocketAddress& local, const SocketAddress& server) {
  if (local.ip.family() != server.ip.family()) return false;
  if (local.ip.IsLoopback() != server.ip.IsLoopback()) return false;
  return local.ip.IsLinkLocal() == server.ip.IsLinkLocal();
}

// The second port is asked for what it tells of the NAT, not waited for: a firewall may drop it.
constexpr stun::RetransmitOptions kSecondPort{.rto = std::chrono::milliseconds(250), .rc = 2, .rm = 2};

stun::ClientOptions ToClientOptions(const GathererOptions& options) {
  stun::ClientOptions client;
  client.retransmit = options.retransmit;
  // Queries and keepalives, also of servers that AddServer names.
  client.max_transactions = options.max_local_addresses * (options.stun_servers.size() + 8) * 2;
  return client;
}

}  // namespace

Gatherer::Gatherer(const GathererOptions& options, Rng& rng)
    : options_(options), client_(ToClientOptions(options), rng) {}

void Gatherer::AddLocalAddress(Timestamp now, const LocalAddress& address) {
  const bool known = std::ranges::any_of(locals_, [&](const auto& l) { return l.address == address.address; });
  // RFC 8445 §5.1.1.1: addresses that no peer could ever send to are no candidates.
  if (options_.only_relays || known || !Admits(address) || !ice::IsUsableAddress(address.address) ||
      locals_.size() >= options_.max_local_addresses) {
    return;
  }
  locals_.push_back(address);
  ice::Candidate host;
  host.type = ice::CandidateType::kHost;
  host.address = address.address;
  host.base = address.address;
  host.network_id = address.network_id;
  host.network_cost = address.network_cost;
  if (options_.filter.Admits(host)) events_.Push(gather_event::CandidateGathered{host});
  Ask(address);
  StartQueries(now);
}

bool Gatherer::Admits(const LocalAddress& address) const {
  return options_.filter.Admits(address.address.ip) && address.network_cost <= options_.filter.max_network_cost;
}

void Gatherer::Ask(const LocalAddress& local) {
  if (!options_.filter.server_reflexive) return;
  for (const auto& server : options_.stun_servers) {
    if (MayReach(local.address, server)) waiting_.push_back({local.address, server});
  }
}

void Gatherer::EndOfLocalAddresses(Timestamp now) {
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kWaitingForServers;
  deadline_ = now + options_.timeout;
  MaybeComplete();
}

// With a keepalive that is under way.
template <class IsOver>
void Gatherer::ForgetBindings(IsOver&& is_over) {
  std::erase_if(bindings_, [&](const Binding& binding) {
    if (!is_over(binding)) return false;
    if (binding.refresh) client_.Cancel(*binding.refresh);
    return true;
  });
}

void Gatherer::RemoveLocalAddress(const SocketAddress& address) {
  const auto is_its = [&](const Query& query) { return query.local == address; };
  std::erase_if(locals_, [&](const LocalAddress& local) { return local.address == address; });
  std::erase_if(reflexive_, [&](const ice::Candidate& candidate) { return candidate.base == address; });
  std::erase_if(waiting_, is_its);
  std::erase_if(in_progress_, is_its);
  std::erase_if(asked_, [&](const Asked& asked) { return is_its(asked.query); });
  ForgetBindings([&](const Binding& binding) { return is_its(binding.query); });
  MaybeComplete();
}

void Gatherer::AddServer(Timestamp now, const SocketAddress& server) {
  if (options_.only_relays || !options_.filter.server_reflexive) return;
  if (std::ranges::find(options_.stun_servers, server) != options_.stun_servers.end()) return;
  options_.stun_servers.push_back(server);
  for (const LocalAddress& local : locals_) {
    if (MayReach(local.address, server)) waiting_.push_back({local.address, server});
  }
  StartQueries(now);
}

void Gatherer::Restart(Timestamp now) {
  if (phase_ == Phase::kOpen) return;
  is_concluded_ = false;
  waiting_.clear();
  for (const LocalAddress& local : locals_) Ask(local);
  StartQueries(now);
  Reopen(now);
}

void Gatherer::Resume(Timestamp now) {
  if (!std::exchange(is_concluded_, false)) return;
  for (const LocalAddress& local : locals_) Ask(local);
  StartQueries(now);
}

void Gatherer::Reopen(Timestamp now) {
  if (phase_ == Phase::kOpen) return;
  phase_ = Phase::kWaitingForServers;
  deadline_ = now + options_.timeout;
  relays_settled_ = false;
  MaybeComplete();
}

void Gatherer::Conclude(std::span<const SocketAddress> used) {
  is_concluded_ = true;
  ForgetBindings([&](const Binding& binding) { return std::ranges::find(used, binding.query.local) == used.end(); });
  bindings_.shrink_to_fit();
  if (in_progress_.empty() && waiting_.empty()) asked_ = {};
  reflexive_.shrink_to_fit();
}

// RFC 8445 §14.2: one new transaction every Ta; the first leaves at once.
void Gatherer::StartQueries(Timestamp now) {
  while (!waiting_.empty() && (next_start_ == Timestamp::Never() || now >= next_start_)) {
    const Query query = waiting_.front();
    waiting_.erase(waiting_.begin());
    const stun::BehaviorRequest once_more{
        .answer_from = query.server, .answer_to = query.local, .retransmit = kSecondPort};
    const auto started = IsSecondPort(query.server) ? client_.StartBinding(now, query.local, query.server, once_more)
                                                    : client_.StartBinding(now, query.local, query.server);
    if (started) in_progress_.push_back(query);
    if (started && std::ranges::find(asked_, query, &Asked::query) == asked_.end()) asked_.push_back({query});
    next_start_ = now + options_.pacing_interval;
  }
  if (waiting_.empty() && next_start_ != Timestamp::Never() && now >= next_start_) next_start_ = Timestamp::Never();
}

// RFC 8445 §5.1.1.4: "the bindings MUST be kept alive by additional Binding requests to the server".
void Gatherer::RefreshBindings(Timestamp now) {
  for (Binding& binding : bindings_) {
    if (now < binding.refresh_at) continue;
    binding.refresh_at = now + options_.keepalive_interval;
    const auto started = client_.StartBinding(now, binding.query.local, binding.query.server);
    if (started) binding.refresh = *started;
  }
}

void Gatherer::NoteBinding(Timestamp now, const Query& query) {
  const bool known = std::ranges::find(bindings_, query, &Binding::query) != bindings_.end();
  if (!known) bindings_.push_back({query, now + options_.keepalive_interval});
}

bool Gatherer::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                              std::span<const uint8_t> datagram) {
  if (in_progress_.empty() && bindings_.empty()) return false;
  const bool ours = client_.HandleDatagram(now, local, remote, datagram);
  if (ours) TakeClientEvents(now);
  return ours;
}

void Gatherer::HandleTimeout(Timestamp now) {
  client_.HandleTimeout(now);
  StartQueries(now);
  RefreshBindings(now);
  if (phase_ == Phase::kWaitingForServers && now >= deadline_) {
    waiting_.clear();
    in_progress_.clear();
    relays_settled_ = true;
    awaits_port_mappings_ = false;
  }
  TakeClientEvents(now);
}

void Gatherer::HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server) {
  client_.HandleUnreachable(now, local, server);
  TakeClientEvents(now);
}

void Gatherer::TakeClientEvents(Timestamp now) {
  while (auto event = client_.PollEvent()) {
    if (const auto* ok = std::get_if<stun::event::BindingSucceeded>(&*event)) {
      std::erase(in_progress_, Query{ok->local, ok->server});
      HandleAnswer(now, *ok);
      if (!IsSecondPort(ok->server)) NoteBinding(now, {ok->local, ok->server});
    } else {
      const auto& failed = std::get<stun::event::BindingFailed>(*event);
      std::erase(in_progress_, Query{failed.local, failed.server});
    }
  }
  MaybeComplete();
}

void Gatherer::HandleAnswer(Timestamp now, const stun::event::BindingSucceeded& answer) {
  const Query query{answer.local, answer.server};
  if (const auto asked = std::ranges::find(asked_, query, &Asked::query); asked != asked_.end()) {
    asked->mapped = answer.mapped;
  }
  HandleMapped(answer.local, answer.mapped, answer.server);
  Predict(answer.local);
  const auto is_its = [&](const Query& other) { return other.local == answer.local; };
  const bool is_alone =
      std::ranges::count_if(asked_, is_its, &Asked::query) == 1 && std::ranges::none_of(waiting_, is_its);
  const bool is_behind_nat = answer.mapped != answer.local;
  if (!options_.prediction.is_enabled || !is_behind_nat || !is_alone || !answer.other_address) return;
  // RFC 5780 §3: it listens at both ports of both addresses. Another host than the one that was configured is not asked
  // on its word.
  const SocketAddress other{answer.server.ip, answer.other_address->port};
  if (!IsSecondPort(other) || !ice::IsUsableAddress(other)) return;
  waiting_.push_back({answer.local, other});
  StartQueries(now);
}

bool Gatherer::IsSecondPort(const SocketAddress& server) const {
  return std::ranges::find(options_.stun_servers, server) == options_.stun_servers.end();
}

// Each has a foundation of its own: with the server's, all but one would stay frozen for as long as that one is checked
// (RFC 8445 §6.1.2.6), and no server saw them.
void Gatherer::Predict(const SocketAddress& local) {
  std::vector<ice::Observation> seen;
  for (const Asked& asked : asked_) {
    if (asked.query.local == local && asked.mapped) seen.push_back({asked.query.server, *asked.mapped});
  }
  for (const SocketAddress& next : ice::PredictMappings(seen, options_.prediction)) {
    auto candidate = MakeReflexive(local, next);
    if (!candidate) continue;
    candidate->foundation = "next" + std::to_string(reflexive_.size());
    Announce(std::move(*candidate));
  }
}

void Gatherer::HandleMapped(const SocketAddress& local, const SocketAddress& mapped, const SocketAddress& server) {
  auto candidate = MakeReflexive(local, mapped);
  if (!candidate) return;
  candidate->server = server;
  // A second socket of one address is there because the mapping of the first is of no use (HoleOpener), and a second
  // mapping of a socket because the NAT forgot the first. By the letter of RFC 8445 §5.1.1.3 they share a foundation,
  // and the new one would wait for the old one's checks to fail.
  const auto first = std::ranges::find(locals_, local.ip, [](const LocalAddress& l) { return l.address.ip; });
  const bool has_moved = std::ranges::any_of(
      reflexive_, [&](const ice::Candidate& c) { return c.base == local && c.server && c.server->ip == server.ip; });
  if (first->address != local || has_moved) candidate->foundation = "fresh" + std::to_string(reflexive_.size());
  Announce(std::move(*candidate));
}

// RFC 8445 §5.1.3: a reflexive candidate equal to its base, or to another one with that base, is redundant.
std::optional<ice::Candidate> Gatherer::MakeReflexive(const SocketAddress& local, const SocketAddress& mapped) const {
  if (mapped == local || !ice::IsUsableAddress(mapped)) return std::nullopt;
  const auto is_same = [&](const ice::Candidate& c) { return c.address == mapped && c.base == local; };
  const auto owner = std::ranges::find(locals_, local, &LocalAddress::address);
  if (std::ranges::any_of(reflexive_, is_same) || owner == locals_.end()) return std::nullopt;
  ice::Candidate candidate;
  candidate.type = ice::CandidateType::kServerReflexive;
  candidate.address = mapped;
  candidate.base = local;
  candidate.related = local;
  candidate.network_id = owner->network_id;
  candidate.network_cost = owner->network_cost;
  if (!options_.filter.Admits(candidate)) return std::nullopt;
  return candidate;
}

void Gatherer::Announce(ice::Candidate candidate) {
  reflexive_.push_back(candidate);
  events_.Push(gather_event::CandidateGathered{std::move(candidate)});
}

void Gatherer::HandlePortMapped(const SocketAddress& local, const SocketAddress& external,
                                const SocketAddress& gateway) {
  if (phase_ != Phase::kComplete) HandleMapped(local, external, gateway);
}

void Gatherer::HandlePortMappingsSettled() {
  awaits_port_mappings_ = false;
  MaybeComplete();
}

void Gatherer::HandleRelaysSettled() {
  relays_settled_ = true;
  MaybeComplete();
}

void Gatherer::MaybeComplete() {
  if (phase_ != Phase::kWaitingForServers || !in_progress_.empty() || !waiting_.empty()) return;
  if (options_.waits_for_relays && !relays_settled_) return;
  if (awaits_port_mappings_) return;
  phase_ = Phase::kComplete;
  events_.Push(gather_event::Complete{});
}

std::optional<Gatherer::Transmit> Gatherer::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  const auto transmit = client_.PollTransmit(now, out);
  if (!transmit) return std::nullopt;
  return Transmit{transmit->size, transmit->local, transmit->remote};
}

void Gatherer::Trim() {
  client_.Trim();
  events_.Trim();
  if (waiting_.empty()) waiting_.shrink_to_fit();
  if (in_progress_.empty()) in_progress_.shrink_to_fit();
}

size_t Gatherer::held_octets() const {
  return locals_.capacity() * sizeof(LocalAddress) + reflexive_.capacity() * sizeof(ice::Candidate) +
         (waiting_.capacity() + in_progress_.capacity()) * sizeof(Query) + asked_.capacity() * sizeof(Asked) +
         bindings_.capacity() * sizeof(Binding);
}

std::optional<Gatherer::Event> Gatherer::PollEvent() { return events_.Pop(); }

Timestamp Gatherer::NextTimeout() const {
  Timestamp next = client_.NextTimeout();
  for (const Binding& binding : bindings_) next = std::min(next, binding.refresh_at);
  if (!waiting_.empty()) next = std::min(next, next_start_);
  if (phase_ == Phase::kWaitingForServers) next = std::min(next, deadline_);
  return next;
}

}  // namespace jsp::transport
