#include "ice/session_state.h"

#include <algorithm>
namespace jsp::ice {

SessionState::SessionState(const Options& options, EventQueue<Event>& events)
    : events_(events), pac_timeout_(options.pac_timeout) {}

void SessionState::Enter(State state, StateReason reason) {
  if (state == state_ || (IsOver() && state != State::kClosed)) return;
  state_ = state;
  events_.Push(event::StateChanged{state, reason});
}

void SessionState::Start(Timestamp now) {
  started_ = now;
  last_candidate_ = now;
  Enter(State::kChecking, StateReason::kRemoteDescriptionSet);
}

// RFC 8863 §4: as long as the timer runs, nothing fails, "even if there are no pairs left in the checklist to check".
// RFC 8838 §8: nor while candidates may still come. A peer that never says that it has told all of them is given the
// same time again from its last candidate, so that a session ends even then.
Timestamp SessionState::PatienceEnd() const {
  const bool all_told = local_ended_ && remote_ended_;
  return (all_told ? started_ : std::max(started_, last_candidate_)) + pac_timeout_;
}

std::optional<StateReason> SessionState::FindFailure(Timestamp now, size_t pairs) const {
  if (state_ != State::kChecking || now < PatienceEnd()) return std::nullopt;
  return pairs == 0 ? StateReason::kNoCandidatePairs : StateReason::kAllPairsFailed;
}

}  // namespace jsp::ice
