#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "ice/candidate.h"
#include "ice/credentials.h"
#include "ice/events.h"
#include "ice/metrics.h"
#include "ice/options.h"
#include "ice/pair_stats.h"
#include "stun/transaction_id.h"
namespace jsp::ice {

enum class SetRemoteError : uint8_t { kBadCredentials, kClosed, kBothLite };

// What the other side signalled about itself, without its candidates.
struct RemoteDescription {
  Credentials credentials;
  bool ice_lite = false;
  bool ice2 = false;
  // a=ice-pacing (RFC 8839 §5.5). RFC 8445 §14.2: the higher Ta of both sides is used, and a side that does not say any
  // counts as 50 ms; a lower Ta of ours takes effect only when the peer proposes one too.
  Duration pacing_interval = kDefaultPacingInterval;
  bool renomination = false;  // the ICE option of that name
};

// The ICE agent of one component of one data stream (RFC 8445). Told its local candidates, the remote description and
// its candidates (in any order, trickled, RFC 8838), datagrams and time; forms and checks pairs, nominates, keeps
// consent. Sends nothing itself, resolves no names, knows no relay protocol and no sockets: `local` in Transmit is the
// candidate's base, which the owner maps to a socket. Composed of checklist, check_scheduler, connectivity_check,
// nomination and consent; this class only routes.
class Agent {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = ice::Event;

  Agent(const Options& options, Rng& rng, Timestamp now);
  ~Agent();
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;

  // Commands.
  // The offerer controls (RFC 8445 §6.1.1); known only once a description is made. No effect after
  // SetRemoteDescription.
  void SetRole(Role role);
  // Instead of random ones, where something outside has chosen them, and whose secret they are then (RFC 8445 §5.3 asks
  // for 24 and 128 random bits). False when they are not valid, or after SetRemoteDescription.
  bool SetLocalCredentials(const Credentials& credentials);
  // The owner has sent it to the peer, or is about to (RFC 8838 §10). A `base` with port 0 means the address itself;
  // priority 0 and foundation "" are computed (RFC 8445 §5.1.2, §5.1.1.3).
  Expected<void, AddCandidateError> AddLocalCandidate(Timestamp now, Candidate candidate);
  // Gathering has ended (RFC 8838 §8); later candidates are refused.
  void EndOfLocalCandidates(Timestamp now);
  // Starts checks, with the candidates of both sides so far, and the PAC timer (RFC 8863 §4). The same credentials
  // again change nothing; others are kBadCredentials, because they are a restart: another agent (RFC 8445 §9).
  Expected<void, SetRemoteError> SetRemoteDescription(Timestamp now, const RemoteDescription& remote);
  // Before or after the description (RFC 8838 §11). The owner has resolved names and dropped other generations.
  Expected<void, AddCandidateError> AddRemoteCandidate(Timestamp now, Candidate candidate);
  // The interface of `base` is gone, or has another address: its candidates and pairs go. The session moves to another
  // pair that works, or is disconnected until one does or consent has expired.
  void LoseLocalBase(Timestamp now, const SocketAddress& base);
  // Both sides agreed on renomination: candidates may come at any time, and the session moves to them by itself.
  bool CanMove() const;
  // The peer's end-of-candidates indication (RFC 8838 §14).
  void EndOfRemoteCandidates(Timestamp now);
  // Final: nothing is sent or answered any more.
  void Close(Timestamp now);
  // Gives back memory that only checking needed. Of no effect on anything else.
  void Trim();

  // Inputs. Only STUN is for the agent; returns false when the datagram is none of its business (a response to
  // somebody else's transaction), so that the owner may offer it elsewhere.
  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  // Of TCP (RFC 6544 §7.1, ice/tcp_connections.h): there is no connection for the path, and what is checked on it has
  // failed. Without the selected one the session is disconnected, until it is there again, another pair works, or
  // consent has expired.
  void HandlePathFailed(Timestamp now, const SocketAddress& local, const SocketAddress& remote);
  // Of TCP: the path's connection is there again; if it is the selected one, it is checked at once (RFC 6544 §11.1).
  void HandlePathReopened(Timestamp now, const SocketAddress& local, const SocketAddress& remote);
  // Time alone ends a session: an owner that is late calls this after what has arrived by now.
  void HandleTimeout(Timestamp now);
  // Data went out over the selected pair, so no keepalive is due for a while (RFC 8445 §11).
  void HandleDataSent(Timestamp now);

  // Beside the checks of pairs (ice/prediction_probes.h): writes a check whose answer nobody waits for: what tells is
  // the check that it causes. Its size, or 0 when `out` is too small, `local` is the base of no candidate, or no peer
  // is known.
  size_t WriteProbe(const SocketAddress& local, std::span<uint8_t> out);

  // Outputs. `out` must hold 640 octets, or nothing is written.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;

  const Credentials& local_credentials() const;
  const std::vector<Candidate>& local_candidates() const;  // with priority and foundation
  Role role() const;
  State state() const;
  // Where data may go now: present from the first valid pair, absent when consent is gone (RFC 7675 §5.1).
  const std::optional<SelectedPair>& selected_pair() const;
  // Data may go there at this moment: consent has not run out since the last HandleTimeout.
  bool HasConsent(Timestamp now) const;
  // True for the addresses of a pair that passed a check: data is taken only from those (ATTACKS I2, I3). O(1).
  bool IsValidated(const SocketAddress& local, const SocketAddress& remote) const;
  // True once a check or response with valid integrity came from `remote` over `local`, of a pair that still exists: a
  // multiplexer may route by it, although nothing but STUN is taken before IsValidated. O(1).
  bool IsAuthenticated(const SocketAddress& local, const SocketAddress& remote) const;
  // True while a request of ours with this transaction waits for its answer. O(1).
  bool IsAwaiting(const stun::TransactionId& id) const;
  // True for a Binding request with our ufrag and valid integrity; of no effect. Who connects by TCP shows one first.
  bool IsAuthenticCheck(std::span<const uint8_t> datagram) const;
  const Metrics& metrics() const;
  std::vector<PairStats> pair_stats() const;
  // Of memory, but for events that nobody polled, answers that nobody sent, and what malloc adds. O(1).
  size_t held_octets() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
static_assert(SansIoCore<Agent>);

}  // namespace jsp::ice
