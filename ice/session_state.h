#pragma once
#include <cstddef>
#include <optional>

#include "base/event_queue.h"
#include "base/time.h"
#include "ice/events.h"
#include "ice/options.h"
namespace jsp::ice {

// The state of the ICE session as the owner sees it, and the patience before failure (RFC 8863). Owns state, the two
// end-of-candidates marks and the PAC timer; the agent tells it what happened.
class SessionState {
 public:
  SessionState(const Options& options, EventQueue<Event>& events);

  State state() const { return state_; }
  bool IsOver() const { return state_ == State::kFailed || state_ == State::kClosed; }
  // Tells the owner, unless it is the present state or the session is over (Close is always possible).
  void Enter(State state, StateReason reason);

  // RFC 8863 §4: checks may begin on both sides; the PAC timer starts.
  void Start(Timestamp now);
  // A candidate of either side came.
  void HandleCandidate(Timestamp now) { last_candidate_ = now; }
  void EndLocal() { local_ended_ = true; }
  void EndRemote() { remote_ended_ = true; }
  bool local_ended() const { return local_ended_; }
  bool remote_ended() const { return remote_ended_; }

  // Why the session has failed by now, while `pairs` exist and none of them is still to be checked.
  std::optional<StateReason> FindFailure(Timestamp now, size_t pairs) const;
  // When FindFailure() is to be asked again although nothing happened.
  Timestamp NextTimeout() const { return state_ == State::kChecking ? PatienceEnd() : Timestamp::Never(); }

 private:
  Timestamp PatienceEnd() const;

  EventQueue<Event>& events_;
  Duration pac_timeout_;
  State state_ = State::kNew;
  bool local_ended_ = false;
  bool remote_ended_ = false;
  Timestamp started_;
  Timestamp last_candidate_;
};

}  // namespace jsp::ice
