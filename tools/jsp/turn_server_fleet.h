#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "tools/jsp/turn_server_config.h"
#include "tools/jsp/turn_server_metrics.h"
#include "transport/asio/interface_list.h"
#include "transport/asio/turn_server.h"
namespace jsp::tool {

// Where relays are opened when nothing is said: on the addresses that are listened on, those of `interfaces` for an
// unspecified one; of each family without loopback, unless there is nothing else.
std::vector<IpAddress> DefaultRelayAddresses(std::span<const TurnListenAddress> listen,
                                             std::span<const transport::io::InterfaceAddress> interfaces);

// A certificate chain and its key, as files have them.
struct TurnCertificate {
  std::string chain_pem;
  std::string key_pem;
  bool operator==(const TurnCertificate&) const = default;
};

// The workers of a TURN server: each is a thread with a loop, and a transport::io::TurnServer of its own on the same
// addresses (SO_REUSEPORT); the system gives every 5-tuple to one of them, and TurnWorkers what they have in common.
// Each opens relays in its part of the ports. Used from one other thread, whose calls wait for the workers.
class TurnFleet {
 public:
  // Opens every socket; the error is one line. Nothing is served before Start().
  static Expected<std::unique_ptr<TurnFleet>, std::string> Open(const TurnServerConfig& config,
                                                                const std::optional<TurnCertificate>& certificate);
  ~TurnFleet();
  void Start();

  std::vector<TurnListenAddress> listening() const;
  // All or nothing: a certificate that cannot be used changes nothing.
  Expected<void, std::string> Reload(const TurnServerConfig& config, const std::optional<TurnCertificate>& certificate);
  void Drain(const std::vector<SocketAddress>& alternates);
  TurnServerTotals totals();

 private:
  struct Worker;
  explicit TurnFleet(std::vector<std::unique_ptr<Worker>> workers);

  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace jsp::tool
