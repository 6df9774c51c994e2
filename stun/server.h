#pragma once
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/attribute_type.h"
#include "stun/message_view.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

// The four sockets of NAT behaviour discovery (RFC 5780 §6): both addresses with both ports. The two differ in address
// and in port, and are of one family.
struct BehaviorAddresses {
  SocketAddress primary;
  SocketAddress alternate;
};

struct ServerOptions {
  std::string software{};     // SOFTWARE in responses; empty by default, so that an answer is never larger than needed
  size_t max_pending = 1024;  // answers not polled yet; more requests are dropped and counted
  // One for each family that has two addresses; requests to other sockets get plain Binding service. A pair that does
  // not differ in address and in port is ignored: RFC 5780 §6 forbids to offer it.
  std::vector<BehaviorAddresses> behavior{};
  size_t max_padding = 1500;  // RFC 5780 §7.6: the MTU of the interface; an answer has no more than its request
};

// A stateless Binding server (RFC 8489 §6.3.1, §12): answers each request with its reflexive address, without
// credentials. An answer carries nothing that was not asked for, so that a forged source gains an attacker little: 12
// or 24 octets of address, or at most kMaxUnknownAttributes types. With `behavior` it is also a server of RFC 5780,
// whose answers carry four addresses. Used by the NAT simulator's world, by `jsp`, by turn/, and by tests. Owns nothing
// but answers that were not polled yet.
class Server {
 public:
  // More are not listed; a request that names that many is longer than the 420 that answers it.
  static constexpr size_t kMaxUnknownAttributes = 16;

  struct Transmit {
    size_t size;
    SocketAddress local;  // the socket that the request arrived on, or another one of `behavior` that it asked for
    SocketAddress remote;
  };
  using Event = std::variant<std::monostate>;  // a server has nothing to tell
  struct Metrics {
    uint64_t requests = 0;
    uint64_t indications = 0;
    uint64_t dropped_unparsable = 0;
    uint64_t dropped_bad_fingerprint = 0;
    uint64_t dropped_not_request = 0;  // responses, and methods other than Binding
    uint64_t dropped_overload = 0;
    uint64_t unknown_attribute = 0;  // requests answered with 420
    uint64_t bad_request = 0;        // requests answered with 400
    Metrics& operator+=(const Metrics& other);
  };

  explicit Server(const ServerOptions& options);
  void HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  void HandleTimeout(Timestamp now);
  // nullopt also when `out` is smaller than the largest answer: 72 octets and the SOFTWARE attribute; with `behavior`
  // 128 octets and SOFTWARE. What `out` has beyond that is what PADDING may take.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;
  const Metrics& metrics() const { return metrics_; }

 private:
  struct Answer {
    SocketAddress local;   // to send from
    SocketAddress remote;  // of the request
    TransactionId id;
    bool with_fingerprint = false;                                                    // as the request
    boost::container::static_vector<AttributeType, kMaxUnknownAttributes> unknown{};  // not empty: 420
    bool bad_request = false;                                                         // 400
    std::optional<SocketAddress> other{};  // OTHER-ADDRESS, and with it all of RFC 5780
    uint16_t response_port = 0;            // RFC 5780 §7.5; 0: the request's
    size_t padding = 0;                    // RFC 5780 §7.6
  };

  void HandleRequest(const SocketAddress& local, const SocketAddress& remote, const MessageView& request);
  // What RFC 5780 §6.1 adds for a request to one of the four sockets.
  void ApplyBehavior(const SocketAddress& other, const MessageView& request, Answer& answer);
  std::optional<SocketAddress> OtherAddress(const SocketAddress& local) const;
  size_t LargestAnswer() const;

  ServerOptions options_;
  Metrics metrics_;
  EventQueue<Answer> answers_;
};
static_assert(SansIoCore<Server>);

}  // namespace jsp::stun
