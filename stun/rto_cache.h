#pragma once
#include <cstddef>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
namespace jsp::stun {

// What a client remembers of each server's round trips, to start the next transaction with (RFC 8489 §6.2.1): the
// estimator of RFC 6298 §2, per IP address, forgotten after ten idle minutes. Bounded: the entry idle for longest makes
// room. Owned and fed by stun::Client.
class RtoCache {
 public:
  static constexpr size_t kMaxServers = 32;
  static constexpr Duration kStaleAfter = std::chrono::minutes(10);  // RFC 8489 §6.2.1

  // The RTO to begin with: never below `floor`, which is also the answer for an unknown server.
  Duration RtoFor(Timestamp now, const IpAddress& server, Duration floor) const;
  // One round trip. By Karn's algorithm, only of a request that was sent once.
  void AddSample(Timestamp now, const IpAddress& server, Duration rtt);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    IpAddress server;
    Duration srtt;
    Duration rttvar;
    Timestamp used;
  };
  std::vector<Entry> entries_;
};

}  // namespace jsp::stun
