#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "turn/attributes.h"
#include "turn/server/options.h"
#include "turn/server/relay_key.h"
namespace jsp::turn {

// Names a relay socket: an index into a slab, and which of its tenants is meant, so that what arrives late for a closed
// socket finds nothing.
struct RelayHandle {
  uint32_t index = UINT32_MAX;
  uint32_t generation = 0;
  bool operator==(const RelayHandle&) const = default;
  bool is_set() const { return index != UINT32_MAX; }
};

struct Relay {
  enum class State : uint8_t {
    kFree,
    kOpening,   // the owner was asked
    kOpen,      // of an allocation
    kReserved,  // open, for whoever has the token (RFC 8656 §7.2)
  };
  SocketAddress address;
  uint32_t allocation = 0;  // whose it is; of kReserved: nobody's
  uint32_t generation = 0;
  State state = State::kFree;
  RelayProtocol protocol = RelayProtocol::kUdp;
  bool is_read = false;  // the owner was told to
};

// The relay sockets of a server: which addresses are in use, by whom. O(1).
class RelayTable {
 public:
  RelayTable(PortRange ports, Rng& rng) : ports_(ports), rng_(&rng) {}

  // Parity of a port (RFC 8656 §7.2, EVEN-PORT): kEvenPair wants the next port free, too.
  enum class Parity : uint8_t { kAny, kEven, kEvenPair };
  // A free port of `ip`, at random (RFC 8656 §7.2); nullopt when kMaxProbes neighbours of a random port are taken (T7).
  std::optional<uint16_t> PickPort(const IpAddress& ip, RelayProtocol protocol, Parity parity) const;
  static constexpr size_t kMaxProbes = 1024;

  RelayHandle Open(const SocketAddress& address, RelayProtocol protocol, uint32_t allocation);
  Relay* Find(RelayHandle handle);
  void Close(RelayHandle handle);
  size_t size() const { return index_by_address_.size(); }

 private:
  PortRange ports_;
  Rng* rng_;
  std::vector<Relay> relays_;
  std::vector<uint32_t> free_;
  boost::unordered_flat_map<RelayKey, uint32_t, RelayKeyHash> index_by_address_;
};

}  // namespace jsp::turn
