#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/event_queue.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
namespace jsp::stun {

struct ServerOptions {
  std::string software;       // SOFTWARE in responses; empty by default, so that an answer is never larger than needed
  size_t max_pending = 1024;  // answers not polled yet; more requests are dropped and counted
};

// A stateless Binding server (RFC 8489 §6.3.1): answers each request with its reflexive address. Used by the NAT
// simulator's world, by `jsp`, and by tests. Owns nothing but answers that were not polled yet.
class Server {
 public:
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
    uint64_t dropped_not_request = 0;
    uint64_t dropped_overload = 0;
  };

  explicit Server(const ServerOptions& options);
  void HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;
  const Metrics& metrics() const { return metrics_; }

 private:
  struct Pending;

  ServerOptions options_;
  Metrics metrics_;
  EventQueue<Pending>* unused_ = nullptr;  // the stun owner lays out the private part
};
static_assert(SansIoCore<Server>);

}  // namespace jsp::stun
