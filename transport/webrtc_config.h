#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "dtls/certificate.h"
#include "dtls/stream_context.h"
#include "transport/asio/driver.h"
#include "transport/peer_options.h"
namespace jsp {

struct TurnServer {
  std::vector<std::string> urls;  // "turn:host:port?transport=udp", RFC 7065 §3.1
  std::string username;
  std::string credential;
  // Whom connections to turns: URLs trust, such as a private CA; may be shared. nullptr: the system's roots.
  std::shared_ptr<const dtls::StreamContext> tls{};
};

enum class IceTransportPolicy : uint8_t { kAll, kRelay };

// RFC 8828 §5.2: what of this host's networks is used, and told to the peer.
enum class IpHandling : uint8_t {
  kAllAddresses = 1,  // the default: who builds an application knows whose consent it has
  kDefaultRoute,      // only the interfaces of the default routes, with all their addresses
  kDefaultRouteOnly,  // likewise, and no host's address is told
  kProxy,             // only relays that are reached by TCP or TLS; no datagram leaves
};

// Which field of a configuration is wrong, and what to write instead.
struct ConfigError {
  std::string field;    // "stun_servers[1]"
  std::string message;  // "…: a stun URI has no \"//\""
  std::string ToString() const { return field + ": " + message; }
};

// How paths are found.
struct IceConfig {
  std::vector<std::string> stun_servers;  // "stun:host:port", RFC 7064 §3.1
  std::vector<TurnServer> turn_servers;
  IceTransportPolicy ice_transport_policy = IceTransportPolicy::kAll;
  // TCP beside UDP (RFC 6544), for networks that block UDP; passive listens, at driver_options.ice_tcp.ports. Replaces
  // the mode of peer_options.ice_tcp.
  transport::IceTcp ice_tcp = transport::IceTcp::kOff;
};

// Everything about one WebRtcTransport; plain values with working defaults.
struct WebRtcConfig : IceConfig {
  // The transport's own channel: the offering side opens it, the answering side takes the first that the peer opens.
  std::string data_channel_label = "jetstream_proto";
  std::string data_channel_protocol;
  bool ordered = true;
  std::optional<uint16_t> max_retransmits;  // nullopt: reliable
  std::optional<std::chrono::milliseconds> max_lifetime;
  std::optional<uint16_t> negotiated_id;  // opened on both sides without DCEP (RFC 8831 §6.5)

  // Octets that async_send may have queued and unacknowledged before it waits.
  size_t send_queue_bytes = 4 * 1024 * 1024;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);

  // Which candidates are used: peer_options.ice.filters.local and filters.remote by prefix, type and cost;
  // driver_options.interfaces by the interface's name, and by prefix for sockets not even to be opened there.
  transport::io::DriverOptions driver_options;           // interfaces, ports; not used with `driver`
  std::shared_ptr<transport::io::Driver> driver;         // many transports on one port; nullptr: an own one
  std::shared_ptr<const dtls::Certificate> certificate;  // nullptr: a new one
  transport::PeerOptions peer_options;                   // timers and limits of all layers

  static WebRtcConfig RelayOnly(TurnServer server);
  Expected<void, ConfigError> Validate() const;
  // Writes what a mode means into the other fields, whose servers are set already; once, and the default needs no call.
  // An error where kProxy has no TURN server over TCP or TLS. A shared `driver` has its interfaces already.
  // Names instead of hosts' addresses are peer_options.hosts = HostExposure::kNames, before or without a mode.
  Expected<void, ConfigError> UseIpHandling(IpHandling mode);
};

}  // namespace jsp
