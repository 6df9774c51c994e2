#include "ice/agent_test_support.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/check.h"
#include "base/overloaded.h"
#include "ice/stun_attributes.h"
#include "stun/message_builder.h"
namespace jsp::ice {

SocketAddress Address(std::string_view text) {
  const auto address = SocketAddress::Parse(text);
  JSP_CHECK(address.has_value());
  return *address;
}

Candidate Host(std::string_view address) {
  Candidate candidate;
  candidate.address = Address(address);
  return candidate;
}

Candidate Reflexive(std::string_view address, std::string_view base) {
  Candidate candidate = Host(address);
  candidate.type = CandidateType::kServerReflexive;
  candidate.base = Address(base);
  candidate.related = candidate.base;
  return candidate;
}

Candidate Relayed(std::string_view address) {
  Candidate candidate = Host(address);
  candidate.type = CandidateType::kRelayed;
  return candidate;
}

void EventLog::Add(const Event& event) {
  std::visit(Overloaded{[&](const event::StateChanged& e) { states.push_back(e); },
                        [&](const event::PairSelected& e) { selections.push_back(e); },
                        [&](const event::CandidateDiscovered& e) { discoveries.push_back(e); },
                        [&](const event::RoleChanged& e) { roles.push_back(e); }, [](const event::RestartFailed&) {},
                        [&](const event::SparesDropped&) { ++spares_dropped; }},
             event);
}

bool EventLog::Saw(State state) const { return ReasonOf(state).has_value(); }

std::optional<StateReason> EventLog::ReasonOf(State state) const {
  std::optional<StateReason> reason;
  for (const auto& change : states) {
    if (change.state == state) reason = change.reason;
  }
  return reason;
}

stun::MessageView SentDatagram::View() const {
  const auto view = stun::MessageView::Parse(bytes);
  JSP_CHECK(view.has_value());
  return *view;
}

std::vector<uint8_t> WriteDraft(const CheckDraft& draft, Rng& rng) {
  std::array<uint8_t, 1024> out;
  const auto id = draft.id.value_or(stun::TransactionId::Random(rng));
  stun::MessageBuilder builder(out, {stun::Method::kBinding, stun::MessageClass::kRequest}, id);
  if (!draft.username.empty()) builder.AddText(stun::AttributeType::kUsername, draft.username);
  if (draft.priority) builder.AddU32(stun::AttributeType::kPriority, *draft.priority);
  if (draft.role) {
    const bool is_controlling = draft.role->role == Role::kControlling;
    builder.AddU64(is_controlling ? stun::AttributeType::kIceControlling : stun::AttributeType::kIceControlled,
                   draft.role->tie_breaker);
  }
  if (draft.use_candidate) builder.AddFlag(stun::AttributeType::kUseCandidate);
  if (draft.nomination) builder.AddU32(kNominationAttribute, *draft.nomination);
  if (draft.extra) builder.AddU32(*draft.extra, 0);
  if (draft.integrity) builder.AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes(draft.pwd)));
  if (draft.fingerprint) builder.AddFingerprint();
  const auto message = builder.Finish();
  JSP_CHECK(!message.empty());
  return {message.begin(), message.end()};
}

std::vector<uint8_t> SuccessFor(const SentDatagram& request, const SocketAddress& mapped, std::string_view pwd) {
  std::vector<uint8_t> out(kMaxMessageSize);
  const crypto::HmacSha1Key key(crypto::AsBytes(pwd));
  out.resize(WriteSuccess(out, request.View().transaction_id(), mapped, key));
  return out;
}

std::vector<uint8_t> ErrorFor(const SentDatagram& request, uint16_t code, std::string_view pwd) {
  std::vector<uint8_t> out(kMaxMessageSize);
  const crypto::HmacSha1Key key(crypto::AsBytes(pwd));
  out.resize(WriteError(out, request.View().transaction_id(), RequestFault{code, {}, 0}, key));
  return out;
}

LoneAgent::LoneAgent(const Options& options, uint64_t seed)
    : rng_(Rng::FromNumber(seed)), agent_rng_(Rng::FromNumber(seed + 1000)), peer_(Credentials::Random(rng_)) {
  agent_ = std::make_unique<Agent>(options, agent_rng_, now_);
  JSP_CHECK(agent_->AddLocalCandidate(now_, Host(kLocal)).has_value());
  Drain();
}

void LoneAgent::Describe(Duration pacing_interval) {
  JSP_CHECK(agent_->SetRemoteDescription(now_, {peer_, false, true, pacing_interval}).has_value());
  Drain();
}

