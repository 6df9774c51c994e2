#include "ice/generations.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "stun/message_view.h"
namespace jsp::ice {
namespace {

// The peer may still send over the old pair for a round trip after our own nomination, and check it.
constexpr Duration kLinger = std::chrono::seconds(3);

bool IsUp(State state) { return state == State::kConnected || state == State::kCompleted; }
bool IsOver(State state) { return state == State::kFailed || state == State::kClosed; }

AddressPair PathOf(const SelectedPair& pair) { return {pair.local.base, pair.remote.address}; }

}  // namespace

Generations::Generations(const Options& options, Rng& rng, Timestamp now)
    : Generations(std::make_shared<const Options>(options), rng, now) {}
Generations::Generations(std::shared_ptr<const Options> options, Rng& rng, Timestamp now)
    : options_(std::move(options)), rng_(&rng), current_(*options_, rng, now) {}

Expected<void, RestartError> Generations::Restart(Timestamp now) {
  if (IsOver(told_.state)) return Unexpected(RestartError::kClosed);
  if (told_.state == State::kNew) return Unexpected(RestartError::kNotNegotiated);
  // RFC 8445 §9: the old session goes on as long as it carries data; one that never did is of no use.
  Options options = *options_;
  options.role = current_.role();  // RFC 8445 §6.1.1: no new determination of roles
  const bool carries = current_.selected_pair().has_value();
  if (carries) {
    if (previous_) CountRetired(previous_->metrics());
    previous_.emplace(std::move(current_));
    previous_heard_ = std::exchange(current_heard_, {});
  } else {
    CountRetired(current_.metrics());
    current_heard_ = {};
  }
  retire_after_ = Timestamp::Never();
  hold_until_ = Timestamp::Never();
  current_ = Agent(options, *rng_, now);
  is_awaiting_ = true;
  for (const Candidate& candidate : candidates_) (void)current_.AddLocalCandidate(now, candidate);
  Sync(now);
  return {};
}

// RFC 8445 §12.1: the selected pair is "equal to the previous selected pair" until the restart has produced its own.
// One that has gone silent yields to any valid pair of the restart.
Agent& Generations::InCharge() {
  if (!previous_ || !previous_->selected_pair() || current_.state() == State::kCompleted) return current_;
  const bool is_silent = previous_->state() == State::kDisconnected;
  return is_silent && current_.selected_pair() ? current_ : *previous_;
}

bool Generations::IsOldInCharge() const { return &InCharge() != &current_; }

Expected<void, AddCandidateError> Generations::AddLocalCandidate(Timestamp now, const Candidate& candidate) {
  const auto added = current_.AddLocalCandidate(now, candidate);
  // One that came after the end of candidates is of the next generation.
  const bool is_late = !added && added.error() == AddCandidateError::kAfterEndOfCandidates;
  const bool is_known = std::ranges::find(candidates_, candidate) != candidates_.end();
  const bool has_room = added || candidates_.size() < options_->max_local_candidates;
  if ((added || is_late) && has_room && !is_known) candidates_.push_back(candidate);
  Sync(now);
  return added;
}

void Generations::EndOfLocalCandidates(Timestamp now) {
  current_.EndOfLocalCandidates(now);
  Sync(now);
}

Expected<void, SetRemoteError> Generations::SetRemoteDescription(Timestamp now, const RemoteDescription& remote) {
  const auto set = current_.SetRemoteDescription(now, remote);
  if (set) is_awaiting_ = false;
  Sync(now);
  return set;
}

Expected<void, AddCandidateError> Generations::AddRemoteCandidate(Timestamp now, Candidate candidate) {
  const auto added = current_.AddRemoteCandidate(now, std::move(candidate));
  Sync(now);
  return added;
}

void Generations::EndOfRemoteCandidates(Timestamp now) {
  current_.EndOfRemoteCandidates(now);
  Sync(now);
}

void Generations::LoseLocalBase(Timestamp now, const SocketAddress& base) {
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    return (candidate.base.port == 0 ? candidate.address : candidate.base) == base;
  });
  current_.LoseLocalBase(now, base);
  if (previous_) previous_->LoseLocalBase(now, base);
  Sync(now);
}

