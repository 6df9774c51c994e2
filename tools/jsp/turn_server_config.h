#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "stun/long_term_key.h"
#include "tools/jsp/host_port.h"
#include "turn/server/options.h"
namespace jsp::tool {

// The configuration of `jsp turn-server`, typed and checked. Where a value came from is no part of it: a file and a
// command line that say the same give equal configurations.

// One --listen.
struct TurnListenAddress {
  turn::ControlTransport transport = turn::ControlTransport::kUdp;
  SocketAddress address;         // port 0: the system picks; an unspecified address stands for all of this machine's
  std::string ToString() const;  // "udp://192.0.2.1:3478"
  bool operator==(const TurnListenAddress&) const = default;
};

// A static user, kept as keys (RFC 8656 §6).
struct TurnUser {
  std::string name;
  stun::LongTermKeys keys;
  bool operator==(const TurnUser&) const = default;
};

struct TurnServerConfig {
  struct Access {
    std::vector<TurnUser> users{};
    std::vector<std::string> shared_secrets{};  // at most turn::Credentials::kMaxSecrets
  };
  // Where relays are opened; behind a static NAT their public address is another one.
  struct RelayAddress {
    IpAddress advertised;
    IpAddress bound;
    std::string ToString() const;  // "192.0.2.1", or "192.0.2.1/10.0.0.1"
  };
  struct Relaying {
    std::vector<RelayAddress> addresses{};  // empty: those that are listened on
    turn::PortRange ports{};
    std::vector<turn::Prefix> allowed_peers{};
    std::vector<turn::Prefix> denied_peers{};
    bool tcp = false;             // RFC 6062
    bool mobility = false;        // RFC 8016
    bool legacy_channels = true;  // turn::ChannelRange::kLegacy: coturn's own clients need it
  };
  struct Tls {
    std::string certificate_file{};
    std::string key_file{};
  };
  struct Operation {
    size_t workers = 1;
    std::optional<HostPort> metrics{};
    std::chrono::seconds drain_time = std::chrono::seconds(30);
    std::vector<SocketAddress> drain_alternates{};  // named in the 300 that answers an Allocate during a drain
    size_t max_allocations = turn::ServerLimits{}.max_allocations;
    uint32_t strangers_per_second = turn::ServerLimits{}.unauthenticated_per_second;
  };

  std::vector<TurnListenAddress> listen{};
  std::string realm = "jsp";
  std::string software{};
  std::optional<IpAddress> alternate_address{};  // RFC 5780
  Access access{};
  Relaying relaying{};
  Tls tls{};
  turn::Lifetimes lifetimes{};
  turn::Quotas quotas{};
  Operation operation{};
};

// From "NAME:PASSWORD"; the realm is prepared. The error says which of the two is none.
Expected<TurnUser, std::string> MakeTurnUser(const std::string& name_and_password, const std::string& realm);
// What a config file has instead of a password: "NAME:REALM:MD5:SHA256", both keys in hexadecimal (RFC 8489 §9.2.2).
std::string UserKeyText(const TurnUser& user, const std::string& realm);

}  // namespace jsp::tool
