#include "ice/agent.h"

#include <algorithm>
#include <utility>

#include "ice/agent_impl.h"
#include "stun/message_view.h"
namespace jsp::ice {

Agent::Agent(const Options& options, Rng& rng, Timestamp now) : impl_(std::make_unique<Impl>(options, rng, now)) {}
Agent::~Agent() = default;
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;

void Agent::SetRole(Role role) {
  if (!impl_->runner.transactions().HasCredentials()) impl_->role.Become(role);
}

bool Agent::SetLocalCredentials(const Credentials& credentials) {
  if (!credentials.IsValid() || impl_->runner.transactions().HasCredentials()) return false;
  impl_->responder.SetCredentials(credentials);
  return true;
}

Expected<void, AddCandidateError> Agent::AddLocalCandidate(Timestamp now, Candidate candidate) {
  impl_->Tick(now);
  if (impl_->session.IsOver()) return Unexpected(AddCandidateError::kClosed);
  if (impl_->session.local_ended() && !impl_->may_move) return Unexpected(AddCandidateError::kAfterEndOfCandidates);
  // RFC 8445 §5.2: "a lite agent doesn't gather" others.
  if (impl_->IsLite() && candidate.type != CandidateType::kHost) return Unexpected(AddCandidateError::kNotForLite);
  const auto added = impl_->pairing.AddLocal(std::move(candidate));
  if (!added) return added;
  impl_->session.HandleCandidate(impl_->now);
  impl_->CheckTowardsLastRemote();
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
  // Two lite agents would send to addresses that nobody has checked, without consent (RFC 7675 §5.1).
  if (impl.IsLite() && remote.ice_lite) return Unexpected(SetRemoteError::kBothLite);
  impl.runner.transactions().SetCredentials(impl.responder.credentials(), remote.credentials);
  // RFC 8445 §6.1.1: against a lite agent "the full agent MUST take the controlling role".
  if (remote.ice_lite && impl.role.Become(Role::kControlling)) impl.ApplyRole();
  if (impl.IsLite() && impl.role.Become(Role::kControlled)) impl.ApplyRole();
  impl.may_move = remote.renomination && impl.kept.renomination && !impl.IsLite();
  if (impl.may_move) impl.pairing.KeepPairing();
  impl.runner.SetPacing(std::max(impl.kept.pacing_interval, remote.pacing_interval));
  impl.session.Start(impl.now);
  if (!impl.IsLite()) impl.pairing.Start(impl.role.role());
  for (const EarlyCheck& check : impl.responder.TakeEarly()) impl.AcceptCheck(check);
  impl.Advance();
  return {};
}

Expected<void, AddCandidateError> Agent::AddRemoteCandidate(Timestamp now, Candidate candidate) {
  Impl& impl = *impl_;
  impl.Tick(now);
  if (impl.session.IsOver()) return Unexpected(AddCandidateError::kClosed);
  if (impl.session.remote_ended() && !impl.may_move) return Unexpected(AddCandidateError::kAfterEndOfCandidates);
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

void Agent::LoseLocalBase(Timestamp now, const SocketAddress& base) {
  impl_->Tick(now);
  if (impl_->session.IsOver()) return;
  const auto& path = impl_->selection.path();
  if (path && path->local == base) impl_->last_remote = path->remote;
  for (const uint16_t local : impl_->pairing.RemoveBase(base)) impl_->spares.HandleRemoved(local);
  impl_->runner.transactions().ForgetBase(base);
  // The peer is told of the move by a check, not by the next consent request.
  const bool has_moved = impl_->selection.HandlePairsLost(impl_->now);
  if (has_moved) impl_->runner.Trigger(*impl_->pairing.checklist().Find(*impl_->selection.path()));
  impl_->CheckTowardsLastRemote();
  if (!impl_->selection.path()) impl_->pairing.FormAll();
  impl_->Advance();
}

bool Agent::CanMove() const { return impl_->may_move; }

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

void Agent::HandlePathFailed(Timestamp now, const SocketAddress& local, const SocketAddress& remote) {
  impl_->Tick(now);
  impl_->runner.transactions().Cancel({local, remote});
  impl_->runner.Fail({local, remote});
  impl_->selection.HandlePathFailed({local, remote});
  impl_->Advance();
}

void Agent::HandlePathReopened(Timestamp now, const SocketAddress& local, const SocketAddress& remote) {
  impl_->Tick(now);
  const AddressPair path{local, remote};
  if (impl_->session.IsOver() || !impl_->selection.Is(path)) return;
  impl_->runner.StartConsent(impl_->now, path, impl_->role.attribute());
}

void Agent::HandleTimeout(Timestamp now) {
  impl_->Tick(now);
  impl_->Advance(Consent::Cause::kTime);
}

void Agent::HandleDataSent(Timestamp now) {
  impl_->Tick(now);
  impl_->selection.HandleDataSent(impl_->now);
  impl_->runner.transactions().HandleDataSent();
}

std::optional<Agent::Transmit> Agent::Impl::PollAnswer(std::span<uint8_t> out) {
  while (const auto answer = responder.PollTransmit(out)) {
    if (!pairing.local().FindByBase(answer->path.local)) continue;  // its interface went meanwhile
    selection.HandleSent(now, answer->path);
    return Transmit{answer->size, answer->path.local, answer->path.remote};
  }
  return std::nullopt;
}

std::optional<Agent::Transmit> Agent::Impl::PollCheck(std::span<uint8_t> out) {
  const auto check = runner.transactions().PollTransmit(now, out);
  if (!check) return std::nullopt;
  return Transmit{check->size, check->path.local, check->path.remote};
}

std::optional<Agent::Transmit> Agent::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  Impl& impl = *impl_;
  impl.Tick(now);
  // A consent request leaves before the answer that it goes along with: the longer one first, so that both are one
  // segmented send.
  if (impl.runner.transactions().HasConsentQueued()) {
    if (const auto request = impl.PollCheck(out)) return request;
  }
  const auto answer = impl.PollAnswer(out);
  return answer ? answer : impl.PollCheck(out);
}

void Agent::Trim() {
  impl_->events.Trim();
  impl_->responder.Trim();
  impl_->runner.transactions().Trim();
}

size_t Agent::WriteProbe(const SocketAddress& local, std::span<uint8_t> out) {
  const auto from = impl_->pairing.local().FindByBase(local);
  if (!from || impl_->session.IsOver()) return 0;
  return impl_->runner.WriteProbe(impl_->pairing.local().Get(*from), impl_->role.attribute(), out);
}

std::optional<Event> Agent::PollEvent() { return impl_->events.Pop(); }

Timestamp Agent::NextTimeout() const {
  const Impl& impl = *impl_;
  if (impl.session.IsOver()) return Timestamp::Never();
  // A session that has outlived the PAC timer waits for its checks, whose timers count.
  const Timestamp patience = impl.session.NextTimeout();
  Timestamp next = std::min({impl.runner.NextTimeout(), impl.selection.NextTimeout(), impl.spares.NextTimeout()});
  if (patience > impl.now) next = std::min(next, patience);
  return std::max(next, impl.now);
}

const Credentials& Agent::local_credentials() const { return impl_->responder.credentials(); }
const std::vector<Candidate>& Agent::local_candidates() const { return impl_->pairing.local().signalled(); }
Role Agent::role() const { return impl_->role.role(); }
State Agent::state() const { return impl_->session.state(); }
const std::optional<SelectedPair>& Agent::selected_pair() const { return impl_->selection.pair(); }
bool Agent::HasConsent(Timestamp now) const { return impl_->selection.HasConsent(now); }
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

bool Agent::IsAuthenticCheck(std::span<const uint8_t> datagram) const {
  const auto message = stun::MessageView::Parse(datagram);
  const bool is_check = message && message->method() == stun::Method::kBinding &&
                        message->message_class() == stun::MessageClass::kRequest;
  return is_check && !impl_->session.IsOver() && !impl_->responder.FindForgery(*message);
}

bool Agent::IsAwaiting(const stun::TransactionId& id) const { return impl_->runner.transactions().Find(id) != nullptr; }

std::vector<PairStats> Agent::pair_stats() const { return impl_->pairing.Stats(); }

size_t Agent::held_octets() const {
  return sizeof(Impl) + impl_->pairing.held_octets() + impl_->runner.transactions().held_octets();
}

}  // namespace jsp::ice
