#pragma once
#include <optional>

#include "base/rng.h"
#include "base/time.h"
#include "base/timer_table.h"
#include "ice/options.h"
namespace jsp::ice {

// The timers of the pair that data goes over: consent (RFC 7675), liveness, and keepalives (RFC 8445 §11). Knows the
// time, not the pair; the agent tells it what happened there and does what it says.
class Consent {
 public:
  explicit Consent(const Options& options);

  // A pair was selected; `granted_at` is when its last check succeeded.
  void Start(Timestamp now, Timestamp granted_at, Rng& rng);
  void Stop();
  bool IsRunning() const { return is_running_; }
  // A response to a check or a consent request of the pair, with valid integrity.
  void HandleGranted(Timestamp now);
  // Any message with valid integrity on the pair. Received data is not consent (ATTACKS I11) and is not reported here.
  void HandleReceived(Timestamp now);
  // The pair is in doubt: silence counts from now, and for no longer than `patience`. False when it does already.
  bool Doubt(Timestamp now, Duration patience);
  // A request of the peer, with valid integrity, on the pair: ours goes along with the answer when it may be sent by
  // now. So two sides that both do this ask together, and an idle session is woken twice each time instead of three
  // times.
  void HandleAsked(Timestamp now);
  // Anything was sent on the pair.
  void HandleSent(Timestamp now) { last_sent_ = now; }

  // Consent requests get answers, or have had no time to.
  bool IsAnswered(Timestamp now) const { return now < unanswered_at_; }

  // kCheck: requests have gone unanswered for half of the time that consent has left.
  enum class Action : uint8_t { kSendRequest, kSendKeepalive, kCheck, kDisconnect, kExpire };
  // What the owner calls about: what has arrived, or is to be done; or time, after all that has arrived by now.
  enum class Cause : uint8_t { kInput, kTime };
  // One action that is due; call until it returns nullopt. From the moment of expiry on nothing is, until time is what
  // the owner calls about: one that was late may have the answer among what it has not read yet.
  std::optional<Action> PopDue(Timestamp now, Cause cause, Rng& rng);
  // RFC 7675 §5.1: "the endpoint MUST cease transmission", though kExpire may not have been told yet.
  bool HasExpired(Timestamp now) const { return now >= expires_at_; }
  Timestamp NextTimeout() const;

 private:
  enum class Timer : uint8_t { kRequest, kCheck, kDisconnect, kCount };
  void ScheduleRequest(Timestamp from, Rng& rng);
  bool UsesConsent() const { return interval_ > Duration::zero(); }
  Timestamp KeepaliveAt() const { return is_running_ ? last_sent_ + keepalive_interval_ : Timestamp::Never(); }

  Duration interval_;
  Duration timeout_;
  Duration disconnected_timeout_;
  Duration keepalive_interval_;
  TimerTable<Timer> timers_;
  Timestamp expires_at_;
  Timestamp last_sent_;
  Timestamp may_ask_at_;     // before kRequest is due
  Timestamp silent_at_;      // when kDisconnect is due
  Timestamp unanswered_at_;  // when the path counts as one that carries nothing of ours, whatever comes
  bool is_running_ = false;
};

}  // namespace jsp::ice
