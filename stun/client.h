#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/message_view.h"
#include "stun/retransmit_schedule.h"
namespace jsp::stun {

enum class RequestFailure : uint8_t { kTimeout, kErrorResponse, kMalformedResponse, kUnknownRequiredAttribute };

struct ClientOptions {
  RetransmitOptions retransmit;
  size_t max_transactions = 64;  // more are refused by StartBinding
  std::string software;          // SOFTWARE attribute; empty: none
};
enum class StartError : uint8_t { kTooManyTransactions };

// Names one request of a Client.
struct RequestHandle {
  uint32_t value = 0;
  bool operator==(const RequestHandle&) const = default;
};

namespace event {
struct BindingSucceeded {
  RequestHandle request;
  SocketAddress local;  // as given to StartBinding
  SocketAddress server;
  SocketAddress mapped;
  Duration rtt;          // of the last sending
  std::string software;  // of the server, empty when it did not say
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
// failure. Without credentials. Owns its transactions; the gatherer and `jsp stun` drive it.
class Client {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = std::variant<event::BindingSucceeded, event::BindingFailed>;
  struct Metrics {
    uint64_t requests_sent = 0;
    uint64_t dropped_unparsable = 0;
    uint64_t dropped_unknown_transaction = 0;
    uint64_t dropped_wrong_address = 0;
    uint64_t dropped_bad_fingerprint = 0;
  };

  Client(const ClientOptions& options, Rng& rng);

  // `local` is opaque to the client: the socket to send from; it comes back in Transmit and events.
  Expected<RequestHandle, StartError> StartBinding(Timestamp now, const SocketAddress& local,
                                                   const SocketAddress& server);
  void Cancel(RequestHandle request);

  // True when the datagram was a response to one of ours (whatever its fate), so that nobody else need look at it.
  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;
  const Metrics& metrics() const { return metrics_; }

 private:
  struct Transaction;

  ClientOptions options_;
  Rng& rng_;
  Metrics metrics_;
  EventQueue<Event> events_;
  std::vector<Transaction> transactions_;
  uint32_t next_handle_ = 1;
};
static_assert(SansIoCore<Client>);

}  // namespace jsp::stun
