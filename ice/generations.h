#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/boxed.h"
#include "base/event_queue.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "ice/agent.h"
#include "ice/candidate_pair.h"
#include "ice/options.h"
namespace jsp::ice {

enum class RestartError : uint8_t { kClosed, kNotNegotiated };

// An ICE session over its restarts (RFC 8445 §9). Owns the agent of the present generation, and that of the one before
// until the present one has a nominated pair: data goes on over the old pair, whose consent is kept (RFC 8445 §12.1,
// RFC 7675 §5.1), and checks of either generation are answered. Looks like one Agent from outside: commands go to the
// present generation, the two states become one. A restart that fails while the old pair lives is given up, and the
// old generation is the present one again. transport::Peer owns one.
class Generations {
 public:
  using Transmit = Agent::Transmit;
  using Event = ice::Event;

  Generations(const Options& options, Rng& rng, Timestamp now);
  // The same; not null. Several sessions may share their options.
  Generations(std::shared_ptr<const Options> options, Rng& rng, Timestamp now);

  // Begins a generation with new credentials, the same role and the candidates that are still there; more may come, so
  // EndOfLocalCandidates is due again. The owner signals it. Again before the peer answered: begins it anew.
  // kNotNegotiated before the first remote description: there is nothing to restart.
  Expected<void, RestartError> Restart(Timestamp now);
  // A restart was begun and SetRemoteDescription has not followed.
  bool IsAwaitingDescription() const { return is_awaiting_; }
  // An older generation still carries the data.
  bool IsOldInCharge() const;
  // A restart is under way, or just done: paths of two generations are in use.
  bool HasTwo() const { return previous_.has_value(); }

  // As of Agent, for the present generation.
  void SetRole(Role role) { current_.SetRole(role); }
  bool SetLocalCredentials(const Credentials& own) { return current_.SetLocalCredentials(own); }
  Expected<void, AddCandidateError> AddLocalCandidate(Timestamp now, const Candidate& candidate);
  void EndOfLocalCandidates(Timestamp now);
  Expected<void, SetRemoteError> SetRemoteDescription(Timestamp now, const RemoteDescription& remote);
  Expected<void, AddCandidateError> AddRemoteCandidate(Timestamp now, Candidate candidate);
  void EndOfRemoteCandidates(Timestamp now);
  void Close(Timestamp now);
  void LoseLocalBase(Timestamp now, const SocketAddress& base);
  bool CanMove() const { return current_.CanMove(); }
  void Trim();

  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  size_t WriteProbe(const SocketAddress& local, std::span<uint8_t> out) { return current_.WriteProbe(local, out); }
  void HandleTimeout(Timestamp now);
  // Of TCP, as of Agent, for any generation that has the path.
  void HandlePathFailed(Timestamp now, const SocketAddress& local, const SocketAddress& remote);
  void HandlePathReopened(Timestamp now, const SocketAddress& local, const SocketAddress& remote);
  bool IsAuthenticCheck(std::span<const uint8_t> datagram) const;
  void HandleDataSent(Timestamp now) { InCharge().HandleDataSent(now); }
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  bool has_events() const { return !events_.empty(); }
  [[nodiscard]] Timestamp NextTimeout() const;

  const Credentials& local_credentials() const { return current_.local_credentials(); }
  const std::vector<Candidate>& local_candidates() const { return current_.local_candidates(); }
  Role role() const { return current_.role(); }
  State state() const { return told_.state; }
  // Where data may go now, by the generation that carries it.
  const std::optional<SelectedPair>& selected_pair() const { return InCharge().selected_pair(); }
  bool HasConsent(Timestamp now) const { return InCharge().HasConsent(now); }
  // Of any generation that still exists.
  bool IsValidated(const SocketAddress& local, const SocketAddress& remote) const;
  bool IsAuthenticated(const SocketAddress& local, const SocketAddress& remote) const;
  Metrics metrics() const;                    // of all generations
  std::vector<PairStats> pair_stats() const;  // of those that exist, the present one first
  size_t held_octets() const;                 // likewise

 private:
  struct Told {
    State state = State::kNew;
    StateReason reason = StateReason::kNone;
  };

  Agent& InCharge();
  const Agent& InCharge() const { return const_cast<Generations*>(this)->InCharge(); }
  Agent& OwnerOf(std::span<const uint8_t> datagram);
  void Sync(Timestamp now);
  void TakeEvents(Agent& agent, Told& heard);
  void TellSelection();
  Told Judge(Timestamp now);
  Told JudgeLost(Timestamp now);
  void Retire(Timestamp now);
  void CountRetired(const Metrics& metrics);

  std::shared_ptr<const Options> options_;
  Rng* rng_;
  Agent current_;
  std::optional<Agent> previous_;
  Told current_heard_;
  Told previous_heard_;
  Told told_;
  std::vector<Candidate> candidates_;  // of this host, as they were added
  bool is_awaiting_ = false;
  std::optional<AddressPair> told_path_;
  Timestamp hold_until_;    // then a session without a pair that nobody restarted has failed
  Timestamp retire_after_;  // then the generation before goes
  Boxed<Metrics> retired_;  // of generations that are gone
  EventQueue<Event> events_;
};
static_assert(SansIoCore<Generations>);

}  // namespace jsp::ice