CheckDraft LoneAgent::Draft() const {
  CheckDraft draft;
  draft.username = agent_->local_credentials().ufrag + ":" + peer_.ufrag;
  draft.pwd = agent_->local_credentials().pwd;
  draft.role = RoleAttribute{Opposite(agent_->role()), 1};
  return draft;
}

bool LoneAgent::Deliver(std::string_view from, std::span<const uint8_t> datagram, std::string_view to) {
  const bool is_ours = agent_->HandleDatagram(now_, Address(to), Address(from), datagram);
  Drain();
  return is_ours;
}

void LoneAgent::Answer(const SentDatagram& request) { AnswerAs(request, request.remote.ToString(), request.local); }

void LoneAgent::AnswerAs(const SentDatagram& request, std::string_view from, const SocketAddress& mapped) {
  Deliver(from, SuccessFor(request, mapped, peer_.pwd), request.local.ToString());
}

void LoneAgent::Advance(Duration duration) {
  const Timestamp end = now_ + duration;
  if (std::exchange(is_late_, false)) agent_->HandleTimeout(now_);
  Drain();
  while (agent_->NextTimeout() <= end) {
    JSP_CHECK(agent_->NextTimeout() > now_);  // nothing that is due is ever left undone
    now_ = agent_->NextTimeout();
    agent_->HandleTimeout(now_);
    Drain();
  }
  now_ = end;
  agent_->HandleTimeout(now_);
  Drain();
}

void LoneAgent::Drain() {
  std::array<uint8_t, 1500> buffer;
  while (const auto transmit = agent_->PollTransmit(now_, buffer)) {
    sent_.push_back({now_, transmit->local, transmit->remote, {buffer.begin(), buffer.begin() + transmit->size}});
  }
  while (const auto event = agent_->PollEvent()) log_.Add(*event);
}

std::vector<SentDatagram> LoneAgent::TakeSent() { return std::exchange(sent_, {}); }

std::vector<SentDatagram> LoneAgent::TakeChecks() {
  auto sent = TakeSent();
  std::erase_if(sent, [](const SentDatagram& datagram) { return !datagram.IsCheck(); });
  return sent;
}

void LoneAgent::Connect(std::string_view remote) {
  if (agent_->state() == State::kNew) Describe();
  JSP_CHECK(agent_->AddRemoteCandidate(now_, Host(remote)).has_value());
  for (int i = 0; i < 100 && agent_->state() != State::kCompleted; ++i) {
    Advance(10ms);
    for (const SentDatagram& check : TakeChecks()) Answer(check);
    if (agent_->role() == Role::kControlling) continue;
    CheckDraft draft = Draft();
    draft.use_candidate = true;
    Deliver(remote, Write(draft));
  }
  JSP_CHECK(agent_->state() == State::kCompleted);
  TakeSent();
}

AgentPair::AgentPair(const Config& config) : config_(config), rng_(Rng::FromNumber(config.seed)) {
  if (config_.a.role == config_.z.role) config_.z.role = Opposite(config_.a.role);
  ends_.push_back({rng_.Fork(), nullptr, {}, {}, 0, {}, {}});
  ends_.push_back({rng_.Fork(), nullptr, {}, {}, 0, {}, {}});
  ends_[0].agent = std::make_unique<Agent>(config_.a, ends_[0].rng, now_);
  ends_[1].agent = std::make_unique<Agent>(config_.z, ends_[1].rng, now_);
}

void AgentPair::AddHost(Side side, std::string_view address) {
  End(side).sockets.insert(Address(address));
  JSP_CHECK(agent(side).AddLocalCandidate(now_, Host(address)).has_value());
  Drain(side);
}

void AgentPair::LoseHost(Side side, std::string_view address) {
  End(side).sockets.erase(Address(address));
  agent(side).LoseLocalBase(now_, Address(address));
  Drain(side);
}

void AgentPair::AddNat(Side side, NatKind kind, std::string_view public_ip) {
  End(side).nat = Nat{kind, *IpAddress::Parse(public_ip), 40000, {}, {}};
}

SocketAddress AgentPair::MappedAddress(Side side, std::string_view socket) {
  return End(side).nat->Map(Address(socket), Address("198.51.100.254:3478"));
}

void AgentPair::RebindNat(Side side) {
  End(side).nat->mappings.clear();
  End(side).nat->permitted.clear();
}

SocketAddress AgentPair::Nat::Map(const SocketAddress& socket, const SocketAddress& destination) {
  const auto key = std::pair(socket, kind == NatKind::kSymmetric ? destination : SocketAddress{});
  const auto [at, is_new] = mappings.try_emplace(key, SocketAddress{public_ip, next_port});
  if (is_new) ++next_port;
  permitted.insert({at->second, destination});
  return at->second;
}

