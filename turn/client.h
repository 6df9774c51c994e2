#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/long_term_client.h"
#include "stun/message_view.h"
#include "turn/allocation.h"
#include "turn/channel_table.h"
#include "turn/client_events.h"
#include "turn/client_options.h"
#include "turn/permission_table.h"
#include "turn/transaction_table.h"
namespace jsp::turn {

// Why Send() sent nothing.
enum class SendError : uint8_t {
  kNotAllocated,  // not yet, or not any more, or the allocation is one of RFC 6062
  kWrongFamily,   // no relayed address of the peer's family
  kRefused,       // the server refused this peer a moment ago
  kTooManyPeers,  // max_permissions
  kQueueFull,     // max_queued datagrams wait already
  kTooLong,       // more than a message can hold
  kSmallBuffer,   // `out` is smaller than SendSize() says
};
enum class ConnectError : uint8_t { kNotAllocated, kNotTcp, kWrongFamily, kAlreadyConnecting, kTooSoon, kTooMany };
enum class MoveError : uint8_t { kNotAllocated, kNoTicket, kAlreadyMoving };

// What was not acted upon; every message counts at most once.
enum class ClientDrop : uint8_t {
  kUnparsable,          // no message, or one that is shorter than it says
  kWrongAddress,        // not from the server, or not where we asked
  kUnknownTransaction,  // an answer to nothing
  kBadFingerprint,
  kBadIntegrity,       // RFC 8489 §9.2.5: "MUST be discarded, as if it had never been received"
  kUnexpected,         // a request, or an indication of another method
  kMalformed,          // an indication without what it must have (RFC 8656 §11.4)
  kNoPermission,       // data from a peer that was never permitted (RFC 8656 §11.4)
  kUnknownChannel,     // RFC 8656 §12.6
  kQueuedDataDropped,  // ours: the peer was refused, or the allocation went, while data waited
  kTooManyConnections,
  kCount
};

// A TURN client (RFC 8656, RFC 6062, RFC 8016): one allocation on one server, with its permissions, channels and
// connections. Owns their state and what waits for a permission; not the socket, nor, for RFC 6062, the data
// connections. transport/'s gatherer and `jsp` drive it.
//
// Over a stream the owner cuts what arrives into messages (stream_framer.h); HandleDatagram takes one message, and
// PollTransmit gives one.
class Client {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;   // the socket or connection to send from
    SocketAddress remote;  // the server
  };
  using Event = ClientEvent;
  struct Received {
    SocketAddress peer;
    std::span<const uint8_t> data;  // a view into the datagram
  };
  struct Handled {
    bool mine = false;             // it came from the server, so that nobody else need look at it
    std::optional<Received> data;  // of a permitted peer
  };
  struct Metrics {
    uint64_t requests_sent = 0;  // retransmissions included
    uint64_t data_sent = 0;
    uint64_t data_received = 0;
    std::array<uint64_t, static_cast<size_t>(ClientDrop::kCount)> dropped{};
  };

  // A PollTransmit buffer of this size takes any request of ours; data may need more.
  static constexpr size_t kMaxRequest = 4096;
  // Octets that Send() adds at most: a Send indication to an IPv6 peer with DONT-FRAGMENT and padding.
  static constexpr size_t kMaxOverhead = 20 + 24 + 4 + 4 + 3;

  // `rng` must outlive the client. Bad options make Start() fail with an event.
  Client(const ClientOptions& options, Rng& rng);

  // Sends the Allocate request. Over a stream: when the connection is there.
  void Start(Timestamp now);
  // After NeedsNewPort, or after Redirected over a stream: once more, from there. Ignored otherwise.
  void Restart(Timestamp now, const SocketAddress& local);
  // Deletes the allocation (RFC 8656 §8): Closed follows. Legal in every state.
  void Close(Timestamp now);

  // Asks whether the server still has the allocation, beside the refreshes that are due (RFC 8656 §7.1): AllocationLost
  // when it has not. Nothing without one.
  void Refresh(Timestamp now);
  // The server has not answered to that yet.
  bool is_refreshing() const { return transactions_.Has(RequestKind::kRefresh); }

  // Asks for a permission, and keeps it (RFC 8656 §9). The port does not matter.
  Expected<void, SendError> AddPermission(Timestamp now, const IpAddress& peer);
  // Asks for a channel, and keeps it (RFC 8656 §12); its permission comes with it.
  Expected<void, SendError> BindChannel(Timestamp now, const SocketAddress& peer);
  // Lets the peer's channel and permission expire.
  void Forget(Timestamp now, const SocketAddress& peer);

  // Data for a peer. Returns the octets written into `out`, one message for the server, to be sent from
  // Transmit::local() to the server now; or 0: the data was copied, and leaves through PollTransmit behind the request
  // that it waits for. `out` has data.size() + kMaxOverhead octets. Sends data on the channel where there is one, else
  // in a Send indication; asks for what is missing.
  Expected<size_t, SendError> Send(Timestamp now, const SocketAddress& peer, std::span<const uint8_t> data,
                                   std::span<uint8_t> out);

  // RFC 6062 §4.3: asks the server to connect to a peer. ConnectionPending or ConnectFailed follows.
  Expected<void, ConnectError> Connect(Timestamp now, const SocketAddress& peer);
  // RFC 6062 §4.3, §4.4: the owner's new connection `local` to the server shall be that of `connection`. The request
  // comes from PollTransmit with that `local`, and its answer arrives there.
  void BindConnection(Timestamp now, ConnectionId connection, const SocketAddress& local);
  // A data connection, bound or not, is gone.
  void HandleConnectionClosed(ConnectionId connection);

