#include "ice/agent.h"

#include <algorithm>
#include <utility>

#include "base/event_queue.h"
#include "ice/binding_responder.h"
#include "ice/check_runner.h"
#include "ice/pairing.h"
#include "ice/role.h"
#include "ice/selection.h"
#include "ice/session_state.h"
#include "ice/stun_attributes.h"
#include "stun/error_code.h"
#include "stun/message_view.h"
namespace jsp::ice {
// The wiring: which part hears of what. The rules are in the parts.
struct Agent::Impl {
  Impl(const Options& given, Rng& random, Timestamp at)
      : options(Sanitized(given)),
        rng(random),
        session(options, events),
        pairing(options, metrics),
        runner(options, pairing, metrics, random),
        responder(Credentials::Random(random), options.max_early_checks, metrics),
        role(options.role, random),
        selection(options, pairing, session, events, random),
        now(at) {}

  void Tick(Timestamp at) { now = std::max(now, at); }
  void Advance();
  void End(State state, StateReason reason);
  void Drop(DropReason reason) { ++metrics.dropped[static_cast<size_t>(reason)]; }

  const CandidatePair* FindLive(const AddressPair& path) const {
    return session.IsOver() ? nullptr : pairing.checklist().Find(path);
  }

  void HandleRequest(const AddressPair& path, const stun::MessageView& message);
  bool HandleResponse(const AddressPair& path, const stun::MessageView& message);
  void HandleSuccess(const CheckTransaction& done, const SocketAddress& mapped);
  void HandleError(const CheckPlan& plan, uint16_t code);
  void HandleFailure(const CheckPlan& plan);
  void HandleConsent(Consent::Action action);
  void HandleNominated(CandidatePair& pair);

  bool ResolveRole(const std::optional<RoleAttribute>& theirs);
  void ApplyRole();
  void AcceptCheck(const EarlyCheck& check);

  Options options;
  Rng& rng;
  Metrics metrics;
  EventQueue<Event> events;
  SessionState session;
  Pairing pairing;
  CheckRunner runner;
  BindingResponder responder;
  RoleArbiter role;
  Selection selection;
  Timestamp now;
};

// Everything that time or the last input made due.
void Agent::Impl::Advance() {
  while (const auto plan = runner.transactions().PopTimedOut(now)) HandleFailure(*plan);
  while (const auto action = selection.PopDue(now)) HandleConsent(*action);
  if (session.IsOver()) return;
  if (role.role() == Role::kControlling) {
    if (const auto chosen = selection.ChooseNomination(now)) runner.Nominate(*chosen);
  }
  runner.Run(now, role.attribute());
  if (!runner.IsIdle()) return;
  if (const auto failure = session.FindFailure(now, pairing.checklist().size())) End(State::kFailed, *failure);
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
  AcceptCheck({path, std::string(check->sender_ufrag), check->priority, check->use_candidate});
}

bool Agent::Impl::ResolveRole(const std::optional<RoleAttribute>& theirs) {
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
  if (is_new_candidate) events.Push(event::CandidateDiscovered{pairing.RemoteOf(*pair), false});
  selection.HandleTraffic(now, check.path);
  // RFC 8445 §7.3.1.5. What was valid long ago is checked anew before data moves there (RFC 7675 §5.1).
  const bool is_nomination = check.use_candidate && role.role() == Role::kControlled && !pair->is_nominated;
  const bool is_usable = pair->valid && (pair->is_selected || selection.IsFresh(now, *pair));
  if (is_nomination && is_usable) return HandleNominated(*pair);
  pair->nominate_on_success = pair->nominate_on_success || is_nomination;
  // Else a valid pair needs no further check (RFC 8445 §7.3.1.4), unless the selected one has gone silent: then the
  // peer may have moved to this one.
  if (!pair->valid || is_nomination || (selection.IsSilent() && !pair->is_selected)) runner.Trigger(*pair);
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
    ++pair->responses_received;
    pair->is_authenticated = true;
    runner.Settle(path);
    // RFC 8445 §7.2.5.3.4
    const bool nominated_by_us = done.plan.purpose == CheckPurpose::kNomination && role.role() == Role::kControlling;
    const bool nominated_by_peer = pair->nominate_on_success && role.role() == Role::kControlled;
    nominated_by_us || nominated_by_peer ? HandleNominated(*pair) : selection.HandleValid(now, *pair);
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
      return runner.StartConsent(now, *selection.path(), role.attribute());
    case Consent::Action::kSendKeepalive:
      return runner.StartKeepalive(*selection.path());
    case Consent::Action::kDisconnect:
      return session.Enter(State::kDisconnected, StateReason::kNoTrafficFromPeer);
    case Consent::Action::kExpire:
      return End(State::kFailed, StateReason::kConsentExpired);
  }
}

