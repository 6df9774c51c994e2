#include "ice/checklist.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/check.h"
namespace jsp::ice {
namespace {

bool IsUntouched(const CandidatePair& pair) {
  return pair.state == PairState::kFrozen || pair.state == PairState::kWaiting;
}
bool IsUnderWay(const CandidatePair& pair) {
  return pair.state == PairState::kWaiting || pair.state == PairState::kInProgress;
}

}  // namespace

CandidatePair& Checklist::Insert(CandidatePair pair) {
  ++CountOf(pair.state);
  const AddressPair key = pair.addresses;
  return pairs_.emplace(key, std::move(pair)).first->second;
}

Checklist::Added Checklist::Add(CandidatePair pair) {
  if (CandidatePair* known = Find(pair.addresses)) {
    if (IsUntouched(*known) && pair.priority > known->priority) {
      known->local = pair.local;
      known->remote = pair.remote;
      known->priority = pair.priority;
      known->rank = pair.rank;
      known->foundation = std::move(pair.foundation);
      known->is_relayed = pair.is_relayed;
    }
    return Added::kRedundant;
  }
  if (pairs_.size() >= max_pairs_ && !MakeRoom(pair.priority)) return Added::kNoRoom;
  pair.state = is_started_ ? InitialState(pair) : PairState::kFrozen;
  Insert(std::move(pair));
  return Added::kInserted;
}

CandidatePair* Checklist::AddTriggered(CandidatePair pair) {
  if (pairs_.size() >= max_pairs_ && !MakeRoom(pair.priority)) {
    const CandidatePair* victim = FindStalest();
    if (victim == nullptr) return nullptr;
    Erase(AddressPair(victim->addresses));
  }
  pair.state = PairState::kWaiting;
  return &Insert(std::move(pair));
}

// For a pair that the peer checks, which is more than can be said of one whose check has gone unanswered the longest. A
// long session whose peer keeps moving between ports fills the list with valid pairs; then the one that was validated
// longest ago goes. Never the one in use.
const CandidatePair* Checklist::FindStalest() const {
  const CandidatePair* stalest = nullptr;
  const auto touched = [](const CandidatePair& pair) { return pair.valid ? pair.valid->at : pair.checks.last_at; };
  for (const auto& [addresses, pair] : pairs_) {
    const bool is_kept = pair.is_selected || pair.is_nominated || pair.nominate_on_success || IsUntouched(pair);
    if (is_kept) continue;
    const bool is_staler =
        stalest == nullptr || pair.valid.has_value() < stalest->valid.has_value() ||
        (pair.valid.has_value() == stalest->valid.has_value() &&
         (touched(pair) < touched(*stalest) || (touched(pair) == touched(*stalest) && IsPreferred(*stalest, pair))));
    if (is_staler) stalest = &pair;
  }
  return stalest;
}

// RFC 8838 §12, for one component: rule 1, the topmost pair of its foundation waits; rule 2, so does one whose
// foundation has succeeded; rule 3, all others are frozen.
PairState Checklist::InitialState(const CandidatePair& pair) const {
  bool is_topmost = true;
  for (const auto& [addresses, known] : pairs_) {
    if (known.foundation != pair.foundation) continue;
    if (known.state == PairState::kSucceeded) return PairState::kWaiting;
    is_topmost = is_topmost && !IsPreferred(known, pair);
  }
  return is_topmost ? PairState::kWaiting : PairState::kFrozen;
}

void Checklist::Start() {
  is_started_ = true;
  std::unordered_set<std::string_view> foundations;
  for (const CandidatePair* pair : Sorted()) {
    if (!foundations.insert(pair->foundation).second || pair->state != PairState::kFrozen) continue;
    SetState(*Find(pair->addresses), PairState::kWaiting);
  }
}

// RFC 8838 §10, §11: Failed pairs go first, then the lowest of those that are not better than the new one.
bool Checklist::MakeRoom(uint64_t priority) {
  CandidatePair* victim = FindVictim(priority);
  if (victim == nullptr) return false;
  Erase(AddressPair(victim->addresses));
  return true;
}

CandidatePair* Checklist::FindVictim(uint64_t priority) {
  CandidatePair* victim = nullptr;
  for (auto& [addresses, pair] : pairs_) {
    const bool has_failed = pair.state == PairState::kFailed;
    if (!has_failed && !(IsUntouched(pair) && pair.priority < priority)) continue;
    const bool victim_failed = victim != nullptr && victim->state == PairState::kFailed;
    const bool is_worse =
        victim == nullptr || has_failed > victim_failed || (has_failed == victim_failed && IsPreferred(*victim, pair));
    if (is_worse) victim = &pair;
  }
  return victim;
}

CandidatePair* Checklist::Find(const AddressPair& addresses) {
  return const_cast<CandidatePair*>(std::as_const(*this).Find(addresses));
}
// The one pair that an idle session has is found without its hash and its bucket.
const CandidatePair* Checklist::Find(const AddressPair& addresses) const {
  const auto found = pairs_.size() == 1 ? pairs_.begin() : pairs_.find(addresses);
  return found == pairs_.end() || found->first != addresses ? nullptr : &found->second;
}

void Checklist::SetState(CandidatePair& pair, PairState state) {
  --CountOf(pair.state);
  ++CountOf(state);
  pair.state = state;
}

void Checklist::SetValid(CandidatePair& pair, const Validity& validity) {
  SetState(pair, PairState::kSucceeded);
  pair.valid = validity;
  // RFC 8445 §7.2.5.3.3: "all other Frozen candidate pairs in all checklists with the same foundation to Waiting".
  for (auto& [addresses, other] : pairs_) {
    if (other.state == PairState::kFrozen && other.foundation == pair.foundation) SetState(other, PairState::kWaiting);
  }
}

void Checklist::Fail(CandidatePair& pair) {
  SetState(pair, PairState::kFailed);
  pair.valid.reset();
  pair.is_nominated = false;
  pair.nominate_on_success = false;
}

void Checklist::Erase(const AddressPair& addresses) {
  const auto found = pairs_.find(addresses);
  if (found == pairs_.end()) return;
  --CountOf(found->second.state);
  pairs_.erase(found);
}

void Checklist::ThawWhenIdle() {
  if (Count(PairState::kWaiting) > 0 || Count(PairState::kFrozen) == 0) return;
  std::unordered_set<std::string_view> busy;
  for (const auto& [addresses, pair] : pairs_) {
    if (IsUnderWay(pair)) busy.insert(pair.foundation);
  }
  for (const CandidatePair* pair : Sorted()) {
    if (pair->state != PairState::kFrozen || !busy.insert(pair->foundation).second) continue;
    SetState(*Find(pair->addresses), PairState::kWaiting);
  }
}

void Checklist::KeepOnlyValid() {
  std::erase_if(pairs_, [&](const auto& entry) {
    const CandidatePair& pair = entry.second;
    if (pair.state == PairState::kSucceeded) return false;
    --CountOf(pair.state);
    return true;
  });
}

void Checklist::Clear() {
  pairs_.clear();
  counts_ = {};
}

CandidatePair* Checklist::HighestWaiting() {
  CandidatePair* best = nullptr;
  if (Count(PairState::kWaiting) == 0) return best;
  for (auto& [addresses, pair] : pairs_) {
    if (pair.state == PairState::kWaiting && (best == nullptr || IsPreferred(pair, *best))) best = &pair;
  }
  return best;
}

const CandidatePair* Checklist::BestValid() const {
  const CandidatePair* best = nullptr;
  for (const auto& [addresses, pair] : pairs_) {
    if (!pair.valid) continue;
    const bool is_better = best == nullptr || pair.valid->priority > best->valid->priority ||
                           (pair.valid->priority == best->valid->priority && IsPreferred(pair, *best));
    if (is_better) best = &pair;
  }
  return best;
}

bool Checklist::HasPendingBetterThan(const CandidatePair& pair) const {
  if (!HasPending()) return false;
  return std::ranges::any_of(pairs_, [&](const auto& entry) {
    const CandidatePair& other = entry.second;
    const bool is_better = other.rank > pair.rank || (other.rank == pair.rank && IsPreferred(other, pair));
    return is_better && (IsUntouched(other) || other.state == PairState::kInProgress);
  });
}

std::vector<const CandidatePair*> Checklist::Sorted() const {
  std::vector<const CandidatePair*> sorted;
  sorted.reserve(pairs_.size());
  for (const auto& [addresses, pair] : pairs_) sorted.push_back(&pair);
  std::ranges::sort(sorted, [](const CandidatePair* a, const CandidatePair* b) { return IsPreferred(*a, *b); });
  return sorted;
}

bool Checklist::IsConsistent() const {
  std::array<size_t, static_cast<size_t>(PairState::kCount)> counts{};
  for (const auto& [addresses, pair] : pairs_) {
    ++counts[static_cast<size_t>(pair.state)];
    if (addresses != pair.addresses || pair.valid.has_value() != (pair.state == PairState::kSucceeded)) return false;
  }
  return counts == counts_ && pairs_.size() <= max_pairs_;
}

}  // namespace jsp::ice
