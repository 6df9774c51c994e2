#pragma once
#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/expected.h"
#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "turn/server/options.h"
#include "turn/server/quota.h"
#include "turn/server/relay_key.h"
namespace jsp::turn {

// How an owner with several threads keeps them apart: `close` before what is shared is touched, `open` behind it.
// Without them there is one thread.
struct Gate {
  void* lock = nullptr;
  void (*close)(void*) = nullptr;
  void (*open)(void*) = nullptr;
};

// Which of the servers of one SharedState; below 256.
struct WorkerIndex {
  uint8_t value = 0;
  auto operator<=>(const WorkerIndex&) const = default;
};

// What servers on the same addresses have in common, each of them one worker's (RFC 8656 says nothing of workers: to a
// client they are one server): the quotas, what strangers get, the key of nonces and tickets, and which relays are
// open. Every call may come from another thread, one at a time as the gate has it; data touches the gate only where a
// bandwidth is limited, or for a relay of our own. The owner makes one; a Server alone makes its own.
class SharedState {
 public:
  static constexpr size_t kMaxWorkers = 256;
  SharedState(const ServerOptions& options, size_t workers, Rng& rng, const Gate& gate = {});

  size_t workers() const { return workers_; }
  const std::array<uint8_t, 32>& key() const { return key_; }

  // Quota's Judge and Enter in one: two workers may ask for the last place.
  Expected<UserIndex, Quota::Refusal> Enter(std::string_view user, uint64_t source);
  void Leave(UserIndex user);
  bool TakeBandwidth(Timestamp now, UserIndex user, uint64_t octets);

  // StrangerLimit.
  bool TakeAnswer(Timestamp now, const IpAddress& source);
  void Forgive(const IpAddress& source);

  // Open relays of all workers: what a peer may be and no client (server.h).
  void AddRelay(const SocketAddress& address, RelayProtocol protocol);
  void RemoveRelay(const SocketAddress& address, RelayProtocol protocol);
  bool IsRelay(const SocketAddress& address, RelayProtocol protocol);

 private:
  class Closed;  // the gate, while one of these lives

  size_t workers_;
  std::array<uint8_t, 32> key_;
  Gate gate_;
  bool limits_bandwidth_;
  bool limits_strangers_;
  Quota quota_;
  StrangerLimit strangers_;
  boost::unordered_flat_set<RelayKey, RelayKeyHash> relays_;
};

}  // namespace jsp::turn
