#include "ice/pairing.h"

#include <algorithm>
#include <utility>

#include "ice/priority.h"
namespace jsp::ice {

Pairing::Pairing(const Options& options, Metrics& metrics)
    : filters_(options.filters),
      metrics_(metrics),
      local_(options.max_local_candidates),
      remote_(options.max_remote_candidates),
      checklist_(options.max_pairs),
      role_(options.role) {}

Expected<void, AddCandidateError> Pairing::AddLocal(Candidate candidate) {
  const IpAddress& base = candidate.base.port == 0 ? candidate.address.ip : candidate.base.ip;
  if (!filters_.local.Admits(candidate) || !filters_.local.Admits(base)) {
    Drop(DropReason::kFiltered);
    return Unexpected(AddCandidateError::kFiltered);
  }
  const auto added = local_.Add(std::move(candidate));
  if (!added) return Unexpected(added.error());
  if (phase_ == Phase::kCompleted && keeps_pairing_) FormFromNewest(*added);
  if (phase_ != Phase::kRunning) return {};
  for (size_t remote = 0; remote < remote_.size(); ++remote) {
    // RFC 8445 §7.3.1.3: a peer-reflexive candidate is paired only with the candidate that its check came to.
    const auto index = static_cast<uint16_t>(remote);
    if (remote_.Get(index).type != CandidateType::kPeerReflexive) FormPair(*added, index);
  }
  return {};
}

// Of a session that moves: a peer-reflexive candidate may be all that is left of the peer, and what came last is the
// likeliest to live. What is under way makes no room for what may be long gone.
void Pairing::FormFromNewest(uint16_t local) {
  for (size_t remote = remote_.size(); remote-- > 0 && !checklist_.is_full();) {
    FormPair(local, static_cast<uint16_t>(remote));
  }
}

Expected<void, AddCandidateError> Pairing::AddRemote(Candidate candidate) {
  if (!filters_.remote.Admits(candidate)) {
    Drop(DropReason::kFiltered);
    return Unexpected(AddCandidateError::kFiltered);
  }
  const auto added = remote_.Add(std::move(candidate), [&](uint16_t index) { return IsInUse(index); });
  if (!added) {
    if (added.error() == AddCandidateError::kTooMany) Drop(DropReason::kTooManyCandidates);
    return Unexpected(added.error());
  }
  // What a check revealed may be this candidate, or be at its address.
  checklist_.ForEach([&](CandidatePair& pair) {
    const bool is_this = pair.remote == added->index;
    if (is_this) pair.foundation = local_.Get(pair.local).foundation + ":" + remote_.Get(pair.remote).foundation;
    if (is_this || remote_.Get(pair.remote).type == CandidateType::kPeerReflexive) Assess(pair);
  });
  if (!IsPairing()) return {};
  for (size_t local = 0; local < local_.signalled().size(); ++local)
    FormPair(static_cast<uint16_t>(local), added->index);
  return {};
}

bool Pairing::AdmitsCheckFrom(const AddressPair& path) const {
  if (filters_.remote.peer_reflexive && filters_.remote.Admits(path.remote.ip)) return true;
  const auto local = local_.FindByBase(path.local);
  return local && remote_.Find(path.remote, PeersProtocol(local_.Get(*local).protocol)).has_value();
}

void Pairing::Start(Role role) {
  role_ = role;
  phase_ = Phase::kRunning;
  for (size_t local = 0; local < local_.signalled().size(); ++local) {
    for (size_t remote = 0; remote < remote_.size(); ++remote) {
      FormPair(static_cast<uint16_t>(local), static_cast<uint16_t>(remote));
    }
  }
  checklist_.Start();
}

void Pairing::Complete() {
  phase_ = Phase::kCompleted;
  checklist_.KeepOnlyValid();
}

void Pairing::SetRole(Role role) {
  role_ = role;
  checklist_.ForEach([&](CandidatePair& pair) { Assess(pair); });
}

void Pairing::Assess(CandidatePair& pair) const {
  const Candidate& ours = local_.Get(pair.local);
  const RemoteCandidates::Standing theirs = remote_.StandingOf(pair.remote);
  const bool is_own_relay = ours.type == CandidateType::kRelayed;
  pair.priority = PairPriority(role_, ours.priority, remote_.Get(pair.remote).priority);
  pair.rank = PairPriority(role_, ours.priority, theirs.priority);
  pair.is_relayed = is_own_relay || theirs.is_relayed;
  if (!pair.valid) return;
  const Candidate& seen_as = is_own_relay ? ours : local_.Get(pair.valid->local);
  pair.valid->priority = PairPriority(role_, seen_as.priority, theirs.priority);
}

void Pairing::FormAll() {
  if (phase_ != Phase::kCompleted || !keeps_pairing_) return;
  for (size_t local = 0; local < local_.signalled().size(); ++local) FormFromNewest(static_cast<uint16_t>(local));
}

std::vector<AddressPair> Pairing::PathsTo(const SocketAddress& remote) const {
  std::vector<AddressPair> paths;
  for (size_t index = 0; index < local_.signalled().size(); ++index) {
    const Candidate& ours = local_.signalled()[index];
    const auto theirs = remote_.Find(remote, PeersProtocol(ours.protocol));
    const bool is_path =
        theirs && CanPair(ours, remote_.Get(*theirs)) && !IsReplacedByBase(static_cast<uint16_t>(index));
    if (is_path) paths.push_back({ours.base, DestinationFrom(ours.base, remote)});
  }
  return paths;
}

CandidatePair* Pairing::Remake(uint16_t local, uint16_t remote) {
  if (local >= local_.signalled().size() || remote >= remote_.size()) return nullptr;
  FormPair(local, remote);
  const SocketAddress& base = local_.Get(local).base;
  return checklist_.Find({base, DestinationFrom(base, remote_.Get(remote).address)});
}

void Pairing::Trim() {
  checklist_.Trim();
  local_.Trim();
  remote_.Trim();
}

std::vector<uint16_t> Pairing::RemoveBase(const SocketAddress& base) {
  std::vector<AddressPair> lost;
  checklist_.ForEach([&](const CandidatePair& pair) {
    if (pair.addresses.local == base) lost.push_back(pair.addresses);
  });
  for (const AddressPair& addresses : lost) checklist_.Erase(addresses);
  std::vector<uint16_t> all_removed = local_.RemoveBase(base);
  for (const uint16_t removed : all_removed) {
    const auto follow = [&](uint16_t& index) {
      if (LocalCandidates::IsSignalled(index) && index > removed) --index;
    };
    checklist_.ForEach([&](CandidatePair& pair) {
      follow(pair.local);
      if (pair.valid) follow(pair.valid->local);
    });
  }
  return all_removed;
}

void Pairing::Clear() {
  phase_ = Phase::kCompleted;
  checklist_.Clear();
}

CandidatePair Pairing::MakePair(uint16_t local, uint16_t remote, const AddressPair& addresses) const {
  CandidatePair pair;
  pair.addresses = addresses;
  pair.local = local;
  pair.remote = remote;
  pair.foundation = local_.Get(local).foundation + ":" + remote_.Get(remote).foundation;
  Assess(pair);
  return pair;
}

bool Pairing::IsReplacedByBase(uint16_t local) const {
  const auto standing = local_.FindByBase(local_.Get(local).base);
  return standing && *standing != local;
}

void Pairing::FormPair(uint16_t local, uint16_t remote) {
  const Candidate& ours = local_.Get(local);
  const Candidate& theirs = remote_.Get(remote);
  if (!CanPair(ours, theirs) || IsReplacedByBase(local)) return;
  const AddressPair addresses{ours.base, DestinationFrom(ours.base, theirs.address)};
  if (checklist_.Add(MakePair(local, remote, addresses)) == Checklist::Added::kNoRoom) Drop(DropReason::kTooManyPairs);
}

bool Pairing::IsInUse(uint16_t remote) const {
  bool is_in_use = false;
  checklist_.ForEach([&](const CandidatePair& pair) { is_in_use = is_in_use || pair.remote == remote; });
  return is_in_use;
}

Pairing::Triggered Pairing::FindOrAdd(const AddressPair& addresses, uint32_t peer_reflexive_priority) {
  if (CandidatePair* known = checklist_.Find(addresses)) return {known, false};
  const auto local = local_.FindByBase(addresses.local);
  if (!local) return {};
  const TransportProtocol protocol = PeersProtocol(local_.Get(*local).protocol);
  auto remote = remote_.Find(addresses.remote, protocol);
  const bool is_new = !remote;
  if (is_new) {
    remote = remote_.Learn(
        addresses.remote, peer_reflexive_priority, [&](uint16_t index) { return IsInUse(index); }, protocol);
  }
  if (!remote) {
    Drop(DropReason::kTooManyCandidates);
    return {};
  }
  CandidatePair* pair = checklist_.AddTriggered(MakePair(*local, *remote, addresses));
  if (pair == nullptr) Drop(DropReason::kTooManyPairs);
  return {pair, is_new};
}

std::optional<uint16_t> Pairing::SetValid(CandidatePair& pair, const SocketAddress& mapped, Duration rtt,
                                          Timestamp now) {
  const auto seen_as = local_.FindOrDiscover(mapped, pair.local);
  if (!seen_as) Drop(DropReason::kTooManyCandidates);
  const uint16_t local = seen_as ? seen_as->index : pair.local;
  checklist_.SetValid(pair, Validity{local, 0, rtt, now});
  Assess(pair);
  if (seen_as && seen_as->is_new) return seen_as->index;
  return std::nullopt;
}

std::vector<PairStats> Pairing::Stats() const {
  std::vector<PairStats> stats;
  for (const CandidatePair* pair : checklist_.Sorted()) {
    stats.push_back({.local = LocalOf(*pair),
                     .remote = RemoteOf(*pair),
                     .priority = pair->priority,
                     .state = ToString(pair->state),
                     .nominated = pair->is_nominated,
                     .selected = pair->is_selected,
                     .requests_sent = pair->checks.requests_sent,
                     .responses_received = pair->checks.responses_received,
                     .rtt = pair->valid ? pair->valid->rtt : Duration{}});
  }
  return stats;
}

const Candidate& Pairing::LocalOf(const CandidatePair& pair) const {
  return local_.Get(pair.valid ? pair.valid->local : pair.local);
}

}  // namespace jsp::ice
