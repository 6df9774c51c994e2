#pragma once
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/long_term_server.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "turn/server/allocation_table.h"
#include "turn/server/connection_table.h"
#include "turn/server/metrics.h"
#include "turn/server/options.h"
#include "turn/server/relay_table.h"
#include "turn/server/shared_state.h"
namespace jsp::turn {

// Datagrams of one size, one behind the other, as UDP_GRO delivers them; the last may be shorter. A single datagram,
// also an empty one, is a train with segment_size 0.
struct Train {
  std::span<const uint8_t> octets;
  size_t segment_size = 0;
};

// One outgoing datagram, or message of a stream, as a list to be gathered: `prefix`, the payload, `padding` zeros. The
// payload is a view into the train.
struct Segment {
  static constexpr size_t kMaxPrefix = 48;  // a Data indication's header, XOR-PEER-ADDRESS of IPv6, DATA's header
  std::array<uint8_t, kMaxPrefix> prefix;
  uint8_t prefix_size = 0;
  uint8_t padding = 0;
  std::span<const uint8_t> payload;
  size_t size() const { return prefix_size + payload.size() + padding; }
};

// A TURN server (RFC 8656, RFC 6062, RFC 8016): who may relay what to whom. Owns allocations, permissions, channels and
// quotas; not one socket. The owner reads listeners and relay sockets, hands over what arrives, and sends what comes
// back; it opens and closes relay sockets when events say so. Nothing is kept for a client that has not authenticated.
//
// The data path allocates nothing and copies no payload. A train from a client or a peer is taken in runs: each call
// takes a run of datagrams with one destination, one look-up for all of them, and returns where it goes and a Segment
// for each. Since a run's segments are equally long, but for the last, the owner sends it as one GSO datagram.
//
//     while (true) {
//       const auto run = server.HandleFromClient(now, path, train, segments);
//       if (run.to_peer) SendTo(run.to_peer->relay, run.to_peer->peer, segments.first(run.segments));
//       if (run.consumed >= train.octets.size()) break;
//       train.octets = train.octets.subspan(run.consumed);
//     }
class Server {
 public:
  struct Transmit {
    size_t size;
    ClientPath path;
  };
  // Open a socket on that address and say HandleRelayOpened or HandleRelayFailed; a TCP relay listens at once
  // (RFC 6062 §5.1).
  struct OpenRelay {
    RelayHandle relay;
    SocketAddress address;
    RelayProtocol protocol;
  };
  // Read that UDP relay from now on, and throw away what came before: there is a permission for the first time
  // (RFC 8656 §9). Most allocations are never used; until here, one needs no more than its port.
  struct ReadRelay {
    RelayHandle relay;
  };
  struct CloseRelay {
    RelayHandle relay;
  };
  // RFC 6062 §5.2: connect from the relay's address to the peer; HandlePeerConnected or HandlePeerFailed follows.
  struct ConnectPeer {
    RelayHandle relay;
    ConnectionId connection;
    SocketAddress peer;
  };
  // RFC 6062 §5.4: from now on the octets of `client` and those of the peer's connection go from one to the other,
  // first those that the peer has sent already. The success response to `client` is in PollTransmit: send it before
  // them.
  struct Splice {
    ConnectionId connection;
    ClientPath client;
  };
  // RFC 6062 §5.5: close the peer's connection, and the client's data connection if there is one.
  struct CloseConnection {
    ConnectionId connection;
    std::optional<ClientPath> client;
  };
  using Event = std::variant<OpenRelay, ReadRelay, CloseRelay, ConnectPeer, Splice, CloseConnection>;

  struct ToPeer {
    RelayHandle relay;
    SocketAddress peer;
    bool dont_fragment = false;  // set DF (RFC 8656 §14)
  };
  struct FromClient {
    size_t consumed = 0;  // octets of the train; all of it, at least one datagram
    size_t segments = 0;  // of `out`
    std::optional<ToPeer> to_peer;
    bool is_binding = false;  // the datagram is a Binding message: hand it to stun::Server
    // It names what another worker has (SharedState): hand it, as it is, to that one's HandleFromClient, and from then
    // on whatever else comes over this path.
    std::optional<WorkerIndex> worker{};
  };
  struct FromPeer {
    size_t consumed = 0;
    size_t segments = 0;
    std::optional<ClientPath> to_client;
  };

