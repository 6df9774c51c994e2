#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "stun/server.h"
#include "transport/asio/train_stats.h"
#include "turn/server/metrics.h"
#include "turn/server/options.h"
#include "turn/server/shared_state.h"
#include "turn/types.h"
namespace jsp::transport::io {

// Where clients come to. Port 0: the system picks one. The unspecified address stands for every address that this host
// has now, a socket each, so that answers leave from where the request came to.
struct TurnListen {
  turn::ControlTransport transport = turn::ControlTransport::kUdp;
  SocketAddress address;
  bool operator==(const TurnListen&) const = default;
};

// A host behind a static NAT: clients and peers are told `advertised`, and sockets are bound to `bound`.
struct TurnRelayMapping {
  IpAddress advertised;
  IpAddress bound;
};

// Streams that have an allocation, or are the data connection of one, are bounded by the quotas; these are for others.
struct TurnStreamLimits {
  size_t total = 16384;              // of all listeners; more are closed at once
  size_t strangers_per_source = 64;  // without an allocation, of an IPv4 address or an IPv6 /64
  // A stream without an allocation is closed when no message came for so long, and any stream whose message has been
  // incomplete for so long.
  Duration idle = std::chrono::seconds(30);
  size_t unsent_octets = 256 * 1024;  // of one slow reader; relayed datagrams beyond that are dropped
};

class TurnWorkers;

struct TurnServerOptions {
  turn::ServerOptions core;  // `listeners` is filled in; without relay_addresses those of the listeners relay
  std::vector<TurnListen> listen;
  std::vector<TurnRelayMapping> relay_mappings;
  std::optional<std::string> certificate_pem;  // a chain, for TLS listeners
  std::optional<std::string> key_pem;
  // RFC 5780: each UDP listener of that family also listens on its next port, or any if its port is picked, and on both
  // ports of this address.
  std::optional<IpAddress> alternate_address;
  // One of several workers on the same listeners (SO_REUSEPORT), and which: each has relay ports of its own; the quotas
  // are those that the TurnWorkers were made with.
  std::shared_ptr<TurnWorkers> workers;
  turn::WorkerIndex worker;
  bool segmentation = true;             // UDP_SEGMENT and UDP_GRO, where the kernel has them
  int socket_buffer = 4 * 1024 * 1024;  // octets asked of SO_RCVBUF and SO_SNDBUF of UDP sockets
  TurnStreamLimits streams;
};

struct TurnStreamStats {
  uint64_t accepted = 0;
  uint64_t refused = 0;        // more than TurnStreamLimits allow
  uint64_t expired = 0;        // idle, or a message that does not end
  uint64_t broken = 0;         // what came is not TURN, or TLS failed
  uint64_t accept_errors = 0;  // no descriptor, for one
  uint64_t dropped = 0;        // messages to a reader that TurnStreamLimits::unsent_octets wait for already
  size_t open = 0;
};

// What the sockets did; the core's own counts are TurnServer::metrics().
struct TurnServerStats {
  TrainIoStats datagrams;
  TurnStreamStats streams;
  stun::Server::Metrics binding;  // over UDP and streams
  uint64_t network_errors = 0;    // ICMP about what relays sent
  uint64_t relays_failed = 0;     // ports that could not be opened
  size_t relays_open = 0;
  uint64_t handovers_dropped = 0;  // trains and streams that another worker had no room for
};

struct TurnServerCore;

// A TURN and STUN server on real sockets: drives turn::Server and stun::Server on one executor (of a single thread, or
// a strand). Waits for all UDP sockets as one, forwards trains as they came (train_io.h), and keeps one timer. Owns
// listeners, relay sockets and streams; destroying it, legal at any moment, closes them all. Linux only. Not
// thread-safe: use it on its executor.
class TurnServer {
 public:
  // The error is one line: what could not be done, and why.
  static Expected<std::unique_ptr<TurnServer>, std::string> Open(boost::asio::any_io_executor executor,
                                                                 TurnServerOptions options);
  explicit TurnServer(std::shared_ptr<TurnServerCore> core) : core_(std::move(core)) {}
  ~TurnServer();
  TurnServer(const TurnServer&) = delete;
  TurnServer& operator=(const TurnServer&) = delete;

  // As `listen` says, with the ports that were bound and those of RFC 5780.
  std::span<const TurnListen> listening() const;
  // New users and secrets. Allocations of users who are gone live until they expire.
  void SetCredentials(turn::Credentials credentials);
  // For handshakes that begin from now on.
  Expected<void, std::string> SetCertificate(std::string chain_pem, std::string key_pem);
  // From now on Allocate is answered with 300 and one of these of the client's family, or with 508. What is allocated
  // lives on; allocations() tells when nobody is left.
  void Drain(std::vector<SocketAddress> alternates);
  size_t allocations() const;
  const turn::ServerMetrics& metrics() const;
  TurnServerStats stats() const;

 private:
  std::shared_ptr<TurnServerCore> core_;
};

}  // namespace jsp::transport::io
