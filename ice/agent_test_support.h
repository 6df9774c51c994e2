#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "ice/agent.h"
#include "ice/role.h"
#include "stun/message_view.h"
// Two ways to test agents in virtual time: AgentPair, two agents and a network between them, and LoneAgent, one agent
// whose peer is the test itself.
namespace jsp::ice {

using namespace std::chrono_literals;

constexpr Timestamp At(Duration since_start) { return Timestamp::FromEpoch(1000s + since_start); }
SocketAddress Address(std::string_view text);
Candidate Host(std::string_view address);
Candidate Reflexive(std::string_view address, std::string_view base);
Candidate Relayed(std::string_view address);

// The events of an agent, by kind.
struct EventLog {
  std::vector<event::StateChanged> states;
  std::vector<event::PairSelected> selections;
  std::vector<event::CandidateDiscovered> discoveries;
  std::vector<event::RoleChanged> roles;
  size_t spares_dropped = 0;
  void Add(const Event& event);
  bool Saw(State state) const;
  std::optional<StateReason> ReasonOf(State state) const;  // of the last change to it
};

// A datagram that an agent sent.
struct SentDatagram {
  Timestamp at;
  SocketAddress local;
  SocketAddress remote;
  std::vector<uint8_t> bytes;
  stun::MessageView View() const;
  bool Is(stun::MessageClass message_class) const { return View().message_class() == message_class; }
  bool IsCheck() const { return Is(stun::MessageClass::kRequest); }
  bool Nominates() const { return View().Has(stun::AttributeType::kUseCandidate); }
};

// A check as a peer would write it; every field may be spoilt.
struct CheckDraft {
  std::string username;
  std::string pwd;
  std::optional<uint32_t> priority = 0x6e7fffff;
  std::optional<RoleAttribute> role;
  bool use_candidate = false;
  std::optional<uint32_t> nomination{};
  bool integrity = true;
  bool fingerprint = true;
  std::optional<stun::AttributeType> extra;  // with four zero octets
  std::optional<stun::TransactionId> id;
};
std::vector<uint8_t> WriteDraft(const CheckDraft& draft, Rng& rng);
std::vector<uint8_t> SuccessFor(const SentDatagram& request, const SocketAddress& mapped, std::string_view pwd);
std::vector<uint8_t> ErrorFor(const SentDatagram& request, uint16_t code, std::string_view pwd);

// One agent with two host candidates; the test plays the network and the peer.
class LoneAgent {
 public:
  explicit LoneAgent(const Options& options = {}, uint64_t seed = 1);

  Agent& agent() { return *agent_; }
  Timestamp now() const { return now_; }
  // Sets the remote description to peer(), who proposes this Ta.
  void Describe(Duration pacing_interval = kDefaultPacingInterval);
  const Credentials& peer() const { return peer_; }
  CheckDraft Draft() const;  // a good check from the peer, in the opposite role
  std::vector<uint8_t> Write(const CheckDraft& draft) { return WriteDraft(draft, rng_); }

  bool Deliver(std::string_view from, std::span<const uint8_t> datagram, std::string_view to = kLocal);
  // Answers as a good peer does, from where the request was sent to.
  void Answer(const SentDatagram& request);
  void AnswerAs(const SentDatagram& request, std::string_view from, const SocketAddress& mapped);
  // Runs timers up to `duration` from now.
  void Advance(Duration duration);
  // The owner is not scheduled for so long: no timer runs until Advance().
  void HoldUp(Duration duration) {
    now_ = now_ + duration;
    is_late_ = true;
  }
  // What was sent since the last call.
  std::vector<SentDatagram> TakeSent();
  std::vector<SentDatagram> TakeChecks();
  EventLog& log() { return log_; }
  // Gets `remote` validated (and, while controlling, nominated).
  void Connect(std::string_view remote = "192.0.2.9:9000");
  uint64_t Dropped(DropReason reason) { return agent_->metrics().dropped[static_cast<size_t>(reason)]; }

  static constexpr std::string_view kLocal = "10.0.0.1:5000";

 private:
  void Drain();