  // RFC 8016 §3.2: the allocation shall follow to another local address. Data uses the old one until Moved.
  Expected<void, MoveError> Move(Timestamp now, const SocketAddress& local);

  Handled HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                         std::span<const uint8_t> datagram);
  // The stream closed, or the system reported a hard error for the server's address.
  void HandleTransportFailed(Timestamp now);
  void HandleTimeout(Timestamp now);
  // nullopt also when `out` is too small; nothing is lost then.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;

  bool is_allocated() const { return state_ == State::kAllocated; }
  const std::optional<Allocation>& allocation() const { return allocation_; }
  // Where requests and data are sent from, and to; a redirect and a move change them.
  const SocketAddress& local() const { return options_.local; }
  const SocketAddress& server() const { return options_.server; }
  // For the next client of the same server.
  const std::optional<stun::LongTermChallenge>& challenge() const { return credentials_.challenge(); }
  const Metrics& metrics() const { return metrics_; }
  uint64_t dropped(ClientDrop reason) const { return metrics_.dropped[static_cast<size_t>(reason)]; }

 private:
  enum class State : uint8_t {
    kIdle,
    kAllocating,
    kWaitingForOwner,  // for Restart()
    kAllocated,
    kClosing,   // the Refresh with lifetime 0, or the Allocate that it has to wait for, is under way
    kDeleting,  // as kEnded, but for a last Refresh with lifetime 0 that nobody waits for
    kEnded,
  };
  // What was tried to get an allocation.
  struct Attempts {
    uint32_t ports = 1;
    bool redirected = false;
    bool without_dont_fragment = false;
  };
  struct Queued {
    SocketAddress peer;
    std::vector<uint8_t> data;
  };
  // RFC 6062 §4: a connection with a peer that the server holds, or is about to.
  struct PeerConnection {
    enum class State : uint8_t { kConnecting, kPending, kBinding, kBound, kFailed };
    SocketAddress peer;
    State state;
    ConnectionId id{};
    Timestamp until{};  // pending: the server gives it up; failed: may be tried again; else Never
  };

  void Advance(Timestamp now);
  void Drop(ClientDrop reason) { ++metrics_.dropped[static_cast<size_t>(reason)]; }
  Transaction& StartRequest(RequestKind kind, const SocketAddress& peer, uint32_t number);

  // client_data.cc
  std::optional<SendError> CannotReach(const IpAddress& peer) const;
  bool StartPermission(const IpAddress& peer);
  bool StartChannel(const SocketAddress& peer);
  // How data for a peer may go now.
  enum class Path : uint8_t { kChannel, kIndication, kWait, kRefused, kNone };
  Path PathTo(const SocketAddress& peer);
  size_t WriteData(Path path, const SocketAddress& peer, std::span<const uint8_t> data, std::span<uint8_t> out);
  std::optional<Transmit> PollQueued(std::span<uint8_t> out);
  std::optional<Received> HandleChannelData(std::span<const uint8_t> message);
  std::optional<Received> HandleIndication(const stun::MessageView& message);
  std::optional<Received> HandleDataIndication(const stun::MessageView& message);
  void HandleConnectionAttempt(const stun::MessageView& message);

  // client_requests.cc
  std::span<const uint8_t> BuildRequest(const Transaction& transaction, std::span<uint8_t> out) const;
  void AddAllocateAttributes(stun::MessageBuilder& request) const;
  void HandleTimedOut(const Transaction& transaction);
  PeerConnection* FindConnection(ConnectionId id);
  void ExpireConnections();

  // client_responses.cc
  void HandleResponse(const SocketAddress& local, const stun::MessageView& response);
  bool IsAuthentic(Transaction& transaction, const stun::MessageView& response, uint16_t code);
  bool HandleChallenge(Transaction& transaction, const stun::MessageView& response, uint16_t code);
  void HandleSuccess(const Transaction& transaction, const stun::MessageView& response);
  void HandleError(const Transaction& transaction, const stun::MessageView& response, uint16_t code);
  void HandleAllocated(const stun::MessageView& response);
  void HandleAllocateError(const stun::MessageView& response, uint16_t code);
  void HandleRedirect(const stun::MessageView& response);
  void HandleMoved(const Transaction& transaction, const stun::MessageView& response);
  void HandleRefused(const Transaction& transaction, uint16_t code);
  void FailAllocation(AllocationFailure reason, uint16_t code, std::string_view detail);
  void LoseAllocation(AllocationFailure reason, uint16_t code);
  void DeleteAllocation();
  void FinishDeletion();
  void ForgetAllocation();

  ClientOptions options_;
  Rng* rng_;
  Timestamp now_;  // of the latest input
  State state_ = State::kIdle;
  Attempts attempts_;
  stun::LongTermClient credentials_;
  TransactionTable transactions_;
  std::optional<Allocation> allocation_;
  PermissionTable permissions_;
  ChannelTable channels_;
  std::vector<PeerConnection> connections_;
  std::vector<Queued> queued_;  // data that waits for a request to leave or to succeed
  EventQueue<Event> events_;
  Metrics metrics_;
};
static_assert(SansIoCore<Client>);

}  // namespace jsp::turn
