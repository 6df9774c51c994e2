#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ice/candidate_pair.h"
namespace jsp::ice {

// The pairs of one data stream (RFC 8445 §6.1.2) and the rules by which they become redundant, frozen, waiting, and by
// which they make room for each other. Does not know candidates, sends nothing, decides nothing about checks. Owned by
// Pairing; the scheduler and the nomination policy read it.
class Checklist {
 public:
  explicit Checklist(size_t max_pairs) : max_pairs_(max_pairs) {}

  enum class Added : uint8_t { kInserted, kRedundant, kNoRoom };
  // Inserts a pair that candidates form. RFC 8445 §6.1.2.4: of two with equal base and remote address the one with the
  // higher priority stays; RFC 8838 §10: one that was checked already stays as it is. Its state follows from
  // RFC 8838 §12 once Start() was called, and is Frozen before.
  Added Add(CandidatePair pair);
  // RFC 8445 §6.1.2.6: the best pair of every foundation becomes Waiting.
  void Start();
  // Inserts a pair that a received check names (RFC 8445 §7.3.1.4), Waiting; may displace one under way or an idle
  // valid one.
  CandidatePair* AddTriggered(CandidatePair pair);

  CandidatePair* Find(const AddressPair& addresses);
  const CandidatePair* Find(const AddressPair& addresses) const;
  void SetState(CandidatePair& pair, PairState state);
  // Succeeded, with what the check found out; unfreezes its foundation (RFC 8445 §7.2.5.3.3).
  void SetValid(CandidatePair& pair, const Validity& validity);
  void Fail(CandidatePair& pair);
  void Erase(const AddressPair& addresses);
  // RFC 8445 §6.1.4.2 step 2: when nothing waits, every foundation without a pair under way gets one Waiting.
  void ThawWhenIdle();
  // RFC 8445 §8.1.2: after a nomination only pairs that succeeded remain.
  void KeepOnlyValid();
  void Clear();
  // Gives back what pairs took that are gone.
  void Trim() { pairs_.rehash(0); }

  CandidatePair* HighestWaiting();
  const CandidatePair* BestValid() const;
  // True when a pair better than `pair` is still to be checked or under way.
  bool HasPendingBetterThan(const CandidatePair& pair) const;
  bool HasPending() const { return Count(PairState::kFrozen) + PendingChecks() > 0; }
  size_t PendingChecks() const { return Count(PairState::kWaiting) + Count(PairState::kInProgress); }
  size_t Count(PairState state) const { return counts_[static_cast<size_t>(state)]; }
  size_t size() const { return pairs_.size(); }
  bool is_full() const { return pairs_.size() >= max_pairs_; }
  // With what the table takes for each.
  size_t held_octets() const {
    constexpr size_t kNode = sizeof(decltype(pairs_)::value_type) + 2 * sizeof(void*);
    return pairs_.size() * kNode + pairs_.bucket_count() * sizeof(void*);
  }
  bool IsConsistent() const;

  // In no particular order.
  template <class Visit>
  void ForEach(Visit&& visit) {
    for (auto& [addresses, pair] : pairs_) visit(pair);
  }
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (const auto& [addresses, pair] : pairs_) visit(pair);
  }
  std::vector<const CandidatePair*> Sorted() const;

 private:
  PairState InitialState(const CandidatePair& pair) const;
  bool MakeRoom(uint64_t priority);
  CandidatePair* FindVictim(uint64_t priority);
  const CandidatePair* FindStalest() const;
  CandidatePair& Insert(CandidatePair pair);
  size_t& CountOf(PairState state) { return counts_[static_cast<size_t>(state)]; }

  size_t max_pairs_;
  bool is_started_ = false;
  std::unordered_map<AddressPair, CandidatePair, AddressPairHash> pairs_;
  std::array<size_t, static_cast<size_t>(PairState::kCount)> counts_{};
};

}  // namespace jsp::ice