  Rng rng_;
  Rng agent_rng_;
  Timestamp now_ = At(0s);
  bool is_late_ = false;
  Credentials peer_;
  std::unique_ptr<Agent> agent_;
  std::vector<SentDatagram> sent_;
  EventLog log_;
};

// Two agents, and what lies between them: delay, jitter, loss, NATs, and a filter for what the test wants.
class AgentPair {
 public:
  struct Config {
    Options a;
    Options z;
    Duration delay = 10ms;
    Duration jitter{};
    double loss = 0;
    uint64_t seed = 1;
    bool renomination = false;  // both say so
  };
  enum class Side : uint8_t { kA, kZ };
  // Endpoint-independent or address-and-port-dependent mapping and filtering (RFC 4787).
  enum class NatKind : uint8_t { kCone, kSymmetric };

  explicit AgentPair(const Config& config);
  AgentPair() : AgentPair(Config{}) {}

  Agent& a() { return *ends_[0].agent; }
  Agent& z() { return *ends_[1].agent; }
  Agent& agent(Side side) { return *End(side).agent; }
  EventLog& log(Side side) { return End(side).log; }
  Timestamp now() const { return now_; }
  std::vector<SentDatagram>& sent(Side side) { return End(side).sent; }

  void AddHost(Side side, std::string_view address);
  // Without a candidate.
  void AddSocket(Side side, std::string_view address) { End(side).sockets.insert(Address(address)); }
  // The interface goes: its socket, and what the agent has from it.
  void LoseHost(Side side, std::string_view address);
  void AddNat(Side side, NatKind kind, std::string_view public_ip);
  // The address that a STUN server would tell for a socket behind the NAT.
  SocketAddress MappedAddress(Side side, std::string_view socket);
  // All mappings are forgotten; the next packets get new ones.
  void RebindNat(Side side);

  void ExchangeDescriptions();
  void Describe(Side to);  // tells `to` about the other side
  // Carries every candidate that was not yet signalled.
  void Trickle(Side from);
  void EndCandidates();
  // One host each, everything signalled at once.
  void Start();

  // Runs until `done` or `limit` later; true when done.
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  void RunFor(Duration duration);
  bool RunUntilCompleted(Duration limit = 60s);
  // False drops the packet.
  std::function<bool(Side from, SentDatagram& packet)> filter = [](Side, SentDatagram&) { return true; };

 private:
  struct Nat {
    NatKind kind;
    IpAddress public_ip;
    uint16_t next_port = 40000;
    std::map<std::pair<SocketAddress, SocketAddress>, SocketAddress>
        mappings;                                                 // (socket, destination or zero) → public
    std::set<std::pair<SocketAddress, SocketAddress>> permitted;  // (public, remote)
    SocketAddress Map(const SocketAddress& socket, const SocketAddress& destination);
    std::optional<SocketAddress> Unmap(const SocketAddress& mapped, const SocketAddress& remote) const;
  };
  struct Endpoint {
    Rng rng;
    std::unique_ptr<Agent> agent;
    std::set<SocketAddress> sockets;
    std::optional<Nat> nat;
    size_t signalled = 0;
    EventLog log;
    std::vector<SentDatagram> sent;
  };
  struct Flight {
    Timestamp at;
    uint64_t sequence;
    Side to;
    SocketAddress source;
    SocketAddress destination;
    std::vector<uint8_t> bytes;
    bool operator>(const Flight& other) const { return std::tie(at, sequence) > std::tie(other.at, other.sequence); }
  };

  Endpoint& End(Side side) { return ends_[static_cast<size_t>(side)]; }
  static Side Other(Side side) { return side == Side::kA ? Side::kZ : Side::kA; }
  void Drain(Side side);
  void Send(Side from, SentDatagram packet);
  void Arrive(const Flight& flight);

  Config config_;
  Rng rng_;
  Timestamp now_ = At(0s);
  std::vector<Endpoint> ends_;
  std::priority_queue<Flight, std::vector<Flight>, std::greater<>> flights_;
  uint64_t next_sequence_ = 0;
};

}  // namespace jsp::ice
