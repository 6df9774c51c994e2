#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/socket_address.h"
namespace jsp::ice {

// What to make of NATs whose mappings depend on the destination (RFC 4787 §4.1) but get ports one after the other: the
// next ones can be told, and the peer be asked to probe them. Beyond RFC 8445, and understood by every peer: what it
// gets are reflexive candidates.
struct PredictionOptions {
  bool is_enabled = true;
  // For each socket. The first is taken by our check of the peer's first address, and so on; others behind the same NAT
  // take some, too. Each costs the peer a pair and a place in the pacing (RFC 8445 §14).
  size_t max_candidates = 8;
  // Between the ports of two mappings. More is no sequence but chance: two random ports are that near once in 2,000
  // times.
  uint16_t max_step = 16;
  bool operator==(const PredictionOptions&) const = default;
};

// What a server saw of one socket.
struct Observation {
  SocketAddress server;
  SocketAddress mapped;
};

// The mappings that such a NAT gives next to the socket that `seen` tells of, in the order in which its requests left;
// the nearest first, at most `max_candidates`. Empty when the NAT maps independently of the destination, in no order,
// or with several addresses; when fewer than two mappings are known; when prediction is off.
std::vector<SocketAddress> PredictMappings(std::span<const Observation> seen, const PredictionOptions& options);

}  // namespace jsp::ice