  // `rng` must outlive the server.
  Server(const ServerOptions& options, Rng& rng);
  // One of several that are one server to their clients. Each has its own part of the relay ports.
  Server(const ServerOptions& options, Rng& rng, std::shared_ptr<SharedState> shared, WorkerIndex worker);

  // Unix time at `now`, for ephemeral credentials: at the start, and whenever the owner's two clocks have drifted
  // apart.
  void SetUnixTime(Timestamp now, uint64_t seconds);
  // New users and secrets (a reload). Allocations of users who are gone live until they expire.
  void SetCredentials(Credentials credentials) { options_.credentials = std::move(credentials); }
  // From now on Allocate is answered with 300 and this server (RFC 8489 §10), or with 508 where it has no address of
  // the client's family: for a drain.
  void StopAllocating(std::vector<SocketAddress> alternates);

  // What came to a listener. Over a stream: one message (stream_framer.h), a train of one.
  FromClient HandleFromClient(Timestamp now, const ClientPath& path, Train train, std::span<Segment> out);
  // What came to a relay socket.
  FromPeer HandleFromPeer(Timestamp now, RelayHandle relay, const SocketAddress& peer, Train train,
                          std::span<Segment> out);
  // ICMP that came back for a datagram of `relay` to `peer`; its port is 0 if it is not known (RFC 8656 §11.5).
  void HandleIcmp(Timestamp now, RelayHandle relay, const SocketAddress& peer, const Icmp& icmp);

  void HandleRelayOpened(Timestamp now, RelayHandle relay);
  // Another port is tried, a few times; then the client gets 508. One that was open is lost, and with it its part of
  // the allocation.
  void HandleRelayFailed(Timestamp now, RelayHandle relay);
  // A client's stream is gone, and its allocation or its data connection with it.
  void HandleClientClosed(Timestamp now, const ClientPath& path);

  // RFC 6062 §5.2, §5.3.
  void HandlePeerConnected(Timestamp now, ConnectionId connection);
  void HandlePeerFailed(Timestamp now, ConnectionId connection);
  // A peer has connected to a TCP relay. nullopt: close it at once.
  std::optional<ConnectionId> HandlePeerAccepted(Timestamp now, RelayHandle relay, const SocketAddress& peer);
  void HandlePeerClosed(Timestamp now, ConnectionId connection);

  void HandleTimeout(Timestamp now);
  // nullopt also when `out` is smaller than kMaxResponse.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;
  static constexpr size_t kMaxResponse = 640;

  // Whether that is the client of an allocation, or of a data connection: the owner keeps its stream.
  bool IsServed(const ClientPath& path) const {
    return allocations_.Find(path).has_value() || connections_.FindByClient(path).has_value();
  }
  size_t allocations() const { return allocations_.size(); }
  const ServerMetrics& metrics() const { return metrics_; }
  uint64_t dropped(ServerDrop reason) const { return metrics_.dropped[static_cast<size_t>(reason)]; }

 private:
  struct Response {
    ClientPath path;
    uint16_t size = 0;
    std::array<uint8_t, kMaxResponse> octets;
  };
  // A request on its way through the checks.
  struct Request {
    const ClientPath& path;
    const stun::MessageView& message;
    FromClient& run;
    std::optional<uint32_t> allocation;  // of the path, active
    stun::LongTermKeys keys{};
    stun::LongTermKey key{};  // protects the response
    std::string_view username{};
  };
  struct Reservation {
    RelayHandle relay;
    Timestamp expires;
  };

  void Advance(Timestamp now);
  void Drop(ServerDrop reason, size_t count = 1) { metrics_.dropped[static_cast<size_t>(reason)] += count; }

