#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "ice/candidate.h"
#include "transport/connection_race.h"
#include "transport/relay_options.h"
#include "turn/client.h"
namespace jsp::transport {

struct RelaySetOptions {
  std::vector<RelayServer> servers;  // the first kMaxRelays count
  stun::RetransmitOptions retransmit{};
  // RFC 8828 §5: a relayed candidate names the address that the server saw as its related address, unless that is
  // nobody's business.
  bool hide_mapped = false;
};

namespace relay_event {
// Open a connection to the server, then HandleConnected; or HandleConnectionFailed.
struct ConnectionWanted {
  RelayId id;
  RelayServer server;
};
struct ConnectionDone {
  RelayId id;
};
struct CandidateGathered {
  ice::Candidate candidate;
};
// The allocation went with the network or the connection that it was reached by, or the server took it back: nothing
// comes to this relayed address any more.
struct AddressLost {
  SocketAddress relayed;
};
// RFC 8445 §5.1.1.2: the server lacks resources for an allocation; a Binding request would still tell the mapped
// address.
struct Exhausted {
  SocketAddress server;
};
// Every server has given an address or a reason why not.
struct Settled {};
}  // namespace relay_event

// Why a server gave no address, for people.
struct RelayFailure {
  SocketAddress server;
  std::string reason;
};

// A server does not relay to that peer (RFC 8656 §10.2); 403 where its policy forbids it, as for private addresses.
struct RelayRefusal {
  SocketAddress server;
  IpAddress peer;
  uint16_t error_code;

  bool operator==(const RelayRefusal&) const = default;
};

// The relayed paths of one peer: a TURN client (RFC 8656) for each server, whose relayed addresses become candidates
// that look to ICE like addresses of this host. What ICE sends from such an address is wrapped for the server; what the
// server wraps comes out. Owns the clients; the driver owns the connections. transport::Peer calls it.
class RelaySet {
 public:
  static constexpr size_t kMaxRelays = 8;
  static constexpr size_t kMaxRefusals = 32;  // the first ones are told
  static constexpr size_t kMaxAddresses = 4;  // of one server: all tried within the first second

  struct Transmit {
    size_t size;
    RelayId relay;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = std::variant<relay_event::ConnectionWanted, relay_event::ConnectionDone, relay_event::CandidateGathered,
                             relay_event::AddressLost, relay_event::Exhausted, relay_event::Settled>;
  // A datagram of a peer, as if it had come to the relayed address itself.
  struct Received {
    SocketAddress relayed;
    SocketAddress peer;
    std::span<const uint8_t> data;  // a view into the message
  };
  struct Metrics {
    uint64_t datagrams_sent = 0;
    uint64_t datagrams_received = 0;
    uint64_t bytes_sent = 0;  // of peers' datagrams, without what the relay adds
    uint64_t bytes_received = 0;
    uint64_t dropped_unsendable = 0;  // refused by the server, or too much waits for a permission
    uint64_t dropped_unknown_connection = 0;
  };

  // `rng` must outlive the set.
  RelaySet(const RelaySetOptions& options, Rng& rng);

  // Asks for the first connections; Settled follows at once where there is no server.
  void Start(Timestamp now);
  // For another generation of ICE (RFC 8445 §9): servers that gave no address, or took it back, are asked again, and
  // those that are reached over UDP whether they still have the allocation; if not, or without an answer for 1.25 s,
  // another one takes its place. Settled follows, at once where there is nobody to ask.
  void Restart(Timestamp now);
  // `local`: the connection's address, which comes back in Transmit.
  void HandleConnected(Timestamp now, RelayId id, const SocketAddress& local);
  // It could not be opened, or is gone.
  void HandleConnectionFailed(Timestamp now, RelayId id, std::string reason);
  // This host lost that address: what it reached a server from is asked for anew, by whatever way there is now.
  void HandleAddressLost(Timestamp now, const IpAddress& local);
  // It has another address: servers that could not be reached, or kept, are tried again.
  void HandleAddressAdded(Timestamp now);
  // The session has a path: deletes every allocation but that of the relayed address `used` (RFC 8656 §8), whose
  // candidates go (RFC 8445 §8.3.1).
  void Release(Timestamp now, const SocketAddress& used);
  // It has no path any more: asks again for what was released, and servers that had given no address.
  void Reclaim(Timestamp now);
  // Gathering is over: what has no address by now is given up.
  void GiveUpUnsettled(Timestamp now);
  // Deletes the allocations (RFC 8656 §8): a last request each is to be polled.
  void Close(Timestamp now);

