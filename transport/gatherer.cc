#include "transport/gatherer.h"

#include <algorithm>

namespace jsp::transport {
namespace {

// RFC 8445 §5.1.1.1: addresses that no peer could ever send to are no candidates.
bool IsUsable(const SocketAddress& address) {
  return address.port != 0 && !address.ip.IsUnspecified() && !address.ip.IsMulticast() && !address.ip.IsBroadcast();
}

// A loopback socket cannot reach a server elsewhere, and a link-local one only its own link.
bool MayReach(const SocketAddress& local, const SocketAddress& server) {
  if (local.ip.family() != server.ip.family()) return false;
  if (local.ip.IsLoopback() != server.ip.IsLoopback()) return false;
  return local.ip.IsLinkLocal() == server.ip.IsLinkLocal();
}

stun::ClientOptions ToClientOptions(const GathererOptions& options) {
  stun::ClientOptions client;
  client.retransmit = options.retransmit;
  client.max_transactions = options.max_local_addresses * std::max<size_t>(options.stun_servers.size(), 1);
  return client;
}

}  // namespace

Gatherer::Gatherer(const GathererOptions& options, Rng& rng)
    : options_(options), client_(ToClientOptions(options), rng) {}

void Gatherer::AddLocalAddress(Timestamp now, const LocalAddress& address) {
  const bool known = std::ranges::any_of(locals_, [&](const auto& l) { return l.address == address.address; });
  if (options_.only_relays || phase_ != Phase::kOpen || known || !IsUsable(address.address) ||
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
  events_.Push(gather_event::CandidateGathered{host});
  for (const auto& server : options_.stun_servers) {
    if (MayReach(address.address, server)) waiting_.push_back({address, server});
  }
  StartQueries(now);
}

void Gatherer::EndOfLocalAddresses(Timestamp now) {
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kWaitingForServers;
  deadline_ = now + options_.timeout;
  MaybeComplete();
}

// RFC 8445 §14.2: one new transaction every Ta; the first leaves at once.
void Gatherer::StartQueries(Timestamp now) {
  while (!waiting_.empty() && (next_start_ == Timestamp::Never() || now >= next_start_)) {
    const Query query = waiting_.front();
    waiting_.pop_front();
    if (client_.StartBinding(now, query.local.address, query.server)) ++in_progress_;
    next_start_ = now + options_.pacing_interval;
  }
  if (waiting_.empty() && next_start_ != Timestamp::Never() && now >= next_start_) next_start_ = Timestamp::Never();
}

bool Gatherer::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                              std::span<const uint8_t> datagram) {
  if (phase_ == Phase::kComplete || in_progress_ == 0) return false;
  const bool ours = client_.HandleDatagram(now, local, remote, datagram);
  if (ours) TakeClientEvents();
  return ours;
}

void Gatherer::HandleTimeout(Timestamp now) {
  if (phase_ == Phase::kComplete) return;
  client_.HandleTimeout(now);
  StartQueries(now);
  if (phase_ == Phase::kWaitingForServers && now >= deadline_) {
    waiting_.clear();
    in_progress_ = 0;
    relays_settled_ = true;
  }
  TakeClientEvents();
}

void Gatherer::HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server) {
  if (phase_ == Phase::kComplete) return;
  client_.HandleUnreachable(now, local, server);
  TakeClientEvents();
}

void Gatherer::TakeClientEvents() {
  while (auto event = client_.PollEvent()) {
    if (in_progress_ > 0) --in_progress_;
    if (const auto* ok = std::get_if<stun::event::BindingSucceeded>(&*event)) {
      HandleMapped(ok->local, ok->mapped, ok->server);
    }
  }
  MaybeComplete();
}

void Gatherer::HandleMapped(const SocketAddress& local, const SocketAddress& mapped, const SocketAddress& server) {
  // RFC 8445 §5.1.3: a reflexive candidate equal to its base, or to another one with that base, is redundant.
  if (mapped == local || !IsUsable(mapped)) return;
  const auto is_same = [&](const ice::Candidate& c) { return c.address == mapped && c.base == local; };
  const auto owner = std::ranges::find(locals_, local, &LocalAddress::address);
  if (std::ranges::any_of(reflexive_, is_same) || owner == locals_.end()) return;
  ice::Candidate candidate;
  candidate.type = ice::CandidateType::kServerReflexive;
  candidate.address = mapped;
  candidate.base = local;
  candidate.related = local;
  candidate.server = server;
  candidate.network_id = owner->network_id;
  candidate.network_cost = owner->network_cost;
  reflexive_.push_back(candidate);
  events_.Push(gather_event::CandidateGathered{std::move(candidate)});
}

void Gatherer::HandleRelaysSettled() {
  relays_settled_ = true;
  MaybeComplete();
}

void Gatherer::MaybeComplete() {
  if (phase_ != Phase::kWaitingForServers || in_progress_ > 0 || !waiting_.empty()) return;
  if (options_.waits_for_relays && !relays_settled_) return;
  phase_ = Phase::kComplete;
  events_.Push(gather_event::Complete{});
}

std::optional<Gatherer::Transmit> Gatherer::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  if (phase_ == Phase::kComplete) return std::nullopt;
  const auto transmit = client_.PollTransmit(now, out);
  if (!transmit) return std::nullopt;
  return Transmit{transmit->size, transmit->local, transmit->remote};
}

std::optional<Gatherer::Event> Gatherer::PollEvent() { return events_.Pop(); }

Timestamp Gatherer::NextTimeout() const {
  if (phase_ == Phase::kComplete) return Timestamp::Never();
  Timestamp next = client_.NextTimeout();
  if (!waiting_.empty()) next = std::min(next, next_start_);
  if (phase_ == Phase::kWaitingForServers) next = std::min(next, deadline_);
  return next;
}

}  // namespace jsp::transport
