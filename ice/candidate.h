#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include "base/socket_address.h"
namespace jsp::ice {

// RFC 8445 §4: the four kinds of candidate.
enum class CandidateType : uint8_t { kHost, kServerReflexive, kPeerReflexive, kRelayed };
// RFC 8445 §5.1 and RFC 6544 §4.5; only UDP pairs with UDP.
enum class TransportProtocol : uint8_t { kUdp, kTcpActive, kTcpPassive, kTcpSimultaneousOpen };

const char* ToString(CandidateType type);  // "host", "srflx", "prflx", "relay" (RFC 8839 §5.1)

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
  std::optional<SocketAddress> server;  // that a local candidate came from: part of the foundation, RFC 8445 §5.1.1.3
  uint16_t network_id = 0;    // of the local interface; opaque
  uint16_t network_cost = 0;  // 0 = cheapest
  bool operator==(const Candidate&) const = default;
};

}  // namespace jsp::ice
