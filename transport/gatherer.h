#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "ice/candidate.h"
#include "stun/client.h"
#include "transport/local_address.h"
namespace jsp::transport {

struct GathererOptions {
  std::vector<SocketAddress> stun_servers;
  stun::RetransmitOptions retransmit;
  Duration timeout = std::chrono::seconds(3);                // for all servers together, from EndOfLocalAddresses
  Duration pacing_interval = std::chrono::milliseconds(50);  // RFC 8445 §14.2: Ta also spaces gathering transactions
  size_t max_local_addresses = 32;
  bool waits_for_relays = false;  // Complete comes no earlier than HandleRelaysSettled, or the timeout
  bool only_relays = false;       // RFC 8828 §5: no other candidates, and no traffic to find any
};

namespace gather_event {
struct CandidateGathered {
  ice::Candidate candidate;  // without priority and foundation, which the agent computes
};
struct Complete {};
}  // namespace gather_event

// Gathers candidates (RFC 8445 §5.1.1): a host candidate for each local address, and a server-reflexive one for each
// local address and STUN server that answers with another address than the base. Owns the Binding transactions; the
// driver owns sockets and name resolution, transport::Peer calls it.
class Gatherer {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = std::variant<gather_event::CandidateGathered, gather_event::Complete>;

  Gatherer(const GathererOptions& options, Rng& rng);

  // Ignored when it is no unicast address with a port, known already, or one too many.
  void AddLocalAddress(Timestamp now, const LocalAddress& address);
  void EndOfLocalAddresses(Timestamp now);
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

  bool is_complete() const { return phase_ == Phase::kComplete; }
  const stun::Client::Metrics& metrics() const { return client_.metrics(); }

 private:
  enum class Phase : uint8_t { kOpen, kWaitingForServers, kComplete };
  struct Query {
    LocalAddress local;
    SocketAddress server;
  };

  void StartQueries(Timestamp now);
  void TakeClientEvents();
  void HandleMapped(const SocketAddress& local, const SocketAddress& mapped, const SocketAddress& server);
  void MaybeComplete();

  GathererOptions options_;
  stun::Client client_;
  Phase phase_ = Phase::kOpen;
  std::vector<LocalAddress> locals_;
  std::vector<ice::Candidate> reflexive_;  // distinct ones, to drop repeats
  std::deque<Query> waiting_;
  size_t in_progress_ = 0;
  bool relays_settled_ = false;
  Timestamp next_start_;  // when the next query may start; Never: at once
  Timestamp deadline_;
  EventQueue<Event> events_;
};
static_assert(SansIoCore<Gatherer>);

}  // namespace jsp::transport