void Generations::Close(Timestamp now) {
  Retire(now);
  current_.Close(now);
  Sync(now);
}

// A request names its generation by the ufrag, a response by its transaction.
Agent& Generations::OwnerOf(std::span<const uint8_t> datagram) {
  const auto message = stun::MessageView::Parse(datagram);
  if (!previous_ || !message) return current_;
  if (message->message_class() != stun::MessageClass::kRequest) {
    return previous_->IsAwaiting(message->transaction_id()) ? *previous_ : current_;
  }
  const auto username = message->FindText(stun::AttributeType::kUsername);
  const std::string& old = previous_->local_credentials().ufrag;
  const bool is_old = username && username->substr(0, username->find(':')) == old;
  return is_old ? *previous_ : current_;
}

bool Generations::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                                 std::span<const uint8_t> datagram) {
  Agent& owner = previous_ ? OwnerOf(datagram) : current_;
  const bool is_ours = owner.HandleDatagram(now, local, remote, datagram);
  Sync(now);
  return is_ours;
}

void Generations::HandlePathFailed(Timestamp now, const SocketAddress& local, const SocketAddress& remote) {
  current_.HandlePathFailed(now, local, remote);
  if (previous_) previous_->HandlePathFailed(now, local, remote);
  Sync(now);
}

void Generations::HandlePathReopened(Timestamp now, const SocketAddress& local, const SocketAddress& remote) {
  current_.HandlePathReopened(now, local, remote);
  if (previous_) previous_->HandlePathReopened(now, local, remote);
  Sync(now);
}

bool Generations::IsAuthenticCheck(std::span<const uint8_t> datagram) const {
  return current_.IsAuthenticCheck(datagram) || (previous_ && previous_->IsAuthenticCheck(datagram));
}

void Generations::HandleTimeout(Timestamp now) {
  current_.HandleTimeout(now);
  if (previous_) previous_->HandleTimeout(now);
  if (now >= retire_after_) Retire(now);
  Sync(now);
}

void Generations::Trim() {
  current_.Trim();
  if (previous_) previous_->Trim();
  candidates_.shrink_to_fit();
  events_.Trim();
}

std::optional<Generations::Transmit> Generations::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  auto transmit = current_.PollTransmit(now, out);
  if (!transmit && previous_) transmit = previous_->PollTransmit(now, out);
  return transmit;
}

Timestamp Generations::NextTimeout() const {
  Timestamp next = std::min(current_.NextTimeout(), hold_until_);
  if (previous_) next = std::min({next, previous_->NextTimeout(), retire_after_});
  return next;
}

bool Generations::IsValidated(const SocketAddress& local, const SocketAddress& remote) const {
  return current_.IsValidated(local, remote) || (previous_ && previous_->IsValidated(local, remote));
}

bool Generations::IsAuthenticated(const SocketAddress& local, const SocketAddress& remote) const {
  return current_.IsAuthenticated(local, remote) || (previous_ && previous_->IsAuthenticated(local, remote));
}

Metrics Generations::metrics() const {
  Metrics sum = retired_ ? *retired_ : Metrics();
  sum += current_.metrics();
  if (previous_) sum += previous_->metrics();
  return sum;
}

std::vector<PairStats> Generations::pair_stats() const {
  std::vector<PairStats> stats = current_.pair_stats();
  if (!previous_) return stats;
  const bool is_old = IsOldInCharge();
  for (PairStats& pair : stats) pair.selected = pair.selected && !is_old;
  for (PairStats& pair : previous_->pair_stats()) {
    pair.selected = pair.selected && is_old;
    stats.push_back(std::move(pair));
  }
  return stats;
}

size_t Generations::held_octets() const {
  return current_.held_octets() + (previous_ ? previous_->held_octets() : 0) +
         candidates_.capacity() * sizeof(Candidate) + (retired_ ? sizeof(Metrics) : 0);
}

