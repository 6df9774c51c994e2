#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "turn/channel_data.h"
#include "turn/server/credentials.h"
#include "turn/server/peer_policy.h"
#include "turn/types.h"
namespace jsp::turn {

// Names a listening socket of the owner; the owner's number.
struct ListenerId {
  uint16_t value = 0;
  auto operator<=>(const ListenerId&) const = default;
};
struct Listener {
  ListenerId id;
  ControlTransport transport = ControlTransport::kUdp;
  SocketAddress address;  // no peer is reached there (T1)
};

// RFC 8656 §7.2: "49152 - 65535 (the Dynamic and/or Private Port range)", and never below 1024.
struct PortRange {
  uint16_t first = 49152;
  uint16_t last = 65535;
};

struct Lifetimes {
  Duration default_allocation = std::chrono::minutes(10);  // RFC 8656 §6
  Duration max_allocation = std::chrono::hours(1);         // RFC 8656 §7.2: "no more than 3600 seconds"
  Duration permission = kPermissionLifetime;               // RFC 8656 §9: 300 seconds; shorter in tests only
  Duration channel = kChannelLifetime;                     // RFC 8656 §12
  Duration nonce = std::chrono::hours(1);                  // RFC 8656 §5
  Duration reservation = std::chrono::seconds(30);         // RFC 8656 §7.2: at least
  Duration connect = std::chrono::seconds(30);             // RFC 6062 §5.2: at least
};

struct Quotas {  // 0: unlimited
  size_t total_allocations = 0;
  size_t allocations_per_user = 0;
  // Of a client's IPv4 address or IPv6 /64, whoever its users are: many names are cheap to have, addresses are not
  // (T6).
  size_t allocations_per_source = 0;
  // Octets per second of payload, both directions together, of all allocations of a user and of all users; one second's
  // worth may come at once.
  uint64_t bandwidth_per_user = 0;
  uint64_t total_bandwidth = 0;
};

// What one allocation may hold, and what strangers may ask for.
struct ServerLimits {
  size_t max_allocations = 65536;  // records in the slab, whatever the quota says
  size_t permissions = 128;        // for each family's relay of an allocation; more is 508
  size_t channels = 128;
  size_t connections = 32;         // RFC 6062, of one allocation
  size_t queued_responses = 4096;  // not polled yet; more requests are dropped
  size_t port_tries = 16;          // ports that the owner could not open, before 508
  size_t reservations = 256;       // ports that are held for somebody who may never come (T7); then 508
  // Answers to one source (an IPv4 address or an IPv6 /64) without valid credentials, in a second; 0: unlimited. Ten
  // seconds' worth may come at once. Keeps a forged source from being hit by more (S8, T6).
  uint32_t unauthenticated_per_second = 100;
};

enum class Mobility : uint8_t { kForbidden, kAllowed };
enum class DontFragmentSupport : uint8_t { kNone, kSupported };  // whether the owner can set DF for a datagram

struct ServerOptions {
  std::vector<Listener> listeners{};
  std::vector<IpAddress> relay_addresses{};  // of each family the ones to choose from at random
  PortRange relay_ports{};
  std::string realm{};     // prepared
  std::string software{};  // SOFTWARE in authenticated Allocate and Refresh responses; empty: none
  Credentials credentials{};
  // What nonces promise (RFC 8489 §9.2); username_anonymity only without a shared secret, whose users are in no list.
  stun::SecurityFeatures features{.password_algorithms = true};
  PeerPolicy policy{};
  Lifetimes lifetimes{};
  Quotas quotas{};
  ServerLimits limits{};
  // What clients may have: UDP relays, TCP relays (RFC 6062), tickets (RFC 8016).
  std::vector<RelayProtocol> relay_protocols{RelayProtocol::kUdp};
  Mobility mobility = Mobility::kForbidden;
  DontFragmentSupport dont_fragment = DontFragmentSupport::kSupported;
  // kLegacy: channel numbers up to 0x7FFF for clients that do not answer PASSWORD-ALGORITHMS, hence know neither
  // RFC 8489 nor RFC 8656. turnutils_uclient of coturn 4.6 needs that.
  ChannelRange channels = ChannelRange::kRfc8656;
};

}  // namespace jsp::turn
