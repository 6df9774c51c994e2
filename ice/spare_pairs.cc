#include "ice/spare_pairs.h"

#include <algorithm>
namespace jsp::ice {
namespace {

// When either side last had to do with it.
Timestamp LastUse(const CandidatePair& pair) {
  Timestamp last = pair.valid->at;
  for (const Timestamp at : {pair.checks.last_at, pair.checks.heard_at}) {
    if (at != Timestamp::Never()) last = std::max(last, at);
  }
  return last;
}

}  // namespace

SparePairs::SparePairs(const Options& options, Pairing& pairing)
    : limit_(options.max_pairs), pairing_(pairing), after_(options.mobility.drop_spares_after) {}

bool SparePairs::MaybeDrop(Timestamp now, const Use& use) {
  if (after_ == Duration::zero()) return false;
  if (use != seen_) {
    seen_ = use;
    due_ = Timestamp::Never();
    is_told_ = false;
  }
  const bool has_reason = !is_told_ || pairing_.checklist().size() > 1;
  if (due_ == Timestamp::Never() && use.is_content && has_reason) due_ = now + after_;
  if (now < due_) return false;
  const bool has_dropped = Drop(now);
  return !std::exchange(is_told_, true) || has_dropped;
}

// RFC 8445 §8.3.1 lets an agent free what was not selected three seconds after it has completed. A peer that goes on
// checking a pair has not given it up, though: it would only come back.
bool SparePairs::Drop(Timestamp now) {
  due_ = Timestamp::Never();
  std::vector<const CandidatePair*> unused;
  pairing_.checklist().ForEach([&](const CandidatePair& pair) {
    if (pair.is_selected) return;
    const bool is_under_way = !pair.valid || pair.nominate_on_success;
    const Timestamp unused_from = (is_under_way ? now : LastUse(pair)) + after_;
    if (unused_from <= now) {
      unused.push_back(&pair);
    } else {
      due_ = std::min(due_, unused_from);
    }
  });
  std::ranges::sort(unused, [](const CandidatePair* a, const CandidatePair* b) { return IsPreferred(*a, *b); });
  for (const CandidatePair* pair : unused) {
    Note(*pair);
    pairing_.checklist().Erase(AddressPair(pair->addresses));
  }
  pairing_.Trim();
  return !unused.empty();
}

// Without agreement on renomination nobody checks anything but the selected pair after the nomination, unless the peer
// asks for it (RFC 8445 §7.3.1.4), and what the peer asks for names itself.
void SparePairs::Note(const CandidatePair& pair) {
  const Spare spare{pair.local, pair.remote};
  if (!pairing_.keeps_pairing() || std::ranges::find(spares_, spare) != spares_.end()) return;
  if (spares_.size() >= limit_) spares_.erase(spares_.begin());
  spares_.push_back(spare);
}

void SparePairs::HandleRemoved(uint16_t local) {
  std::erase_if(spares_, [&](const Spare& spare) { return spare.local == local; });
  for (Spare& spare : spares_) {
    if (spare.local > local) --spare.local;
  }
}

}  // namespace jsp::ice
