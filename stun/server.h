#pragma once
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/event_queue.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/attribute_type.h"
#include "stun/message_view.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

struct ServerOptions {
  std::string software{};     // SOFTWARE in responses; empty by default, so that an answer is never larger than needed
  size_t max_pending = 1024;  // answers not polled yet; more requests are dropped and counted
};

// A stateless Binding server (RFC 8489 §6.3.1, §12): answers each request with its reflexive address, without
// credentials. An answer carries nothing that was not asked for, so that a forged source gains an attacker little: 12
// or 24 octets of address, or at most kMaxUnknownAttributes types. Used by the NAT simulator's world, by `jsp`, and by
// tests. Owns nothing but answers that were not polled yet.
class Server {
 public:
  // More are not listed; a request that names that many is longer than the 420 that answers it.
  static constexpr size_t kMaxUnknownAttributes = 16;

  struct Transmit {
    size_t size;
    SocketAddress local;  // the socket that the request arrived on
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
  };

  explicit Server(const ServerOptions& options);
  void HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  void HandleTimeout(Timestamp now);
  // nullopt also when `out` is smaller than the largest answer (72 octets and the SOFTWARE attribute).
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;
  const Metrics& metrics() const { return metrics_; }

 private:
  struct Answer {
    SocketAddress local;
    SocketAddress remote;
    TransactionId id;
    bool with_fingerprint;                                                          // as the request
    boost::container::static_vector<AttributeType, kMaxUnknownAttributes> unknown;  // not empty: 420
  };

  void HandleRequest(const SocketAddress& local, const SocketAddress& remote, const MessageView& request);

  ServerOptions options_;
  Metrics metrics_;
  EventQueue<Answer> answers_;
};
static_assert(SansIoCore<Server>);

}  // namespace jsp::stun