  // A datagram, or one whole message of a stream (turn/stream_framer.h).
  std::optional<Received> HandleMessage(Timestamp now, RelayId id, const SocketAddress& remote,
                                        std::span<const uint8_t> message);
  void HandleTimeout(Timestamp now);
  // Wraps what is to go from a relayed address to a peer. nullopt: it waits for the server and comes from PollTransmit,
  // or it was dropped and counted. `out` has data.size() + turn::Client::kMaxOverhead octets.
  std::optional<Transmit> Send(Timestamp now, const SocketAddress& relayed, const SocketAddress& peer,
                               std::span<const uint8_t> data, std::span<uint8_t> out);
  // Requests, and what waited. nullopt also when `out` is too small.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;

  // Gives back memory that only gathering needed.
  void Trim() { events_.Trim(); }
  bool empty() const { return relays_.empty(); }
  size_t held_octets() const { return relays_.capacity() * sizeof(Relay); }
  bool is_settled() const;
  bool IsRelayed(const SocketAddress& local) const { return FindByRelayed(local) != nullptr; }
  // The UDP connection whose socket is `local`.
  std::optional<RelayId> FindUdp(const SocketAddress& local) const;
  // How the relay behind a relayed address is reached.
  std::optional<turn::ControlTransport> TransportOf(const SocketAddress& relayed) const;
  const std::vector<RelayFailure>& failures() const { return failures_; }
  const std::vector<RelayRefusal>& refusals() const { return refusals_; }
  const Metrics& metrics() const { return metrics_; }

 private:
  struct Relay {
    enum class State : uint8_t { kWaiting, kConnecting, kAllocating, kAllocated, kEnded };
    RelayId id;
    size_t group;
    RelayServer server;
    std::optional<turn::Client> client{};  // from the first connection on
    SocketAddress local{};
    State state = State::kWaiting;
    // Allocated, and asked for a sign of life: until then one may come.
    Timestamp check_until{};
    std::vector<SocketAddress> relayed{};  // what became a candidate, until it is lost
    bool is_released = false;              // its allocation is being deleted, or was
  };
  // The addresses of one server, of which one relay is wanted.
  struct Group {
    ConnectionRace race;
    size_t first;  // of its relays
  };

  Relay* Find(RelayId id);
  const Relay* FindByRelayed(const SocketAddress& address) const;
  Relay* FindByRelayed(const SocketAddress& address) {
    return const_cast<Relay*>(std::as_const(*this).FindByRelayed(address));
  }
  void Want(Relay& relay);
  void AskAgain(Timestamp now, bool (*is_idle)(const Relay& relay));
  void LoseAddresses(Relay& relay);
  void LoseConnection(Relay& relay);
  void CheckAllocation(Timestamp now, Relay& relay);
  void Replace(Relay& relay);
  void FinishRelease(Relay& relay);
  void AdvanceRaces(Timestamp now);
  // The server answers at this address: no other is tried.
  void HandleReached(const Relay& relay);
  void GiveUp(Relay& relay, std::string reason);
  void End(Timestamp now, Relay& relay, std::string reason);
  void NoteRefusal(const Relay& relay, const IpAddress& peer, uint16_t error_code);
  void TakeEvents(Timestamp now, Relay& relay);
  void HandleEvent(Timestamp now, Relay& relay, const turn::ClientEvent& event);
  void AddCandidate(Relay& relay, const std::optional<SocketAddress>& relayed, const SocketAddress& mapped);
  void MaybeSettle();

  RelaySetOptions options_;
  Rng* rng_;
  std::vector<Relay> relays_;  // all that there will ever be, those of a group together
  std::vector<Group> groups_;
  std::vector<RelayFailure> failures_;
  std::vector<RelayRefusal> refusals_;
  EventQueue<Event> events_;
  Metrics metrics_;
  uint32_t next_id_ = 1;
  bool settled_ = false;
  bool started_ = false;
};
static_assert(SansIoCore<RelaySet>);

}  // namespace jsp::transport
