#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/socket_address.h"
namespace jsp::ice {

// RFC 8445 §4: the four kinds of candidate.
enum class CandidateType : uint8_t { kHost, kServerReflexive, kPeerReflexive, kRelayed };
// RFC 8445 §5.1 and RFC 6544 §4.5. Simultaneous open is read and written, and never used.
enum class TransportProtocol : uint8_t { kUdp, kTcpActive, kTcpPassive, kTcpSimultaneousOpen };

// What a candidate of this protocol meets on the other side: RFC 6544 §6.2.
TransportProtocol PeersProtocol(TransportProtocol local);

const char* ToString(CandidateType type);  // "host", "srflx", "prflx", "relay" (RFC 8839 §5.1)

// Why a candidate of either side was not taken.
enum class AddCandidateError : uint8_t {
  kTooMany,
  kDuplicate,             // known already, or redundant (RFC 8445 §5.1.3)
  kUnsupportedTransport,  // simultaneous open (RFC 6544 §3)
  kBadAddress,            // unspecified, multicast, broadcast, deprecated, or port 0
  kAfterEndOfCandidates,
  kClosed,
  kUnsupportedComponent,  // only component 1 exists
  kNotForLite,            // a lite agent has host candidates only
  kFiltered,              // Options::filters.local, filters.remote
};
const char* ToString(AddCandidateError error);

// One candidate of one side. `base` is what packets are really sent from (RFC 8445 §5.1.1.2): equal to `address` for
// host and relayed candidates; meaningless for remote candidates.
struct Candidate {
  CandidateType type = CandidateType::kHost;
  TransportProtocol protocol = TransportProtocol::kUdp;
  SocketAddress address;
  SocketAddress base;
  std::optional<SocketAddress> related;  // raddr/rport, RFC 8839 §5.1
  uint32_t priority = 0;
  std::string foundation;  // 1–32 ice-chars
  uint16_t component = 1;
  // Where a local candidate came from, and by what means: parts of the foundation, RFC 8445 §5.1.1.3. Connections of
  // either role are kTcpActive: to a TURN server over TCP or TLS.
  std::optional<SocketAddress> server;
  TransportProtocol server_protocol = TransportProtocol::kUdp;
  uint16_t network_id = 0;    // of the local interface; opaque
  uint16_t network_cost = 0;  // 0 = cheapest
  bool operator==(const Candidate&) const = default;
};

// Why `address` cannot be a candidate's or anybody's source: unspecified, multicast, broadcast, port 0, or one of the
// kinds that RFC 8445 §5.1.1.1 forbids: IPv4-compatible and site-local IPv6.
bool IsUsableAddress(const SocketAddress& address);
// Of a passive candidate of the peer's: may we connect there? Not to ports of system services other than the web's,
// which browsers connect to neither; else a peer could have us speak to mail servers and printers.
bool IsConnectable(const Candidate& remote);
// The rules above for a whole candidate; nullopt when it may be used.
std::optional<AddCandidateError> FindFault(const Candidate& candidate);
// RFC 8445 §6.1.2.2: same component, transport and family, link-local only with link-local. Loopback likewise, so that
// a peer cannot point the agent at services of its own machine. RFC 6544 §6.2: of TCP only an active candidate pairs,
// with a passive one; a passive one of ours waits for the peer's connection and its check.
bool CanPair(const Candidate& local, const Candidate& remote);
// A scope (zone) has a meaning on one host only: candidates are compared and signalled without it.
SocketAddress WithoutScope(const SocketAddress& address);
// Where packets from `base` to the candidate at `remote` go: a link-local destination takes the scope of the base.
SocketAddress DestinationFrom(const SocketAddress& base, const SocketAddress& remote);

}  // namespace jsp::ice