// RFC 8445 §8.1.2: what is not valid is checked no more, but a response still counts.
void Agent::Impl::HandleNominated(CandidatePair& pair) {
  if (!pairing.IsCompleted()) runner.Conclude();
  selection.HandleNominated(now, pair);
}

Agent::Agent(const Options& options, Rng& rng, Timestamp now) : impl_(std::make_unique<Impl>(options, rng, now)) {}
Agent::~Agent() = default;
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;

void Agent::SetRole(Role role) {
  if (!impl_->runner.transactions().HasCredentials()) impl_->role.Become(role);
}

Expected<void, AddCandidateError> Agent::AddLocalCandidate(Timestamp now, Candidate candidate) {
  impl_->Tick(now);
  if (impl_->session.IsOver()) return Unexpected(AddCandidateError::kClosed);
  if (impl_->session.local_ended()) return Unexpected(AddCandidateError::kAfterEndOfCandidates);
  const auto added = impl_->pairing.AddLocal(std::move(candidate));
  if (!added) return added;
  impl_->session.HandleCandidate(impl_->now);
  impl_->Advance();
  return {};
}

void Agent::EndOfLocalCandidates(Timestamp now) {
  impl_->Tick(now);
  impl_->session.EndLocal();
  impl_->Advance();
}

Expected<void, SetRemoteError> Agent::SetRemoteDescription(Timestamp now, const RemoteDescription& remote) {
  Impl& impl = *impl_;
  impl.Tick(now);
  if (impl.session.IsOver()) return Unexpected(SetRemoteError::kClosed);
  if (!remote.credentials.IsValid()) return Unexpected(SetRemoteError::kBadCredentials);
  if (impl.runner.transactions().HasCredentials()) {
    // RFC 8445 §9: other credentials are a restart, which is another agent.
    if (impl.runner.transactions().IsRemote(remote.credentials)) return {};
    return Unexpected(SetRemoteError::kBadCredentials);
  }
  impl.runner.transactions().SetCredentials(impl.responder.credentials(), remote.credentials);
  // RFC 8445 §6.1.1: against a lite agent "the full agent MUST take the controlling role".
  if (remote.ice_lite && impl.role.Become(Role::kControlling)) impl.ApplyRole();
  impl.runner.SetPacing(std::max(impl.options.pacing_interval, remote.pacing_interval));
  impl.session.Start(impl.now);
  impl.pairing.Start(impl.role.role());
  for (const EarlyCheck& check : impl.responder.TakeEarly()) impl.AcceptCheck(check);
  impl.Advance();
  return {};
}

Expected<void, AddCandidateError> Agent::AddRemoteCandidate(Timestamp now, Candidate candidate) {
  Impl& impl = *impl_;
  impl.Tick(now);
  if (impl.session.IsOver()) return Unexpected(AddCandidateError::kClosed);
  if (impl.session.remote_ended()) return Unexpected(AddCandidateError::kAfterEndOfCandidates);
  const auto added = impl.pairing.AddRemote(std::move(candidate));
  if (!added) return added;
  impl.session.HandleCandidate(impl.now);
  impl.selection.Refresh();  // a peer-reflexive candidate in use may just have got its proper type
  impl.Advance();
  return {};
}

