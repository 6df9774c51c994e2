#pragma once
#include <algorithm>
#include <optional>

#include "base/event_queue.h"
#include "base/rng.h"
#include "ice/candidate_pair.h"
#include "ice/consent.h"
#include "ice/events.h"
#include "ice/nomination.h"
#include "ice/options.h"
#include "ice/pair_stats.h"
#include "ice/pairing.h"
#include "ice/session_state.h"
namespace jsp::ice {

// Which pair data goes over (RFC 8445 §8.1, §12.1) and whether it still may (RFC 7675). Owns the selected pair, its
// consent timers and the nomination policy; moves the session between Connected, Completed and Disconnected. Sends
// nothing: the agent does what Choose() and PopDue() say.
class Selection {
 public:
  Selection(const Options& options, Pairing& pairing, SessionState& session, EventQueue<Event>& events, Rng& rng);

  // A check made `pair` valid, or again.
  void HandleValid(Timestamp now, CandidatePair& pair);
  // A valid pair was nominated, by either side.
  void HandleNominated(Timestamp now, CandidatePair& pair);
  // RFC 8445 §8.1.1 has one nomination; peers that agreed on renomination follow the latest, whatever its priority.
  void HandleRenominated(Timestamp now, CandidatePair& pair);
  // Pairs went with their interface; the selected one may be among them. True when another was selected.
  bool HandlePairsLost(Timestamp now);
  // Another pair works: is the selected one still alive? It has so long to answer a check.
  // False when it was in doubt already.
  bool Doubt(Timestamp now) { return consent_.Doubt(now, std::max<Duration>(move_patience_, 3 * selected_->rtt)); }
  // The selected pair is silent: goes to another one that worked lately; false when there is none.
  bool MoveAway(Timestamp now);
  // A message with valid integrity came over `path`; HandleGranted: one that is consent.
  void HandleTraffic(Timestamp now, const AddressPair& path);
  void HandleGranted(Timestamp now, const AddressPair& path);
  void HandleAsked(Timestamp now, const AddressPair& path) { return Is(path) ? consent_.HandleAsked(now) : void(); }
  // Its connection is gone (RFC 6544 §11.1). Consent runs on: that is the time that it has to come back.
  void HandlePathFailed(const AddressPair& path);
  void HandleSent(Timestamp now, const AddressPair& path);
  void HandleDataSent(Timestamp now) { consent_.HandleSent(now); }
  // A candidate of the selected pair got its proper type.
  void Refresh();
  void Stop();

  // Controlling side: the pair to nominate now, once.
  std::optional<AddressPair> ChooseNomination(Timestamp now);
  void ResetNomination() {
    nomination_.Reset();
    nominating_.reset();
  }
  // The check that nominates `lost` was lost; false when the nomination has failed by that.
  bool RetryNomination(Timestamp now, const AddressPair& lost);
  // Controlling side, after the nomination: the pair to nominate instead, if the selected one is not nominated or a
  // better one works. Each is named once.
  std::optional<AddressPair> ChooseRenomination(Timestamp now);
  std::optional<Consent::Action> PopDue(Timestamp now, Consent::Cause cause) {
    return consent_.PopDue(now, cause, rng_);
  }
  bool HasConsent(Timestamp now) const { return path_.has_value() && !consent_.HasExpired(now); }
  Timestamp NextTimeout() const { return std::min(consent_.NextTimeout(), nomination_.NextTimeout()); }

  bool Is(const AddressPair& path) const { return path_ == path; }
  const std::optional<AddressPair>& path() const { return path_; }
  const std::optional<SelectedPair>& pair() const { return selected_; }
  // Counts the pairs that were selected one after the other.
  uint32_t selections() const { return selections_; }
  bool IsAnswered(Timestamp now) const { return consent_.IsAnswered(now); }
  // Nothing authenticated came over the selected pair for disconnected_timeout, or no answer for two thirds of
  // consent_timeout.
  bool IsSilent() const { return session_.state() == State::kDisconnected; }

  // The pair's last success is recent enough to count as consent.
  bool IsFresh(Timestamp now, const CandidatePair& pair) const;

 private:
  void Select(Timestamp now, CandidatePair& pair);
  CandidatePair* BestFreshExcept(Timestamp now, const std::optional<AddressPair>& path);
  bool BeatsSelected(const CandidatePair& pair) const;

  Pairing& pairing_;
  SessionState& session_;
  EventQueue<Event>& events_;
  Rng& rng_;
  Duration consent_interval_;
  Duration move_patience_;
  Nomination nomination_;
  Consent consent_;
  std::optional<AddressPair> path_;
  std::optional<AddressPair> nominating_;   // the latest that was chosen for the first nomination
  std::optional<AddressPair> renominated_;  // and after it
  std::optional<SelectedPair> selected_;
  uint32_t selections_ = 0;
};

}  // namespace jsp::ice
