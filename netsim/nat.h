#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
namespace jsp::netsim {

// RFC 4787 §4.1: what of the destination makes a new mapping.
enum class MappingBehavior : uint8_t { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };
// RFC 4787 §5: what of the source an inbound packet needs to have been sent to.
enum class FilteringBehavior : uint8_t { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };
// RFC 4787 §4.2: which external port a mapping gets.
enum class PortAllocation : uint8_t { kPreserve, kRandom, kSequential };

struct NatOptions {
  MappingBehavior mapping = MappingBehavior::kEndpointIndependent;
  FilteringBehavior filtering = FilteringBehavior::kAddressAndPortDependent;
  PortAllocation ports = PortAllocation::kPreserve;
  bool hairpin = false;                                // RFC 4787 §6
  Duration mapping_timeout = std::chrono::minutes(2);  // RFC 4787 §4.3 REQ-5: at least two minutes
  bool translate = true;                               // false: a stateful firewall, addresses stay
  size_t max_mappings = 4096;
};

struct NatStats {
  uint64_t mappings = 0;
  uint64_t outbound = 0;
  uint64_t inbound = 0;
  uint64_t filtered = 0;
  uint64_t no_mapping = 0;
  uint64_t exhausted = 0;
};

// The translation of one NAT (RFC 4787) or firewall. Told the time; owns its mappings and its random choices. World
// routes packets through it.
class Nat {
 public:
  Nat(const NatOptions& options, IpAddress external, Rng rng);

  // The source that the outside sees; nullopt when no port is left.
  std::optional<SocketAddress> Outbound(Timestamp now, const SocketAddress& inside, const SocketAddress& destination);
  // The inside destination of a packet to `external` from `source`; nullopt: filtered or unmapped.
  std::optional<SocketAddress> Inbound(Timestamp now, const SocketAddress& external, const SocketAddress& source);

  const IpAddress& external() const { return external_; }
  const NatOptions& options() const { return options_; }
  const NatStats& stats() const { return stats_; }
  // A reboot: every mapping is gone.
  void Reboot();

 private:
  struct Key {
    SocketAddress inside;
    SocketAddress destination;  // as far as the mapping behaviour looks
    auto operator<=>(const Key&) const = default;
  };
  struct Mapping {
    Key key;
    SocketAddress external;
    Timestamp last_outbound;
    std::set<SocketAddress> sent_to;
  };

  Key KeyFor(const SocketAddress& inside, const SocketAddress& destination) const;
  Mapping* Allocate(Timestamp now, const Key& key);
  std::optional<SocketAddress> ChooseExternal(const SocketAddress& inside);
  bool Admits(const Mapping& mapping, const SocketAddress& source) const;
  bool IsExpired(Timestamp now, const Mapping& mapping) const;
  void BindSession(const Mapping& mapping, const SocketAddress& source);
  void Remove(SocketAddress external);
  void DropExpired(Timestamp now);

  NatOptions options_;
  IpAddress external_;
  Rng rng_;
  std::map<SocketAddress, Mapping> by_external_;
  std::map<Key, SocketAddress> by_key_;
  uint16_t next_port_ = 40000;
  NatStats stats_;
};

}  // namespace jsp::netsim
