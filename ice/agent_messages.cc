// What Agent makes of checks, of responses, and of time.
#include <string>
#include <utility>

#include "ice/agent_impl.h"
#include "ice/stun_attributes.h"
#include "stun/error_code.h"
namespace jsp::ice {

// Everything that time or the last input made due.
void Agent::Impl::Advance(Consent::Cause cause) {
  while (const auto plan = runner.transactions().PopTimedOut(now)) {
    const bool goes_on = plan->purpose == CheckPurpose::kNomination && selection.RetryNomination(now, plan->pair);
    if (!goes_on) HandleFailure(*plan);
  }
  while (const auto action = selection.PopDue(now, cause)) HandleConsent(*action);
  if (session.IsOver()) return;
  if (role.role() == Role::kControlling) {
    if (const auto chosen = selection.ChooseNomination(now)) runner.Nominate(*chosen);
    if (may_move) Renominate();
  }
  runner.Run(now, role.attribute());
  MaybeDropSpares();
  if (!runner.IsIdle()) return;
  if (const auto failure = session.FindFailure(now, pairing.checklist().size())) End(State::kFailed, *failure);
}

void Agent::Impl::Renominate() {
  const auto chosen = selection.ChooseRenomination(now);
  if (chosen) runner.Renominate(*chosen, ++nomination_count);
}

// After the nomination another pair works, or the peer uses it: is it because the old path does not work any more?
void Agent::Impl::MaybeDoubtSelected(const CandidatePair& rival) {
  const bool is_rival = may_move && pairing.IsCompleted() && !rival.is_selected && selection.path();
  CandidatePair* selected = is_rival ? pairing.checklist().Find(*selection.path()) : nullptr;
  if (selected == nullptr || !selection.Doubt(now)) return;
  runner.Trigger(*selected);
}

// RFC 7675 §5.1 sends each consent request once: at 10 % loss each way all of those in 30 s are lost once in a day. A
// check is sent again (RFC 8489 §6.2.1), and its answer is consent as well. Where the session may move, other pairs
// that worked may take over by then.
void Agent::Impl::CheckWhatWorked() {
  if (may_move) spares.Restore(now, [&](CandidatePair& pair) { runner.Trigger(pair); });
  pairing.checklist().ForEach([&](CandidatePair& pair) {
    if (pair.is_selected || (may_move && pair.valid)) runner.Trigger(pair);
  });
}

// RFC 8445 §8.3.1
void Agent::Impl::MaybeDropSpares() {
  // What ten thousand idle sessions find each time: they look at no more of themselves than that.
  const bool is_completed = session.state() == State::kCompleted;
  if (is_completed && spares.IsSettled(selection.selections(), pairing.checklist().size())) return;
  const bool is_nominated = selection.pair() && selection.pair()->nominated;
  if (!spares.MaybeDrop(now, {is_completed && is_nominated, selection.selections()})) return;
  runner.transactions().ForgetOthers(
      [&](const AddressPair& pair) { return pairing.checklist().Find(pair) != nullptr; });
  events.Push(event::SparesDropped{});
}

// Of all the peer's addresses, some of them long gone, the one that worked last is the best guess.
void Agent::Impl::CheckTowardsLastRemote() {
  if (selection.path()) last_remote.reset();
  if (!last_remote) return;
  for (const AddressPair& path : pairing.PathsTo(*last_remote)) {
    CandidatePair* pair = pairing.FindOrAdd(path, 0).pair;
    if (pair != nullptr && pair->checks.requests_sent == 0) runner.Trigger(*pair);
  }
}

void Agent::Impl::End(State state, StateReason reason) {
  session.Enter(state, reason);
  selection.Stop();
  runner.Clear();
  responder.Clear();
  // What became of the pairs of a failed session is for the post-mortem.
  if (state == State::kClosed) pairing.Clear();
}

void Agent::Impl::HandleRequest(const AddressPair& path, const stun::MessageView& message) {
  if (!pairing.local().FindByBase(path.local)) return Drop(DropReason::kUnknownLocalAddress);
  if (!IsUsableAddress(path.remote)) return Drop(DropReason::kWrongAddress);
  if (const auto forgery = responder.FindForgery(message)) return Drop(*forgery);
  ++metrics.checks_received;
  // Unanswered, as an answer would be consent to it (RFC 7675 §5.1).
  if (!pairing.AdmitsCheckFrom(path)) return Drop(DropReason::kFiltered);
  const auto check = ReadCheck(message);
  if (!check) {
    Drop(DropReason::kBadRequest);
    return responder.AnswerError(message.transaction_id(), path, check.error());
  }
  if (!ResolveRole(check->role)) {
    return responder.AnswerError(message.transaction_id(), path, RequestFault{stun::error_code::kRoleConflict, {}, 0});
  }
  // RFC 8445 §7.3: answered at once, whether the peer's credentials are known or not.
  responder.AnswerSuccess(message.transaction_id(), path);
  if (!runner.transactions().HasCredentials()) {
    responder.Remember(path, *check);
    return;
  }
  AcceptCheck({path, std::string(check->sender_ufrag), check->priority, check->use_candidate, check->nomination});
}

bool Agent::Impl::ResolveRole(const std::optional<RoleAttribute>& theirs) {
  // RFC 8445 §6.1.1: a lite agent is controlled by its full peer, whatever the tie-breakers.
  if (IsLite()) return !theirs || theirs->role == Role::kControlling;
  const auto verdict = role.HandleRequest(theirs);
  if (verdict == RoleArbiter::Verdict::kNoConflict) return true;
  ++metrics.role_conflicts;
  if (verdict == RoleArbiter::Verdict::kRefuse) return false;
  ApplyRole();
  return true;
}

void Agent::Impl::ApplyRole() {
  pairing.SetRole(role.role());
  selection.ResetNomination();
  runner.CancelNomination();
  events.Push(event::RoleChanged{role.role()});
}

void Agent::Impl::AcceptCheck(const EarlyCheck& check) {
  // RFC 8445 §7.3.1.4: the password for a triggered check is found by the sender's ufrag. A sender that is not the one
  // described to us (a fork) was answered, and that is all.
  if (check.sender_ufrag != runner.transactions().remote_ufrag()) return;
  const auto [pair, is_new_candidate] = pairing.FindOrAdd(check.path, check.priority);
  if (pair == nullptr) return;
  pair->is_authenticated = true;
  pair->checks.heard_at = now;
  if (is_new_candidate) events.Push(event::CandidateDiscovered{pairing.RemoteOf(*pair), false});
  if (IsLite()) return AcceptAsLite(*pair, check);
  selection.HandleTraffic(now, check.path);
  selection.HandleAsked(now, check.path);
  // RFC 8445 §7.3.1.5. What was valid long ago is checked anew before data moves there (RFC 7675 §5.1).
  const bool is_renomination = may_move && check.nomination.value_or(0) > nomination_count;
  const bool is_nomination =
      check.use_candidate && role.role() == Role::kControlled && (!pair->is_nominated || is_renomination);
  const bool is_usable = pair->valid && (pair->is_selected || selection.IsFresh(now, *pair));
  if (is_nomination && is_renomination) pair->nomination = *check.nomination;
  if (is_nomination && is_usable) return HandleNominated(*pair);
  pair->nominate_on_success = pair->nominate_on_success || is_nomination;
  // Else a valid pair needs no further check (RFC 8445 §7.3.1.4), unless the selected one has gone silent: then the
  // peer may have moved to this one.
  if (!pair->valid || is_nomination || (selection.IsSilent() && !pair->is_selected)) runner.Trigger(*pair);
  if (pair->valid) MaybeDoubtSelected(*pair);
}

// RFC 8445 §7.3.2: what the peer checks is valid without a check of ours, what it nominates is selected. Its requests,
// of which consent needs one every few seconds, are the only sign of consent that a lite agent has.
void Agent::Impl::AcceptAsLite(CandidatePair& pair, const EarlyCheck& check) {
  if (!pair.valid) (void)pairing.SetValid(pair, check.path.local, Duration{}, now);
  pair.valid->at = now;
  if (check.use_candidate && !pair.is_nominated) HandleNominated(pair);
  selection.HandleGranted(now, check.path);
}

bool Agent::Impl::HandleResponse(const AddressPair& path, const stun::MessageView& message) {
  const CheckTransaction* transaction = runner.transactions().Find(message.transaction_id());
  if (transaction == nullptr) {
    Drop(DropReason::kUnknownTransaction);
    return false;
  }
  if (message.VerifyFingerprint() == stun::IntegrityStatus::kInvalid) return Drop(DropReason::kBadFingerprint), true;
  // RFC 8489 §9.1.4: a response without valid integrity is ignored as if it had not come; so is a forged 487.
  if (!runner.transactions().IsAuthentic(message)) return Drop(DropReason::kBadIntegrity), true;
  if (path != transaction->plan.pair) {
    // RFC 8445 §7.2.5.2.1: the addresses must be symmetric, or the pair has failed; a valid one does not lose that.
    Drop(DropReason::kWrongAddress);
    if (transaction->plan.purpose == CheckPurpose::kCheck) {
      HandleFailure(runner.transactions().Take(message.transaction_id()).plan);
    } else if (transaction->plan.purpose == CheckPurpose::kNomination) {
      // The peer's NAT answers from elsewhere by now: where that is another valid pair, it is the one to nominate.
      const AddressPair crooked = runner.transactions().Take(message.transaction_id()).plan.pair;
      if (selection.Is(crooked) && selection.MoveAway(now)) (void)selection.RetryNomination(now, crooked);
    }
    return true;
  }
  const bool is_success = message.message_class() == stun::MessageClass::kSuccessResponse;
  const auto mapped = message.FindAddress(stun::AttributeType::kXorMappedAddress);
  const auto error = message.FindError();
  if (is_success ? !mapped : !error) return Drop(DropReason::kMissingAttribute), true;
  const CheckTransaction done = runner.transactions().Take(message.transaction_id());
  ++metrics.responses_received;
  is_success ? HandleSuccess(done, *mapped) : HandleError(done.plan, error->code);
  return true;
}

void Agent::Impl::HandleSuccess(const CheckTransaction& done, const SocketAddress& mapped) {
  const AddressPair& path = done.plan.pair;
  if (done.plan.purpose != CheckPurpose::kConsent) {
    CandidatePair* pair = pairing.checklist().Find(path);
    // RFC 8445 §8.1.2: a nomination removed the pair while its check was under way, and yet it is valid.
    if (pair == nullptr && pairing.IsCompleted()) pair = pairing.FindOrAdd(path, 0).pair;
    if (pair == nullptr) return;
    const auto discovered = pairing.SetValid(*pair, mapped, now - done.sent_at, now);
    if (discovered) events.Push(event::CandidateDiscovered{pairing.local().Get(*discovered), true});
    ++pair->checks.responses_received;
    pair->is_authenticated = true;
    runner.Settle(path);
    // RFC 8445 §7.2.5.3.4
    const bool nominated_by_us = done.plan.purpose == CheckPurpose::kNomination && role.role() == Role::kControlling;
    const bool nominated_by_peer = pair->nominate_on_success && role.role() == Role::kControlled;
    if (nominated_by_us) pair->nomination = done.plan.nomination;
    nominated_by_us || nominated_by_peer ? HandleNominated(*pair) : selection.HandleValid(now, *pair);
    MaybeDoubtSelected(*pair);
  }
  selection.HandleGranted(now, path);
}

void Agent::Impl::HandleError(const CheckPlan& plan, uint16_t code) {
  if (code == stun::error_code::kRoleConflict) {
    // RFC 8445 §7.2.5.1: switch, change the tie-breaker, and check the pair again in the new role.
    ++metrics.role_conflicts;
    const bool is_stuck = role.IsExhausted();
    if (role.HandleRoleConflict(plan.role, rng)) ApplyRole();
    CandidatePair* pair = pairing.checklist().Find(plan.pair);
    if (is_stuck || pair == nullptr || plan.purpose == CheckPurpose::kConsent) return HandleFailure(plan);
    if (!pair->valid) runner.Trigger(*pair);
    return;
  }
  // RFC 7675 §5.2: an authenticated 403 revokes consent at once.
  if (code == stun::error_code::kForbidden && selection.Is(plan.pair)) {
    return End(State::kFailed, StateReason::kConsentExpired);
  }
  HandleFailure(plan);  // RFC 8445 §7.2.5.2.4
}

// A check did not succeed, or never will.
void Agent::Impl::HandleFailure(const CheckPlan& plan) {
  if (plan.purpose == CheckPurpose::kConsent) return;
  if (plan.purpose == CheckPurpose::kNomination) {
    const bool still_ours = role.role() == Role::kControlling && !pairing.IsCompleted();
    return still_ours ? End(State::kFailed, StateReason::kNominationFailed) : void();
  }
  runner.Fail(plan.pair);
}

void Agent::Impl::HandleConsent(Consent::Action action) {
  switch (action) {
    case Consent::Action::kSendRequest:
      if (!selection.path()) return;  // it went with its interface
      // RFC 8445 §11: to a lite agent keepalives are all that it sends by itself.
      if (IsLite()) return runner.StartKeepalive(*selection.path());
      return runner.StartConsent(now, *selection.path(), role.attribute());
    case Consent::Action::kSendKeepalive:
      return selection.path() ? runner.StartKeepalive(*selection.path()) : void();
    case Consent::Action::kCheck:
      return IsLite() ? void() : CheckWhatWorked();
    case Consent::Action::kDisconnect:
      if (may_move && selection.MoveAway(now)) return;
      pairing.FormAll();
      if (may_move) CheckWhatWorked();
      return session.Enter(State::kDisconnected, selection.IsAnswered(now) ? StateReason::kNoTrafficFromPeer
                                                                           : StateReason::kConsentUnanswered);
    case Consent::Action::kExpire:
      return End(State::kFailed, StateReason::kConsentExpired);
  }
}

// RFC 8445 §8.1.2: what is not valid is checked no more, but a response still counts.
void Agent::Impl::HandleNominated(CandidatePair& pair) {
  const bool is_first = !pairing.IsCompleted();
  if (is_first) runner.Conclude();
  // Of the peer's nominations the one with the highest count is the latest, however they were reordered on their way.
  const uint32_t count = std::exchange(pair.nomination, 0);
  const bool is_latest = role.role() == Role::kControlling || count > nomination_count;
  if (pairing.IsCompleted() && may_move && count != 0) {
    if (!is_latest) return;
    nomination_count = std::max(nomination_count, count);
    return selection.HandleRenominated(now, pair);
  }
  selection.HandleNominated(now, pair);
  // Losses may have kept a direct pair from answering in time: each is tried once more, while data flows.
  if (is_first && may_move && pair.is_relayed) pairing.FormAll();
}

}  // namespace jsp::ice