  // server.cc
  FromClient HandleChannelTrain(const ClientPath& path, const Train& train, std::span<Segment> out);
  void HandleStun(const ClientPath& path, std::span<const uint8_t> datagram, std::span<Segment> out, FromClient& run);
  void HandleSend(const ClientPath& path, const stun::MessageView& message, std::span<Segment> out, FromClient& run);
  ServerAllocation* FindForData(const ClientPath& path);
  bool IsOwnListener(const SocketAddress& peer, RelayProtocol protocol) const;
  bool IsRelay(const ClientPath& path) const;
  bool MayReach(const SocketAddress& peer, RelayProtocol protocol) const;
  bool MayPermit(const IpAddress& peer) const;
  ControlTransport TransportOf(ListenerId id) const;
  void SendIndication(const ClientPath& path, stun::Method method, const SocketAddress& peer,
                      const std::variant<Icmp, ConnectionId>& what);

  // server_requests.cc
  void HandleRequest(const ClientPath& path, const stun::MessageView& message, FromClient& run);
  void HandleAuthenticated(Request& request);
  Expected<void, uint16_t> Authenticate(Request& request, const stun::LongTermServer::Claim& claim);
  bool HandOver(Request& request, WorkerIndex worker);
  void Challenge(const ClientPath& path, const stun::MessageView& message, uint16_t code);
  bool RefuseUnknown(const Request& request);
  // A response with integrity, and what `compose` adds.
  struct Reply {
    const ClientPath& path;
    stun::MessageType type;
    const stun::TransactionId& id;
    const stun::LongTermKey& key;
    bool with_fingerprint;
  };
  Reply ReplyTo(const Request& request, stun::MessageClass message_class) const;
  template <class Compose>
  void Send(const Reply& reply, Compose&& compose);
  void Succeed(const Request& request);
  void Refuse(const Request& request, uint16_t code);
  void HandleRefresh(const Request& request);
  void HandleMove(Request& request, std::span<const uint8_t> ticket);
  void HandleCreatePermission(const Request& request);
  void MaybeReadRelay(ServerAllocation& record, const IpAddress& peer);
  void HandleChannelBind(const Request& request);
  static constexpr size_t kTicketSize = 29;
  struct Ticket {
    uint32_t index = 0;
    uint32_t generation = 0;
    uint32_t number = 0;
    WorkerIndex worker;
  };
  std::array<uint8_t, kTicketSize> MakeTicket(const Ticket& ticket) const;
  uint32_t LifetimeFor(const stun::MessageView& message) const;
  void SetLifetime(uint32_t index, std::optional<AddressFamily> family, uint32_t seconds);

  // server_allocate.cc
  void HandleAllocate(Request& request);
  std::optional<uint16_t> CheckAllocate(const Request& request) const;
  std::optional<uint16_t> CheckTcpAllocate(const Request& request) const;
  std::optional<uint16_t> StartRelays(uint32_t index, const Request& request);
  bool OpenRelayOf(uint32_t index, size_t family);
  const IpAddress* RelayAddressOf(AddressFamily family) const;
  void FinishAllocate(uint32_t index);
  void FailAllocate(uint32_t index, uint16_t code);
  void RespondAllocated(uint32_t index);
  void CloseRelayOf(RelayHandle& relay);
  void CloseFamily(uint32_t index, size_t family);
  void LoseRelay(uint32_t index, size_t family);
  void RemoveAllocation(uint32_t index);
  void ExpireReservations();
  void ExpireAllocation(uint32_t index);

  // server_tcp.cc
  void HandleConnect(const Request& request);
  void AnswerConnect(const RelayedConnection& connection, std::variant<ConnectionId, uint16_t> answer);
  void HandleConnectionBind(Request& request);
  void RemoveConnection(ConnectionId id);
  void ExpireConnections();

  ServerOptions options_;
  Rng* rng_;
  Timestamp now_;
  uint64_t unix_at_epoch_ = 0;
  std::shared_ptr<SharedState> shared_;
  WorkerIndex worker_;
  stun::LongTermServer authentication_;
  AllocationTable allocations_;
  RelayTable relays_;
  ConnectionTable connections_;
  std::vector<std::pair<ReservationToken, Reservation>> reservations_;
  std::optional<std::vector<SocketAddress>> alternates_;
  EventQueue<Response> responses_;
  EventQueue<Event> events_;
  ServerMetrics metrics_;
};
static_assert(SansIoCore<Server>);

}  // namespace jsp::turn
