#include "ice/candidate_list.h"

#include <utility>

#include "ice/priority.h"
namespace jsp::ice {
namespace {

constexpr uint16_t kFirstDiscovered = 0x8000;

bool IsSameAddress(const SocketAddress& a, const SocketAddress& b) { return WithoutScope(a) == WithoutScope(b); }

// RFC 8445 §5.1.1.3: same type, base IP address, server IP address and transport protocol, by which "they were
// obtained": a relay that is reached over TCP works where the same one over UDP does not.
bool SharesFoundation(const Candidate& a, const Candidate& b) {
  const bool same_server = a.server.has_value() == b.server.has_value() &&
                           (!a.server || a.server->ip == b.server->ip) && a.server_protocol == b.server_protocol;
  return a.type == b.type && a.base.ip == b.base.ip && a.protocol == b.protocol && same_server;
}

}  // namespace

Expected<uint16_t, AddCandidateError> LocalCandidates::Add(Candidate candidate) {
  if (candidate.base.port == 0) candidate.base = candidate.address;
  if (const auto fault = FindFault(candidate)) return Unexpected(*fault);
  // RFC 8445 §5.1.3: "redundant if and only if its transport address and base equal those of another candidate". The
  // earlier one is the one that was signalled, so the later one goes.
  for (const Candidate& known : signalled_) {
    if (IsSameAddress(known.address, candidate.address) && known.base == candidate.base) {
      return Unexpected(AddCandidateError::kDuplicate);
    }
  }
  if (signalled_.size() >= limit_) return Unexpected(AddCandidateError::kTooMany);
  if (candidate.priority == 0) AssignPriority(candidate);
  candidate.priority = ClampPriority(candidate.priority);
  if (candidate.foundation.empty()) AssignFoundation(candidate);
  signalled_.push_back(std::move(candidate));
  return static_cast<uint16_t>(signalled_.size() - 1);
}

void LocalCandidates::AssignPriority(Candidate& candidate) const {
  const auto same_type = [&](const Candidate& known) {
    return known.type == candidate.type && known.protocol == candidate.protocol;
  };
  const auto rank = std::ranges::count_if(signalled_, [&](const Candidate& known) {
    return same_type(known) && known.address.ip.family() == candidate.address.ip.family();
  });
  uint16_t preference = candidate.protocol == TransportProtocol::kUdp
                            ? WantedLocalPreference(static_cast<uint32_t>(rank), candidate.network_cost)
                            : WantedTcpLocalPreference(candidate, static_cast<uint32_t>(rank));
  // RFC 8445 §5.1.2.1: "the local preference MUST be unique for each one" of a type.
  const auto is_taken = [&](const Candidate& known) {
    return same_type(known) &&
           known.priority == CandidatePriority(known.type, preference, known.component, known.protocol);
  };
  while (preference > 0 && std::ranges::any_of(signalled_, is_taken)) --preference;
  candidate.priority = CandidatePriority(candidate.type, preference, candidate.component, candidate.protocol);
}

void LocalCandidates::AssignFoundation(Candidate& candidate) {
  const auto shares = [&](const Candidate& known) { return SharesFoundation(known, candidate); };
  for (const std::vector<Candidate>* list : {&signalled_, &discovered_}) {
    if (const auto known = std::ranges::find_if(*list, shares); known != list->end()) {
      candidate.foundation = known->foundation;
      return;
    }
  }
  // A running number says nothing about the base's address, which a hash of it would.
  const auto is_used = [&](const Candidate& known) { return known.foundation == candidate.foundation; };
  do {
    candidate.foundation = std::to_string(next_foundation_++);
  } while (std::ranges::any_of(signalled_, is_used));
}

std::optional<LocalCandidates::Discovery> LocalCandidates::FindOrDiscover(const SocketAddress& mapped,
                                                                          uint16_t sent_from) {
  const Candidate& sender = Get(sent_from);
  bool is_elsewhere = !IsUsableAddress(mapped);
  for (size_t i = 0; i < signalled_.size(); ++i) {
    if (!IsSameAddress(signalled_[i].address, mapped)) continue;
    if (signalled_[i].base == sender.base) return Discovery{static_cast<uint16_t>(i), false};
    is_elsewhere = true;
  }
  for (size_t i = 0; i < discovered_.size(); ++i) {
    if (!IsSameAddress(discovered_[i].address, mapped) || discovered_[i].base != sender.base) continue;
    return Discovery{static_cast<uint16_t>(kFirstDiscovered + i), false};
  }
  if (is_elsewhere) return Discovery{sent_from, false};
  if (discovered_.size() >= limit_) return std::nullopt;
  Candidate discovered = sender;
  discovered.type = CandidateType::kPeerReflexive;
  discovered.address = mapped;
  discovered.related = sender.base;
  discovered.server.reset();
  discovered.priority = PeerReflexivePriority(sender.priority, sender.protocol);
  discovered.foundation.clear();
  AssignFoundation(discovered);
  discovered_.push_back(std::move(discovered));
  return Discovery{static_cast<uint16_t>(kFirstDiscovered + discovered_.size() - 1), true};
}

std::optional<uint16_t> LocalCandidates::FindByBase(const SocketAddress& base) const {
  std::optional<uint16_t> found;
  for (size_t i = 0; i < signalled_.size(); ++i) {
    if (signalled_[i].base != base) continue;
    if (signalled_[i].address == base) return static_cast<uint16_t>(i);
    if (!found) found = static_cast<uint16_t>(i);
  }
  return found;
}

std::vector<uint16_t> LocalCandidates::RemoveBase(const SocketAddress& base) {
  std::vector<uint16_t> removed;
  for (size_t i = signalled_.size(); i-- > 0;) {
    if (signalled_[i].base != base) continue;
    removed.push_back(static_cast<uint16_t>(i));
    signalled_.erase(signalled_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return removed;
}

bool LocalCandidates::IsSignalled(uint16_t index) { return index < kFirstDiscovered; }

const Candidate& LocalCandidates::Get(uint16_t index) const {
  return index < kFirstDiscovered ? signalled_[index] : discovered_[index - kFirstDiscovered];
}

std::optional<AddCandidateError> RemoteCandidates::Complete(Candidate& candidate) {
  if (const auto fault = FindFault(candidate)) return fault;
  if (!IsConnectable(candidate)) return AddCandidateError::kBadAddress;
  candidate.address = WithoutScope(candidate.address);
  candidate.base = {};
  if (candidate.priority == 0) {
    candidate.priority = CandidatePriority(candidate.type, 0, candidate.component, candidate.protocol);
  }
  candidate.priority = ClampPriority(candidate.priority);
  if (candidate.foundation.empty()) candidate.foundation = UniqueFoundation();
  return std::nullopt;
}

Expected<RemoteCandidates::Added, AddCandidateError> RemoteCandidates::Merge(uint16_t known, Candidate candidate) {
  Candidate& earlier = candidates_[known];
  if (earlier.type != CandidateType::kPeerReflexive || candidate.type == CandidateType::kPeerReflexive) {
    return Unexpected(AddCandidateError::kDuplicate);
  }
  signalled_[known] = candidate.priority;
  candidate.priority = earlier.priority;  // so that both sides see the same pair priorities
  earlier = std::move(candidate);
  return Added{known, true};
}

std::optional<uint16_t> RemoteCandidates::Find(const SocketAddress& address, TransportProtocol protocol) const {
  const SocketAddress wanted = WithoutScope(address);
  const auto found = std::ranges::find_if(
      candidates_, [&](const Candidate& known) { return known.address == wanted && known.protocol == protocol; });
  if (found == candidates_.end()) return std::nullopt;
  return static_cast<uint16_t>(found - candidates_.begin());
}

RemoteCandidates::Standing RemoteCandidates::StandingOf(uint16_t index) const {
  const Candidate& candidate = candidates_[index];
  if (candidate.type == CandidateType::kRelayed) return {true, signalled_[index]};
  Standing standing{false, candidate.priority};
  if (candidate.type != CandidateType::kPeerReflexive) return standing;
  // A NAT in front of us may give what a relay sends another port.
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& other = candidates_[i];
    const bool is_there = other.address.ip == candidate.address.ip && other.protocol == candidate.protocol;
    if (!is_there || other.type == CandidateType::kPeerReflexive) continue;
    if (other.type != CandidateType::kRelayed) return {false, candidate.priority};
    if (!standing.is_relayed || signalled_[i] > standing.priority) standing = {true, signalled_[i]};
  }
  return standing;
}

Candidate RemoteCandidates::MakePeerReflexive(const SocketAddress& address, uint32_t priority,
                                              TransportProtocol protocol) {
  Candidate candidate;
  candidate.protocol = protocol;
  candidate.type = CandidateType::kPeerReflexive;
  candidate.address = WithoutScope(address);
  candidate.priority = ClampPriority(priority);
  candidate.foundation = UniqueFoundation();
  return candidate;
}

// RFC 8445 §7.3.1.3: "an arbitrary value, different from the foundations of all other remote candidates".
std::string RemoteCandidates::UniqueFoundation() { return "unknown" + std::to_string(++unsignalled_); }

}  // namespace jsp::ice
