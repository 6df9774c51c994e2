#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "ice/candidate.h"
#include "ice/candidate_filter.h"
#include "ice/prediction.h"
#include "stun/client.h"
#include "transport/local_address.h"
namespace jsp::transport {

struct GathererOptions {
  std::vector<SocketAddress> stun_servers;
  stun::RetransmitOptions retransmit;
  Duration timeout = std::chrono::seconds(3);                // for all servers together, from EndOfLocalAddresses
  Duration pacing_interval = std::chrono::milliseconds(50);  // RFC 8445 §14.2: Ta also spaces gathering transactions
  size_t max_local_addresses = 32;
  // RFC 8445 §5.1.1.4, RFC 8445 §11: reflexive candidates are kept alive this often until Conclude().
  Duration keepalive_interval = std::chrono::seconds(15);
  // Of mappings behind NATs with sequential ports. Where there is one server only, and it says that it listens at a
  // second port (RFC 5780 §7.4), that one is asked, too: a NAT is known by two mappings.
  ice::PredictionOptions prediction;
  bool waits_for_relays = false;  // Complete comes no earlier than HandleRelaysSettled, or the timeout
  ice::CandidateFilter filter{};  // of what is found; nothing is asked for what it would not admit
  bool only_relays = false;       // RFC 8828 §5: no other candidates, and no traffic to find any
};

namespace gather_event {
struct CandidateGathered {
  ice::Candidate candidate;  // without priority, and most without foundation, which the agent computes
};
struct Complete {};
}  // namespace gather_event

// Gathers candidates (RFC 8445 §5.1.1): a host candidate for each local address, and a server-reflexive one for each
// local address and STUN server that answers with another address than the base, and keeps the bindings of those alive
// until ICE has concluded. Addresses may come and go at any time; Restart() gathers anew for another generation. Owns
// the Binding transactions; the driver owns sockets and name resolution, transport::Peer calls it.
class Gatherer {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = std::variant<gather_event::CandidateGathered, gather_event::Complete>;

  Gatherer(const GathererOptions& options, Rng& rng);

  // Ignored when it is no unicast address with a port, not admitted, known already, or one too many. Also after
  // Complete.
  void AddLocalAddress(Timestamp now, const LocalAddress& address);
  void EndOfLocalAddresses(Timestamp now);
  // The filter lets candidates be found there.
  bool Admits(const LocalAddress& address) const;
  // Its interface is gone, or has another address.
  void RemoveLocalAddress(const SocketAddress& address);
  // RFC 8445 §5.1.1.2: a TURN server that lacks resources may still tell the mapped address.
  void AddServer(Timestamp now, const SocketAddress& server);
  // Asks every server again: mappings may have moved. Complete follows, as at first.
  void Restart(Timestamp now);
  // Goes on, though it was complete, for what was added since. Complete follows.
  void Reopen(Timestamp now);
  // The session has a path: bindings of other bases than `used` are not kept any more, which frees their candidates
  // (RFC 8445 §8.3.1), and what queries left is forgotten.
  void Conclude(std::span<const SocketAddress> used);
  // It has none any more: after Conclude() every server is asked again, beside Complete.
  void Resume(Timestamp now);
  // A gateway maps `external` to `local` (RFC 6887 §11): one more reflexive candidate. Of no effect once gathering
  // ended.
  void HandlePortMapped(const SocketAddress& local, const SocketAddress& external, const SocketAddress& gateway);
  // Complete comes no earlier than HandlePortMappingsSettled, or the timeout.
  void AwaitPortMappings() { awaits_port_mappings_ = true; }
  void HandlePortMappingsSettled();
  // RelaySet has an address, or a reason for none, of every TURN server.
  void HandleRelaysSettled();

  // True when the datagram was an answer to one of ours.
  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  // A server that the network reports as unreachable does not delay the end of gathering (RFC 8489 §6.3.4).
  void HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server);
  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;

  // Gives back memory that only gathering needed; it can begin again.
  void Trim();
  bool is_complete() const { return phase_ == Phase::kComplete; }
  const std::vector<LocalAddress>& local_addresses() const { return locals_; }
  const stun::Client::Metrics& metrics() const { return client_.metrics(); }
  size_t held_octets() const;

 private:
  enum class Phase : uint8_t { kOpen, kWaitingForServers, kComplete };
  struct Query {
    SocketAddress local;
    SocketAddress server;
    bool operator==(const Query&) const = default;
  };
  // In the order of sending, which is that of the NAT's mappings.
  struct Asked {
    Query query;
    std::optional<SocketAddress> mapped{};
  };
  // A mapping that a server told.
  struct Binding {
    Query query;
    Timestamp refresh_at;
    std::optional<stun::RequestHandle> refresh{};  // the latest
  };

  void Ask(const LocalAddress& local);
  void StartQueries(Timestamp now);
  void RefreshBindings(Timestamp now);
  void NoteBinding(Timestamp now, const Query& query);
  template <class IsOver>
  void ForgetBindings(IsOver&& is_over);
  void TakeClientEvents(Timestamp now);
  void HandleAnswer(Timestamp now, const stun::event::BindingSucceeded& answer);
  bool IsSecondPort(const SocketAddress& server) const;
  void Predict(const SocketAddress& local);
  void HandleMapped(const SocketAddress& local, const SocketAddress& mapped, const SocketAddress& server);
  std::optional<ice::Candidate> MakeReflexive(const SocketAddress& local, const SocketAddress& mapped) const;
  void Announce(ice::Candidate candidate);
  void MaybeComplete();

  GathererOptions options_;
  stun::Client client_;
  Phase phase_ = Phase::kOpen;
  std::vector<LocalAddress> locals_;
  std::vector<ice::Candidate> reflexive_;  // distinct ones, to drop repeats
  std::vector<Query> waiting_;
  std::vector<Asked> asked_;
  std::vector<Query> in_progress_;
  std::vector<Binding> bindings_;  // those that are kept alive
  bool is_concluded_ = false;
  bool relays_settled_ = false;
  bool awaits_port_mappings_ = false;
  Timestamp next_start_;  // when the next query may start; Never: at once
  Timestamp deadline_;
  EventQueue<Event> events_;
};
static_assert(SansIoCore<Gatherer>);

}  // namespace jsp::transport
