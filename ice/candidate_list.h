#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "ice/candidate.h"
namespace jsp::ice {

// Our candidates: those that the owner added (and signals), and the peer-reflexive ones that checks discovered. Both
// are named by one index, which stays valid. Computes priorities and foundations. Owned by Pairing.
class LocalCandidates {
 public:
  explicit LocalCandidates(size_t limit) : limit_(limit) {}

  // Completes `candidate` and keeps it. Refuses what FindFault names, and what is redundant: RFC 8445 §5.1.3.
  Expected<uint16_t, AddCandidateError> Add(Candidate candidate);
  struct Discovery {
    uint16_t index;
    bool is_new;
  };
  // The candidate that a mapped address names, for a check that `sent_from` sent. A new one becomes peer-reflexive,
  // with that base and the priority that the check said (RFC 8445 §7.2.5.3.1). An address that is no candidate's, or is
  // one with another base, leaves it at `sent_from`. nullopt when the list is full.
  std::optional<Discovery> FindOrDiscover(const SocketAddress& mapped, uint16_t sent_from);
  // The candidate to speak for packets from `base`: the one whose address it is, else the first that has this base.
  std::optional<uint16_t> FindByBase(const SocketAddress& base) const;

  // Removes the candidates with that base. Of those after a removed one the index falls by one: the removed indexes,
  // the highest first. Discovered candidates stay, of use to nobody.
  std::vector<uint16_t> RemoveBase(const SocketAddress& base);
  static bool IsSignalled(uint16_t index);

  // Gives back room for more.
  void Trim() {
    signalled_.shrink_to_fit();
    discovered_.shrink_to_fit();
  }

  const Candidate& Get(uint16_t index) const;
  const std::vector<Candidate>& signalled() const { return signalled_; }
  size_t discovered() const { return discovered_.size(); }
  size_t held_octets() const { return (signalled_.capacity() + discovered_.capacity()) * sizeof(Candidate); }

 private:
  void AssignPriority(Candidate& candidate) const;
  void AssignFoundation(Candidate& candidate);

  size_t limit_;  // of each of the two
  std::vector<Candidate> signalled_;
  std::vector<Candidate> discovered_;
  uint32_t next_foundation_ = 1;
};

// The peer's candidates, signalled and peer-reflexive, named by an index that stays valid as long as a pair uses it.
// Owned by Pairing.
class RemoteCandidates {
 public:
  explicit RemoteCandidates(size_t limit) : limit_(limit) {}

  struct Added {
    uint16_t index;
    bool was_peer_reflexive;  // the address was known from a check
  };
  // Keeps a signalled candidate. One that a check revealed before takes over what was signalled, but keeps its
  // priority: RFC 8838 §11. When the list is full, a peer-reflexive candidate that no pair uses makes room:
  // `is_in_use(index)`.
  template <class IsInUse>
  Expected<Added, AddCandidateError> Add(Candidate candidate, IsInUse&& is_in_use) {
    if (const auto fault = Complete(candidate)) return Unexpected(*fault);
    if (const auto known = Find(candidate.address, candidate.protocol)) return Merge(*known, std::move(candidate));
    const auto index = Keep(std::move(candidate), is_in_use);
    if (!index) return Unexpected(AddCandidateError::kTooMany);
    return Added{*index, false};
  }
  // RFC 8445 §7.3.1.3: a source nobody signalled. nullopt when there is no room.
  template <class IsInUse>
  std::optional<uint16_t> Learn(const SocketAddress& address, uint32_t priority, IsInUse&& is_in_use,
                                TransportProtocol protocol = TransportProtocol::kUdp) {
    return Keep(MakePeerReflexive(address, priority, protocol), is_in_use);
  }
  std::optional<uint16_t> Find(const SocketAddress& address,
                               TransportProtocol protocol = TransportProtocol::kUdp) const;
  // Gives back room for more.
  void Trim() { candidates_.shrink_to_fit(); }
  const Candidate& Get(uint16_t index) const { return candidates_[index]; }
  size_t size() const { return candidates_.size(); }
  size_t held_octets() const { return candidates_.capacity() * sizeof(Candidate); }

  // What a candidate is worth, whatever its checks said: one that a check revealed has the priority of a
  // peer-reflexive one, above that of every server-reflexive one (RFC 8445 §5.1.2.1), even if a relay sent it.
  struct Standing {
    bool is_relayed = false;  // by its type, or as its address is that of a relayed candidate and of no other
    uint32_t priority = 0;    // as it was signalled, of a relay: else the candidate's
  };
  Standing StandingOf(uint16_t index) const;

 private:
  template <class IsInUse>
  std::optional<uint16_t> Keep(Candidate candidate, IsInUse&& is_in_use) {
    if (candidates_.size() < limit_) {
      signalled_.push_back(candidate.priority);
      candidates_.push_back(std::move(candidate));
      return static_cast<uint16_t>(candidates_.size() - 1);
    }
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const auto index = static_cast<uint16_t>(i);
      if (candidates_[i].type != CandidateType::kPeerReflexive || is_in_use(index)) continue;
      signalled_[i] = candidate.priority;
      candidates_[i] = std::move(candidate);
      return index;
    }
    return std::nullopt;
  }
  std::optional<AddCandidateError> Complete(Candidate& candidate);
  Expected<Added, AddCandidateError> Merge(uint16_t known, Candidate candidate);
  std::string UniqueFoundation();
  Candidate MakePeerReflexive(const SocketAddress& address, uint32_t priority, TransportProtocol protocol);

  size_t limit_;
  std::vector<Candidate> candidates_;
  std::vector<uint32_t> signalled_;  // priorities of those, as far as they were
  uint32_t unsignalled_ = 0;
};

}  // namespace jsp::ice
