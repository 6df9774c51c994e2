#include "ice/prediction_probes.h"

#include <algorithm>
#include <numeric>
#include <utility>
namespace jsp::ice {
namespace {

constexpr size_t kMaxRemotes = 64;  // that are looked at; a peer signals a few
constexpr size_t kMaxTaken = 4;     // sockets that became candidates: one is enough, others were under way
constexpr size_t kRounds = 2;
constexpr size_t kLowestPort = 1024;  // RFC 4787 §4.2.1: NATs leave the well-known ports alone
constexpr size_t kPorts = 65536 - kLowestPort;

// What a NAT or a firewall shows to everybody.
bool IsPublic(const Candidate& candidate) {
  const IpAddress& ip = candidate.address.ip;
  const bool is_shown = candidate.type == CandidateType::kServerReflexive || candidate.type == CandidateType::kHost;
  return is_shown && candidate.protocol == TransportProtocol::kUdp && IsUsableAddress(candidate.address) &&
         !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocal();
}

// Of one socket, as far as the candidates tell: its own address may be hidden (RFC 8839 §5.1, RFC 8828 §5).
bool IsSameSocket(const Candidate& a, const Candidate& b) {
  return a.type == CandidateType::kServerReflexive && b.type == CandidateType::kServerReflexive &&
         a.related == b.related && a.address.ip == b.address.ip;
}

}  // namespace

SeenNat SeeNat(std::span<const Candidate> candidates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (IsPublic(candidate) && (best == nullptr || candidate.priority > best->priority)) best = &candidate;
  }
  if (best == nullptr) return {};
  const bool varies = std::ranges::any_of(candidates, [&](const Candidate& other) {
    return IsSameSocket(*best, other) && best->address.port != other.address.port;
  });
  return {best->address, best->base, varies};
}

PortProbes::Role PortProbes::ChooseRole(const SeenNat& ours, const SeenNat& theirs) {
  const bool can_meet = ours.address && theirs.address && ours.address->ip.family() == theirs.address->ip.family();
  if (!can_meet || ours.varies == theirs.varies) return Role::kNone;
  return ours.varies ? Role::kOpens : Role::kProbes;
}

void PortProbes::HandleRemoteCandidate(const Candidate& candidate) {
  const bool is_of_use = options_.is_enabled && !std::holds_alternative<Done>(state_) && IsPublic(candidate);
  if (is_of_use && remotes_.size() < kMaxRemotes) remotes_.push_back(candidate);
}

void PortProbes::Begin(Timestamp now) {
  if (options_.is_enabled && std::holds_alternative<Idle>(state_)) state_ = Waiting{now + options_.delay};
}

void PortProbes::HandleRestart() {
  Stop();
  state_ = Idle{};
}

void PortProbes::Stop() {
  if (auto* opening = std::get_if<Opening>(&state_)) {
    unused_.insert(unused_.end(), opening->sockets.begin(), opening->sockets.end());
  }
  remotes_ = {};
  state_ = Done{};
}

void PortProbes::HandleSockets(Timestamp now, std::span<const SocketAddress> sockets) {
  auto* opening = std::get_if<Opening>(&state_);
  const bool is_awaited = opening != nullptr && !opening->wanted && opening->sockets.empty();
  const auto kept = sockets.first(is_awaited ? std::min(sockets.size(), options_.max_sockets) : 0);
  const auto rest = sockets.subspan(kept.size());
  unused_.insert(unused_.end(), rest.begin(), rest.end());
  if (!is_awaited) return;
  opening->sockets.assign(kept.begin(), kept.end());
  opening->next_at = now;
}

bool PortProbes::Owns(const SocketAddress& socket) const {
  const auto* opening = std::get_if<Opening>(&state_);
  return opening != nullptr && std::ranges::find(opening->sockets, socket) != opening->sockets.end();
}

bool PortProbes::Take(const SocketAddress& socket) {
  auto* opening = std::get_if<Opening>(&state_);
  if (opening == nullptr || opening->taken >= kMaxTaken || std::erase(opening->sockets, socket) == 0) return false;
  ++opening->taken;
  opening->sent = std::min(opening->sent, opening->sockets.size() * kRounds);
  return true;
}

void PortProbes::Update(Timestamp now, std::span<const Candidate> local) {
  if (auto* waiting = std::get_if<Waiting>(&state_)) {
    if (now < waiting->start_at) return;
    waiting->is_due = true;
    if (now >= waiting->start_at + options_.duration) return Stop();
    const SeenNat ours = SeeNat(local);
    const SeenNat theirs = SeeNat(remotes_);
    if (const Role role = ChooseRole(ours, theirs); role != Role::kNone) Start(now, ours, theirs, role);
    return;
  }
  const auto* opening = std::get_if<Opening>(&state_);
  const auto* probing = std::get_if<Probing>(&state_);
  if ((opening != nullptr && now >= opening->end_at) || (probing != nullptr && now >= probing->end_at)) Stop();
}

void PortProbes::Start(Timestamp now, const SeenNat& ours, const SeenNat& theirs, Role role) {
  const Timestamp end_at = now + options_.duration;
  if (role == Role::kOpens) {
    state_ = Opening{end_at, *theirs.address, SocketsWanted{ours.base.ip, options_.max_sockets}};
  } else {
    state_ = Probing{end_at, ours.base, theirs.address->ip, DrawPorts(), now};
  }
}

// Distinct ones: none is tried twice.
std::vector<uint16_t> PortProbes::DrawPorts() {
  std::vector<uint16_t> all(kPorts);
  std::iota(all.begin(), all.end(), static_cast<uint16_t>(kLowestPort));
  const size_t count = std::min(options_.max_probes, kPorts);
  for (size_t i = 0; i < count; ++i) std::swap(all[i], all[i + rng_->Below(kPorts - i)]);
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::optional<PortProbes::SocketsWanted> PortProbes::PollSocketsWanted() {
  auto* opening = std::get_if<Opening>(&state_);
  return opening == nullptr ? std::nullopt : std::exchange(opening->wanted, std::nullopt);
}

std::vector<SocketAddress> PortProbes::TakeUnused() { return std::exchange(unused_, {}); }

std::optional<PortProbes::Shot> PortProbes::PollShot(Timestamp now) {
  if (auto* opening = std::get_if<Opening>(&state_)) {
    if (opening->sent >= opening->sockets.size() * kRounds || now < opening->next_at) return std::nullopt;
    const SocketAddress& local = opening->sockets[opening->sent++ % opening->sockets.size()];
    opening->next_at = now + options_.socket_interval;
    return Shot{local, opening->target, false};
  }
  auto* probing = std::get_if<Probing>(&state_);
  if (probing == nullptr || probing->ports.empty() || now < probing->next_at) return std::nullopt;
  const Shot shot{probing->base, {probing->target, probing->ports.back()}, true};
  probing->ports.pop_back();
  probing->next_at = now + options_.probe_interval;
  return shot;
}

Timestamp PortProbes::NextTimeout() const {
  if (const auto* waiting = std::get_if<Waiting>(&state_)) {
    return waiting->start_at + (waiting->is_due ? options_.duration : Duration::zero());
  }
  if (const auto* opening = std::get_if<Opening>(&state_)) {
    const bool has_more = opening->sent < opening->sockets.size() * kRounds;
    return has_more ? std::min(opening->next_at, opening->end_at) : opening->end_at;
  }
  if (const auto* probing = std::get_if<Probing>(&state_)) {
    return probing->ports.empty() ? probing->end_at : std::min(probing->next_at, probing->end_at);
  }
  return Timestamp::Never();
}

}  // namespace jsp::ice
