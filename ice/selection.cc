#include "ice/selection.h"

#include <algorithm>
namespace jsp::ice {

Selection::Selection(const Options& options, Pairing& pairing, SessionState& session, EventQueue<Event>& events,
                     Rng& rng)
    : pairing_(pairing),
      session_(session),
      events_(events),
      rng_(rng),
      consent_interval_(options.consent_interval),
      move_patience_(options.mobility.move_patience),
      nomination_(options),
      consent_(options) {}

// RFC 8445 §12.1: before a nomination data may go over any valid pair; it goes over the best. After it a pair only
// takes over from one that has gone silent, so that a mapping that moved is followed (ATTACKS I20).
void Selection::HandleValid(Timestamp now, CandidatePair& pair) {
  if (!selected_) {
    Select(now, pair);
    return session_.Enter(State::kConnected, StateReason::kFirstValidPair);
  }
  const bool may_improve = !pairing_.IsCompleted() && !nomination_.HasChosen() && BeatsSelected(pair);
  if (pair.is_selected || !(IsSilent() || may_improve)) return;
  if (IsSilent() && !pairing_.IsCompleted()) (void)nomination_.Retry(now);
  Select(now, pair);
}

// RFC 8445 §8.1.1: of several nominated pairs, "use the pairs with the highest priority"; but one that is silent yields
// to the one that the peer nominated after it.
void Selection::HandleNominated(Timestamp now, CandidatePair& pair) {
  const bool is_news = !pair.is_nominated;
  pair.is_nominated = true;
  pair.nominate_on_success = false;
  const bool replaces = !selected_ || !selected_->nominated || IsSilent() || BeatsSelected(pair);
  if (replaces && (is_news || !pair.is_selected)) Select(now, pair);
  if (!pairing_.IsCompleted()) pairing_.Complete();
  session_.Enter(State::kCompleted, StateReason::kNominated);
}

void Selection::HandleRenominated(Timestamp now, CandidatePair& pair) {
  const bool is_news = !pair.is_nominated || !pair.is_selected;
  // What was nominated before is a pair like others, and may make room.
  pairing_.checklist().ForEach([](CandidatePair& other) { other.is_nominated = false; });
  pair.is_nominated = true;
  pair.nominate_on_success = false;
  if (is_news) Select(now, pair);
  session_.Enter(State::kCompleted, StateReason::kRenominated);
}

CandidatePair* Selection::BestFreshExcept(Timestamp now, const std::optional<AddressPair>& path) {
  CandidatePair* best = nullptr;
  pairing_.checklist().ForEach([&](CandidatePair& pair) {
    if (path == pair.addresses || !IsFresh(now, pair)) return;
    const bool is_better = best == nullptr || pair.valid->priority > best->valid->priority ||
                           (pair.valid->priority == best->valid->priority && IsPreferred(pair, *best));
    if (is_better) best = &pair;
  });
  return best;
}

bool Selection::MoveAway(Timestamp now) {
  CandidatePair* other = BestFreshExcept(now, path_);
  if (other == nullptr) return false;
  const std::optional<AddressPair> silent = path_;
  Select(now, *other);
  // If it comes back, the peer's checks make it anew.
  if (silent) pairing_.checklist().Erase(*silent);
  return true;
}

bool Selection::HandlePairsLost(Timestamp now) {
  if (!path_ || pairing_.checklist().Find(*path_) != nullptr) return false;
  path_.reset();
  selected_.reset();
  if (CandidatePair* other = BestFreshExcept(now, std::nullopt)) {
    Select(now, *other);
    return true;
  }
  // Consent goes on to run out: that is the time that another path has.
  session_.Enter(State::kDisconnected, StateReason::kNetworkLost);
  return false;
}

std::optional<AddressPair> Selection::ChooseRenomination(Timestamp now) {
  // What an idle session finds each time.
  if (selected_ && selected_->nominated && pairing_.checklist().size() == 1) return std::nullopt;
  CandidatePair* selected = path_ ? pairing_.checklist().Find(*path_) : nullptr;
  if (!pairing_.IsCompleted() || selected == nullptr || !selected->valid) return std::nullopt;
  const CandidatePair* chosen = selected;
  if (selected->is_nominated) {
    const CandidatePair* better = BestFreshExcept(now, path_);
    if (better == nullptr || better->valid->priority <= selected->valid->priority) return std::nullopt;
    chosen = better;
  }
  if (renominated_ == chosen->addresses) return std::nullopt;
  renominated_ = chosen->addresses;
  return renominated_;
}

void Selection::HandleTraffic(Timestamp now, const AddressPair& path) {
  if (!Is(path)) return;
  consent_.HandleReceived(now);
  if (!IsSilent() || !consent_.IsAnswered(now)) return;
  session_.Enter(pairing_.IsCompleted() ? State::kCompleted : State::kConnected, StateReason::kTrafficResumed);
}

void Selection::HandleGranted(Timestamp now, const AddressPair& path) {
  if (!Is(path)) return;
  consent_.HandleGranted(now);
  HandleTraffic(now, path);
}

void Selection::HandlePathFailed(const AddressPair& path) {
  if (Is(path)) session_.Enter(State::kDisconnected, StateReason::kConnectionLost);
}

void Selection::HandleSent(Timestamp now, const AddressPair& path) {
  if (Is(path)) consent_.HandleSent(now);
}

void Selection::Refresh() {
  const CandidatePair* pair = path_ ? pairing_.checklist().Find(*path_) : nullptr;
  if (pair != nullptr) selected_->remote = pairing_.RemoteOf(*pair);
}

bool Selection::IsFresh(Timestamp now, const CandidatePair& pair) const {
  return pair.valid && (consent_interval_ == Duration::zero() || now - pair.valid->at < consent_interval_);
}

void Selection::Stop() {
  if (CandidatePair* pair = path_ ? pairing_.checklist().Find(*path_) : nullptr) pair->is_selected = false;
  path_.reset();
  selected_.reset();
  consent_.Stop();
  ResetNomination();
}

std::optional<AddressPair> Selection::ChooseNomination(Timestamp now) {
  if (pairing_.IsCompleted()) return std::nullopt;
  auto chosen = nomination_.Choose(now, pairing_.checklist());
  if (!chosen) return std::nullopt;
  if (nominating_ && path_) chosen = path_;  // once more: what carries the data by now
  nominating_ = chosen;
  return chosen;
}

// What has consent answers, so its check was lost, not refused; what was selected since has more of it.
bool Selection::RetryNomination(Timestamp now, const AddressPair& lost) {
  renominated_.reset();
  if (pairing_.IsCompleted() || (nominating_ && nominating_ != lost)) return true;
  return path_ && nomination_.Retry(now);
}

bool Selection::BeatsSelected(const CandidatePair& pair) const {
  const CandidatePair* present = pairing_.checklist().Find(*path_);
  return present == nullptr || !present->valid || pair.valid->priority > present->valid->priority;
}

void Selection::Select(Timestamp now, CandidatePair& pair) {
  const bool is_same_path = Is(pair.addresses);
  if (path_ && !is_same_path) {
    if (CandidatePair* former = pairing_.checklist().Find(*path_)) former->is_selected = false;
  }
  pair.is_selected = true;
  path_ = pair.addresses;
  selected_ = SelectedPair{pairing_.LocalOf(pair), pairing_.RemoteOf(pair), pair.is_nominated, pair.valid->rtt};
  if (!is_same_path) {
    ++selections_;
    consent_.Start(now, pair.valid->at, rng_);
  }
  events_.Push(event::PairSelected{selected_->local, selected_->remote, selected_->nominated, selected_->rtt});
}

}  // namespace jsp::ice