void Agent::EndOfRemoteCandidates(Timestamp now) {
  impl_->Tick(now);
  impl_->session.EndRemote();
  impl_->Advance();
}

void Agent::Close(Timestamp now) {
  impl_->Tick(now);
  impl_->End(State::kClosed, StateReason::kClosedLocally);
}

bool Agent::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                           std::span<const uint8_t> datagram) {
  Impl& impl = *impl_;
  impl.Tick(now);
  if (!stun::MessageView::LooksLikeStun(datagram)) return false;
  if (impl.session.IsOver()) return impl.Drop(DropReason::kClosed), false;
  const auto message = stun::MessageView::Parse(datagram);
  if (!message) return impl.Drop(DropReason::kUnparsable), true;
  if (message->method() != stun::Method::kBinding) return impl.Drop(DropReason::kNotBinding), false;
  bool is_ours = true;
  switch (message->message_class()) {
    case stun::MessageClass::kRequest:
      impl.HandleRequest({local, remote}, *message);
      break;
    case stun::MessageClass::kIndication:  // a keepalive, RFC 8445 §11: it has done its work in the NATs on the way
      break;
    case stun::MessageClass::kSuccessResponse:
    case stun::MessageClass::kErrorResponse:
      is_ours = impl.HandleResponse({local, remote}, *message);
      break;
  }
  impl.Advance();
  return is_ours;
}

void Agent::HandleTimeout(Timestamp now) {
  impl_->Tick(now);
  impl_->Advance();
}

void Agent::HandleDataSent(Timestamp now) {
  impl_->Tick(now);
  impl_->selection.HandleDataSent(impl_->now);
}

std::optional<Agent::Transmit> Agent::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  Impl& impl = *impl_;
  impl.Tick(now);
  if (const auto answer = impl.responder.PollTransmit(out)) {
    impl.selection.HandleSent(impl.now, answer->path);
    return Transmit{answer->size, answer->path.local, answer->path.remote};
  }
  const auto check = impl.runner.transactions().PollTransmit(impl.now, out);
  if (!check) return std::nullopt;
  return Transmit{check->size, check->path.local, check->path.remote};
}

std::optional<Event> Agent::PollEvent() { return impl_->events.Pop(); }

Timestamp Agent::NextTimeout() const {
  const Impl& impl = *impl_;
  if (impl.session.IsOver()) return Timestamp::Never();
  // A session that has outlived the PAC timer waits for its checks, whose timers count.
  const Timestamp patience = impl.session.NextTimeout();
  Timestamp next = std::min(impl.runner.NextTimeout(), impl.selection.NextTimeout());
  if (patience > impl.now) next = std::min(next, patience);
  return std::max(next, impl.now);
}

const Credentials& Agent::local_credentials() const { return impl_->responder.credentials(); }
const std::vector<Candidate>& Agent::local_candidates() const { return impl_->pairing.local().signalled(); }
Role Agent::role() const { return impl_->role.role(); }
State Agent::state() const { return impl_->session.state(); }
const std::optional<SelectedPair>& Agent::selected_pair() const { return impl_->selection.pair(); }
const Metrics& Agent::metrics() const { return impl_->metrics; }

bool Agent::IsValidated(const SocketAddress& local, const SocketAddress& remote) const {
  const AddressPair path{local, remote};
  if (impl_->selection.Is(path)) return true;
  const CandidatePair* pair = impl_->FindLive(path);
  return pair != nullptr && pair->valid.has_value();
}

bool Agent::IsAuthenticated(const SocketAddress& local, const SocketAddress& remote) const {
  const AddressPair path{local, remote};
  const CandidatePair* pair = impl_->FindLive(path);
  return pair != nullptr ? pair->is_authenticated : impl_->responder.HasEarly(path);
}

std::vector<PairStats> Agent::pair_stats() const { return impl_->pairing.Stats(); }

}  // namespace jsp::ice
