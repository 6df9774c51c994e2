#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "datachannel/channel_set.h"
#include "dtls/certificate.h"
#include "ice/credentials.h"
#include "ice/options.h"
#include "ice/prediction.h"
#include "ice/prediction_probes.h"
#include "ice/tcp_connections.h"
#include "sctp/options.h"
#include "stun/retransmit_schedule.h"
#include "transport/hole_opener.h"
#include "transport/memory_share.h"
#include "transport/nat64.h"
#include "transport/relay_options.h"
#include "transport/told_candidates.h"
namespace jsp::transport {

// Candidates over TCP (RFC 6544), beside those over UDP, for networks that block UDP: active ones connect to passive
// ones of the peer's, and passive ones need a port that the peer reaches (Peer::AddTcpListener).
enum class IceTcp : uint8_t { kOff, kActive, kPassive, kBoth };
struct IceTcpOptions {
  IceTcp mode = IceTcp::kOff;
  ice::TcpOptions limits;
  bool is_active() const { return mode == IceTcp::kActive || mode == IceTcp::kBoth; }
  bool is_passive() const { return mode == IceTcp::kPassive || mode == IceTcp::kBoth; }
  bool operator==(const IceTcpOptions&) const = default;
};

// Which candidates are found, and who helps.
struct IceServers {
  std::vector<SocketAddress> stun_servers;  // resolved already; the driver knows names
  std::vector<RelayServer> relay_servers;   // TURN (RFC 8656), resolved likewise
  HostExposure hosts = HostExposure::kAddresses;
  // RFC 8828 §5: only relayed candidates are gathered, named and used; nothing else is said to anybody.
  bool only_relays = false;
  // When ICE gives up unused pairs (ice.mobility.drop_spares_after) allocations that carry nothing are deleted, too,
  // and asked for again when the path is lost. Not by default: an allocation that is there carries on where a direct
  // path fails, without signalling; one that comes back is another address, which the peer has to be told.
  bool release_spare_relays = false;
  ice::PredictionOptions prediction;  // of mappings behind NATs with sequential ports
  ice::ProbingOptions probing;        // of NATs with random ports, between peers that both say so
  HoleOpener::Limits hole_opening;    // by fresh sockets of a restart
  IceTcpOptions ice_tcp;
  // Of a host with IPv6 only whose network has a NAT64: the peer's IPv4 candidates are checked through it as well. The
  // addresses of the servers above are the caller's to translate (ThroughNat64).
  std::optional<Nat64Prefix> nat64;
  // Of the first generation, where something outside chose them, as for a request that came before its peer
  // (transport/asio/unknown_requests.h). Unset, or not valid: random ones (RFC 8445 §5.3).
  std::shared_ptr<const ice::Credentials> local_credentials;
  bool operator==(const IceServers&) const = default;
};

// What one connection may hold, and of what all of them hold together; docs/transport.md#memory.
struct MemoryOptions {
  // Octets, at least kLeast: the windows and queues of `sctp` and `channels` are made smaller where they would not fit.
  // 0: only their own limits.
  size_t limit = 0;
  MemorySource source;  // shared by many peers

  static constexpr size_t kLeast = size_t{256} * 1024;
  bool operator==(const MemoryOptions&) const = default;
};

// Everything that one Peer may be told; per instance, nothing is global.
struct PeerOptions : IceServers {
  std::shared_ptr<const dtls::Certificate> certificate;  // required; shared between peers
  stun::RetransmitOptions stun_retransmit{.rto = std::chrono::milliseconds(250), .rc = 4, .rm = 4};
  // No server delays the end of gathering longer than this (PITFALLS P16).
  Duration gathering_timeout = std::chrono::seconds(3);
  ice::Options ice = {.check = {.repeats = 4}};
  sctp::Options sctp;
  datachannel::Options channels;
  MemoryOptions memory;
  size_t max_datagram = 1200;  // of a DTLS handshake flight
  // RFC 8899; replaces the flag of the same name in `sctp`. Needs a driver that obeys Transmit::fragmentation.
  bool path_mtu_discovery = true;
  // Explicit Congestion Notification with peers that offer it too; replaces the flag of the same name in `sctp`. Needs
  // a driver that tells HandleDatagram the marks and sends with Transmit::ecn.
  bool ecn = true;
  Duration dtls_handshake_timeout = std::chrono::seconds(30);
  // Names ("….local") of the peer that may be under resolution at once, and remote candidates that may wait for the
  // remote description.
  size_t max_unresolved_names = 8;
  size_t max_orphan_candidates = 64;
  // Datagrams of an authenticated but not yet validated address, kept for the moment that its check succeeds.
  size_t max_early_datagrams = 8;
  bool collect_keylog = false;
  bool operator==(const PeerOptions&) const = default;
};

// As a Peer uses them: what replaces or bounds something else has done so. Peers with equal options share one of these,
// as an idle one would otherwise hold its own kilobyte.
struct SettledPeerOptions : PeerOptions {
  explicit SettledPeerOptions(const PeerOptions& given);
};

}  // namespace jsp::transport