void Generations::Retire(Timestamp now) {
  retire_after_ = Timestamp::Never();
  if (!previous_) return;
  previous_->Close(now);
  CountRetired(previous_->metrics());
  previous_.reset();
  previous_heard_ = {};
}

// After every input: what the two agents say becomes what one would.
void Generations::Sync(Timestamp now) {
  if (previous_) TakeEvents(*previous_, previous_heard_);
  TakeEvents(current_, current_heard_);
  if (previous_ && current_heard_.state == State::kFailed && IsUp(previous_->state())) {
    // The restart led nowhere, while the old pair lives.
    events_.Push(event::RestartFailed{current_heard_.reason});
    CountRetired(current_.metrics());
    current_ = std::move(*previous_);
    current_heard_ = std::exchange(previous_heard_, {});
    previous_.reset();
    is_awaiting_ = false;
  }
  const bool is_done = previous_ && current_heard_.state == State::kCompleted;
  if (is_done && retire_after_ == Timestamp::Never()) retire_after_ = now + kLinger;
  TellSelection();
  const Told judged = Judge(now);
  if (judged.state == told_.state) return;
  told_ = judged;
  events_.Push(event::StateChanged{told_.state, told_.reason});
}

void Generations::TakeEvents(Agent& agent, Told& heard) {
  while (auto event = agent.PollEvent()) {
    if (const auto* changed = std::get_if<event::StateChanged>(&*event)) {
      heard = {changed->state, changed->reason};
    } else if (std::holds_alternative<event::PairSelected>(*event)) {
      if (&InCharge() == &agent) told_path_.reset();  // told below, also when it is the same path nominated
    } else if (std::holds_alternative<event::SparesDropped>(*event)) {
      // The owner's while a restart is under way: what is kept for other paths is in use.
      if (&agent == &current_ && !previous_) events_.Push(std::move(*event));
    } else if (!std::holds_alternative<event::RoleChanged>(*event) || &agent == &current_) {
      events_.Push(std::move(*event));
    }
  }
}

void Generations::TellSelection() {
  const auto& pair = selected_pair();
  if (!pair || told_path_ == PathOf(*pair)) return;
  told_path_ = PathOf(*pair);
  events_.Push(event::PairSelected{pair->local, pair->remote, pair->nominated, pair->rtt});
}

void Generations::CountRetired(const Metrics& metrics) {
  if (!retired_) retired_.emplace();
  *retired_ += metrics;
}

Generations::Told Generations::Judge(Timestamp now) {
  const bool old_in_charge = IsOldInCharge();
  const Told heard = old_in_charge ? previous_heard_ : current_heard_;
  const bool never_began = told_.state == State::kNew;
  if (IsUp(heard.state) || heard.state == State::kClosed || never_began) {
    hold_until_ = Timestamp::Never();
    return heard;
  }
  return old_in_charge ? heard : JudgeLost(now);  // silent, and nothing better yet
}

// No pair carries data. RFC 7675 §5.1: after a loss of consent only a restart can bring one; it may be under way, or be
// waited for.
Generations::Told Generations::JudgeLost(Timestamp now) {
  const bool was_up = IsUp(told_.state) || told_.state == State::kDisconnected;
  const bool has_failed = current_heard_.state == State::kFailed;
  if (current_heard_.state == State::kDisconnected || (has_failed && !was_up)) return current_heard_;
  if (current_heard_.state == State::kChecking) {
    hold_until_ = Timestamp::Never();  // the PAC timer ends it
  } else if (hold_until_ == Timestamp::Never()) {
    hold_until_ = now + (has_failed ? options_->mobility.restart_patience : options_->mobility.restart_timeout);
  }
  if (now >= hold_until_) {
    hold_until_ = Timestamp::Never();
    if (has_failed) return current_heard_;
    current_.Close(now);
    return {State::kFailed, StateReason::kRestartUnanswered};
  }
  if (!was_up) return {State::kChecking, current_heard_.reason};
  return {State::kDisconnected, previous_ ? previous_heard_.reason : current_heard_.reason};
}

}  // namespace jsp::ice
