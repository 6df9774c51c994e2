#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/message_view.h"
#include "stun/retransmit_schedule.h"
#include "stun/rto_cache.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

enum class RequestFailure : uint8_t {
  kTimeout,
  kErrorResponse,
  kMalformedResponse,
  kUnknownRequiredAttribute,
  kUnreachable,
  kChangeIgnored,  // CHANGE-REQUEST or RESPONSE-PORT: the server answered, but not from or to where it was asked to
};

struct ClientOptions {
  RetransmitOptions retransmit{};
  size_t max_transactions = 64;  // more are refused by StartBinding
  // SOFTWARE attribute; empty, or not sendable by RFC 8489 §14.14: none.
  std::string software{};
  // RFC 8489 §6.2: "a client SHOULD limit itself to ten outstanding transactions to the same server"; more wait.
  size_t max_transactions_per_server = 10;
};
enum class StartError : uint8_t { kTooManyTransactions };

// Names one request of a Client; never 0.
struct RequestHandle {
  uint32_t value = 0;
  bool operator==(const RequestHandle&) const = default;
};

// What a request of NAT behaviour discovery asks for besides (RFC 5780 §7).
struct BehaviorRequest {
  uint32_t change = 0;          // CHANGE-REQUEST: kChangeIp, kChangePort (change_request.h); 0: none
  SocketAddress answer_from{};  // where the answer must come from: the server, changed as asked
  uint16_t response_port = 0;   // RESPONSE-PORT; 0: none
  SocketAddress answer_to{};    // the socket of ours where the answer must arrive
  RetransmitOptions retransmit{};
};

namespace event {
struct BindingSucceeded {
  RequestHandle request;
  SocketAddress local;  // as given to StartBinding
  SocketAddress server;
  SocketAddress mapped;
  Duration rtt;                                    // since the last sending; ambiguous when there was more than one
  std::string software;                            // of the server, empty when it did not say
  std::optional<SocketAddress> other_address{};    // RFC 5780 §7.4
  std::optional<SocketAddress> response_origin{};  // RFC 5780 §7.3
};
struct BindingFailed {
  RequestHandle request;
  SocketAddress local;
  SocketAddress server;
  RequestFailure reason;
  uint16_t error_code;  // with kErrorResponse, else 0
  std::string detail;
};
}  // namespace event

// Binding requests to STUN servers (RFC 8489 §6): transaction matching by id *and* server address, retransmission,
// failure. Without credentials, and without ALTERNATE-SERVER: a 300 is a failure. Owns its transactions, not the
// sockets; the gatherer and `jsp stun` drive it.
class Client {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = std::variant<event::BindingSucceeded, event::BindingFailed>;
  // Every datagram counts at most once. Those that HandleDatagram did not claim may well be somebody else's.
  struct Metrics {
    uint64_t requests_sent = 0;
    uint64_t dropped_unparsable = 0;
    uint64_t dropped_unknown_transaction = 0;
    uint64_t dropped_wrong_address = 0;
    uint64_t dropped_bad_fingerprint = 0;
  };

  // `rng` must outlive the client.
  Client(const ClientOptions& options, Rng& rng);

  // `local` is opaque to the client: the socket to send from; it comes back in Transmit and events.
  Expected<RequestHandle, StartError> StartBinding(Timestamp now, const SocketAddress& local,
                                                   const SocketAddress& server);
  // The same with the attributes of RFC 5780; its own retransmissions, as the answer may well be one that never comes.
  Expected<RequestHandle, StartError> StartBinding(Timestamp now, const SocketAddress& local,
                                                   const SocketAddress& server, const BehaviorRequest& behavior);
  // Forgets a request, without an event. An unknown or finished one is ignored.
  void Cancel(RequestHandle request);

  // True when the datagram was a response to one of ours (whatever its fate), so that nobody else need look at it.
  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  // The system reported a hard ICMP error for what was sent from `local` to `server`: those requests fail
  // (RFC 8489 §6.2.1).
  void HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server);
  void HandleTimeout(Timestamp now);
  // nullopt also when `out` is too small for a request (36 octets and the SOFTWARE attribute); nothing is lost then.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  // Gives back what a burst took.
  void Trim() {
    events_.Trim();
    to_send_.Trim();
  }
  [[nodiscard]] Timestamp NextTimeout() const;
  const Metrics& metrics() const { return metrics_; }
  // Requests without an outcome yet.
  size_t transactions() const { return transactions_.size(); }

 private:
  enum class Phase : uint8_t { kWaiting, kToSend, kSent };  // waiting: for one of the server's ten places
  struct Transaction {
    RequestHandle handle;
    SocketAddress local;
    SocketAddress server;
    TransactionId id;
    RetransmitSchedule schedule;
    Timestamp last_sent;
    Phase phase;
    std::optional<BehaviorRequest> behavior;
  };

  Expected<RequestHandle, StartError> Start(const SocketAddress& local, const SocketAddress& server,
                                            const RetransmitOptions& retransmit,
                                            const std::optional<BehaviorRequest>& behavior);
  // Whether a response with its id may come this way.
  static bool MayAnswer(const Transaction& transaction, const SocketAddress& local, const SocketAddress& remote);
  void Advance(Timestamp now);
  void QueueSend(Transaction& transaction);
  size_t ActiveTo(const SocketAddress& server) const;
  // Removes the transaction and lets the next one that waits for the same server go.
  void Remove(size_t index);
  void Fail(size_t index, RequestFailure reason, uint16_t error_code, std::string detail);
  void FailIgnored(size_t index, const MessageView& response);
  void HandleSuccess(size_t index, const MessageView& response);
  void HandleError(size_t index, const MessageView& response);

  ClientOptions options_;
  Rng* rng_;
  Metrics metrics_;
  EventQueue<Event> events_;
  std::vector<Transaction> transactions_;  // in no order
  boost::unordered_flat_map<TransactionId, size_t, std::hash<TransactionId>> index_by_id_;
  size_t waiting_ = 0;  // transactions in that phase
  EventQueue<TransactionId> to_send_;
  RtoCache rto_cache_;
  Timestamp now_;  // of the latest input
  uint32_t next_handle_ = 1;
};
static_assert(SansIoCore<Client>);

}  // namespace jsp::stun
