#include "ice/consent.h"

#include <algorithm>
namespace jsp::ice {
namespace {

// RFC 7675 §5.1: "Implementations MUST NOT set the period between checks to less than 4 seconds."
constexpr Duration kMinInterval = std::chrono::seconds(4);

}  // namespace

Consent::Consent(const Options& options)
    : interval_(options.consent_interval),
      timeout_(options.consent_timeout),
      disconnected_timeout_(options.mobility.disconnected_timeout),
      keepalive_interval_(options.keepalive_interval) {}

void Consent::Start(Timestamp now, Timestamp granted_at, Rng& rng) {
  is_running_ = true;
  last_sent_ = now;
  HandleGranted(granted_at);
  HandleReceived(now);
  if (UsesConsent()) ScheduleRequest(now, rng);
}

void Consent::Stop() {
  is_running_ = false;
  timers_ = {};
  expires_at_ = Timestamp::Never();
  unanswered_at_ = Timestamp::Never();
}

void Consent::HandleGranted(Timestamp now) {
  if (!is_running_ || !UsesConsent()) return;
  expires_at_ = now + timeout_;
  timers_.Arm(Timer::kCheck, now + timeout_ / 2);
  unanswered_at_ = now + timeout_ * 2 / 3;
}

void Consent::HandleReceived(Timestamp now) {
  // Without consent requests nothing authenticated need ever come.
  if (!is_running_ || !UsesConsent() || !IsAnswered(now)) return;
  silent_at_ = std::min(now + disconnected_timeout_, unanswered_at_);
  timers_.Arm(Timer::kDisconnect, silent_at_);
}

// RFC 7675 §5.1: any instant from 0.8 to 1.2 times the basic period is as good as the one that was drawn.
void Consent::HandleAsked(Timestamp now) {
  if (timers_.IsArmed(Timer::kRequest) && now >= may_ask_at_) timers_.Arm(Timer::kRequest, now);
}

bool Consent::Doubt(Timestamp now, Duration patience) {
  if (!timers_.IsArmed(Timer::kDisconnect) || silent_at_ <= now + patience) return false;
  silent_at_ = now + patience;
  timers_.Arm(Timer::kDisconnect, silent_at_);
  return true;
}

// RFC 7675 §5.1: "each interval MUST be randomized from between 0.8 and 1.2 times the basic period". Sessions of one
// clock ask at common instants; the draw still spreads each of them over 2 s.
void Consent::ScheduleRequest(Timestamp from, Rng& rng) {
  const double factor = 0.8 + 0.4 * rng.Uniform();
  const Duration wait(static_cast<Duration::rep>(static_cast<double>(interval_.count()) * factor));
  may_ask_at_ = from + std::max(interval_ * 4 / 5, kMinInterval);
  const Timestamp latest = from + std::max(interval_ * 6 / 5, kMinInterval);
  timers_.Arm(Timer::kRequest, Timestamp::OnGrid(from + std::max(wait, kMinInterval), may_ask_at_, latest, kTimerGrid));
}

std::optional<Consent::Action> Consent::PopDue(Timestamp now, Cause cause, Rng& rng) {
  if (!is_running_) return std::nullopt;
  if (HasExpired(now)) {
    if (cause == Cause::kInput) return std::nullopt;
    expires_at_ = Timestamp::Never();
    return Action::kExpire;
  }
  if (const auto due = timers_.PopExpired(now)) {
    switch (*due) {
      case Timer::kRequest:
        ScheduleRequest(now, rng);
        HandleSent(now);
        return Action::kSendRequest;
      case Timer::kCheck:
        return Action::kCheck;
      case Timer::kDisconnect:
        return Action::kDisconnect;
      case Timer::kCount:
        break;
    }
  }
  if (now < KeepaliveAt()) return std::nullopt;
  HandleSent(now);
  return Action::kSendKeepalive;
}

Timestamp Consent::NextTimeout() const { return std::min({timers_.Next(), expires_at_, KeepaliveAt()}); }

}  // namespace jsp::ice