std::optional<SocketAddress> AgentPair::Nat::Unmap(const SocketAddress& mapped, const SocketAddress& remote) const {
  if (!permitted.contains({mapped, remote})) return std::nullopt;
  for (const auto& [key, address] : mappings) {
    if (address == mapped) return key.first;
  }
  return std::nullopt;
}

void AgentPair::Describe(Side to) {
  const Agent& other = agent(Other(to));
  const Options& theirs = to == Side::kZ ? config_.a : config_.z;
  const bool is_lite = theirs.implementation == Implementation::kLite;
  RemoteDescription description{other.local_credentials(), is_lite, true};
  description.renomination = config_.renomination;
  JSP_CHECK(agent(to).SetRemoteDescription(now_, description).has_value());
  Drain(to);
}

void AgentPair::ExchangeDescriptions() {
  Describe(Side::kZ);
  Describe(Side::kA);
}

void AgentPair::Trickle(Side from) {
  Endpoint& end = End(from);
  const auto candidates = end.agent->local_candidates();
  for (; end.signalled < candidates.size(); ++end.signalled) {
    (void)agent(Other(from)).AddRemoteCandidate(now_, candidates[end.signalled]);
  }
  Drain(Other(from));
}

void AgentPair::EndCandidates() {
  for (const Side side : {Side::kA, Side::kZ}) {
    agent(side).EndOfLocalCandidates(now_);
    agent(side).EndOfRemoteCandidates(now_);
    Drain(side);
  }
}

void AgentPair::Start() {
  AddHost(Side::kA, "192.0.2.1:5000");
  AddHost(Side::kZ, "192.0.2.2:6000");
  ExchangeDescriptions();
  Trickle(Side::kA);
  Trickle(Side::kZ);
  EndCandidates();
}

void AgentPair::Drain(Side side) {
  std::array<uint8_t, 1500> buffer;
  Endpoint& end = End(side);
  while (const auto transmit = end.agent->PollTransmit(now_, buffer)) {
    Send(side, {now_, transmit->local, transmit->remote, {buffer.begin(), buffer.begin() + transmit->size}});
  }
  while (const auto event = end.agent->PollEvent()) end.log.Add(*event);
}

void AgentPair::Send(Side from, SentDatagram packet) {
  Endpoint& end = End(from);
  end.sent.push_back(packet);
  JSP_CHECK(end.sockets.contains(packet.local));  // an agent sends only from its bases
  if (!filter(from, packet) || rng_.Uniform() < config_.loss) return;
  const SocketAddress source = end.nat ? end.nat->Map(packet.local, packet.remote) : packet.local;
  Duration delay = config_.delay;
  if (config_.jitter > Duration::zero()) {
    delay += Duration(static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(config_.jitter.count()))));
  }
  flights_.push({now_ + delay, next_sequence_++, Other(from), source, packet.remote, std::move(packet.bytes)});
}

void AgentPair::Arrive(const Flight& flight) {
  Endpoint& end = End(flight.to);
  SocketAddress local = flight.destination;
  if (end.nat) {
    const auto socket = end.nat->Unmap(flight.destination, flight.source);
    if (!socket) return;
    local = *socket;
  }
  if (!end.sockets.contains(local)) return;
  end.agent->HandleDatagram(now_, local, flight.source, flight.bytes);
  Drain(flight.to);
}

bool AgentPair::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now_ + limit;
  Drain(Side::kA);
  Drain(Side::kZ);
  while (!done()) {
    Timestamp next = std::min(a().NextTimeout(), z().NextTimeout());
    if (!flights_.empty()) next = std::min(next, flights_.top().at);
    if (next > end) {
      now_ = end;
      return done();
    }
    now_ = std::max(now_, next);
    while (!flights_.empty() && flights_.top().at <= now_) {
      const Flight flight = flights_.top();
      flights_.pop();
      Arrive(flight);
    }
    for (const Side side : {Side::kA, Side::kZ}) {
      if (agent(side).NextTimeout() > now_) continue;
      agent(side).HandleTimeout(now_);
      Drain(side);
      JSP_CHECK(agent(side).NextTimeout() > now_);
    }
  }
  return true;
}

void AgentPair::RunFor(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool AgentPair::RunUntilCompleted(Duration limit) {
  return RunUntil([&] { return a().state() == State::kCompleted && z().state() == State::kCompleted; }, limit);
}

}  // namespace jsp::ice
