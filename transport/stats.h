#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "datachannel/channel_set.h"
#include "dtls/session.h"
#include "ice/agent.h"
#include "ice/tcp_connections.h"
#include "sctp/events.h"
#include "sctp/metrics.h"
#include "transport/path_traffic.h"
#include "transport/peer_events.h"
#include "transport/relay_set.h"
namespace jsp::transport {

// When each step was reached, counted from the Peer's construction; nullopt: not yet.
struct Timings {
  std::optional<Duration> gathered;
  std::optional<Duration> first_check;  // the first connectivity check left
  std::optional<Duration> ice_connected;
  std::optional<Duration> dtls_connected;
  std::optional<Duration> sctp_connected;
};

struct DemuxMetrics {
  uint64_t datagrams_received = 0;
  uint64_t datagrams_sent = 0;
  uint64_t bytes_received = 0;  // UDP payload
  uint64_t bytes_sent = 0;
  uint64_t dropped_unknown_kind = 0;   // RFC 7983 §7: none of ours
  uint64_t dropped_not_validated = 0;  // DTLS from an address without a checked pair
  uint64_t dropped_stun = 0;           // nobody's transaction
  uint64_t dropped_not_relayed = 0;    // came directly, although only relays are to be used
};

// What the DTLS handshake agreed on; empty before.
struct DtlsParameters {
  std::string protocol;  // "DTLSv1.2"
  std::string cipher;
};

struct SctpStats : sctp::Metrics {
  std::optional<sctp::event::Connected> negotiated;  // nullopt before
};

// "udp", "tcp", "tls"; nullptr: not relayed.
const char* RelayProtocolName(const std::optional<turn::ControlTransport>& relay);

// Of the paths.
struct RelayStats {
  std::optional<turn::ControlTransport> selected_relay;  // how the relay of the selected pair is reached; none: direct
  // Why the selected pair goes over a relay, of whichever side, for people; empty when it does not.
  std::string relay_reason;
  PathsTraffic paths;
  ice::TcpMetrics ice_tcp;
  RelaySet::Metrics relays;                  // of all relayed paths together
  std::vector<RelayFailure> relay_failures;  // TURN servers that gave no address, and why
  std::vector<RelayRefusal> relay_refusals;  // addresses of the peer that TURN servers do not relay to
};

// Octets that a connection holds now, by the counters of its queues.
struct MemoryStats {
  size_t fixed = 0;      // of every connection, by measurement: Peer::kFixedOctets, first Peer::kEarlyOctets
  size_t handshake = 0;  // likewise, until its handshake is over: Peer::kHandshakeOctets
  size_t working = 0;    // likewise, until it rests: Peer::kWorkingOctets
  size_t channels = 0;   // likewise, of each channel: Peer::kChannelOctets
  size_t paths = 0;      // candidates, pairs and checks of ICE, and clients of TURN servers
  size_t sending = 0;    // messages that were accepted and are not acknowledged
  size_t received = 0;   // data that the application has not taken
  size_t pooled = 0;     // kept for the next messages (BufferPool::kept_octets)
  size_t total() const { return fixed + handshake + working + channels + paths + sending + received + pooled; }
};

struct BufferStats {
  MemoryStats memory;
};

// A snapshot of all layers.
struct PeerStats : RelayStats, BufferStats {
  ConnectionState state = ConnectionState::kNew;
  std::string state_reason;
  Timings timings;
  ice::State ice_state = ice::State::kNew;
  ice::Role ice_role = ice::Role::kControlling;
  std::optional<ice::SelectedPair> selected_pair;
  std::vector<ice::PairStats> pairs;
  std::vector<ice::Candidate> local_candidates;
  DemuxMetrics demux;
  ice::Metrics ice;
  dtls::Metrics dtls;
  DtlsParameters dtls_parameters;
  SctpStats sctp;
  datachannel::Metrics channels_metrics;
  std::vector<datachannel::ChannelStats> channels;
};

}  // namespace jsp::transport
