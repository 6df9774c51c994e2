#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
namespace jsp::netsim {

// RFC 4787 §4.1: what of the destination makes a new mapping.
enum class MappingBehavior : uint8_t { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };
// RFC 4787 §5: what of the source an inbound packet needs to have been sent to.
enum class FilteringBehavior : uint8_t { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };
// RFC 4787 §4.2: which external port a mapping gets. kOverload: always that of the inside, also where another mapping
// has it already (against RFC 4787 §4.2.1 REQ-3). What comes in is then for whoever sent to its source (RFC 7857 §3),
// of several for the one that sent last.
enum class PortAllocation : uint8_t { kPreserve, kRandom, kSequential, kOverload };
// RFC 4787 §4.3 REQ-6: what keeps a mapping alive.
enum class Refresh : uint8_t { kOutbound, kBoth };
// What becomes of an inbound packet that no mapping and no filter admits: nothing, or an ICMP error to its sender. A
// NAT whose connection tracking keeps a session of what it rejected then cannot map the same pair from inside: the
// first packet back gets another port, whatever the mapping behaviour promised (measured with Linux; against
// RFC 4787 §4.1 REQ-1). TCP is always dropped: RFC 5382 §4.3 REQ-4 forbids an answer for six seconds.
enum class Unsolicited : uint8_t { kDrop, kReject };
// What may leave at all; the rest is dropped in silence.
enum class OutboundPolicy : uint8_t { kAll, kNoUdp, kOnlyTcp443 };
// What a NAT looks at in a packet besides its addresses. RFC 5382 §5: a connection is partially open, established or
// closing.
enum class PacketKind : uint8_t { kUdp, kTcpSyn, kTcp, kTcpFinOrRst };

// Both ends included.
struct PortRange {
  uint16_t low = 1024;  // RFC 4787 §4.2.1 REQ-3: the well-known range is left alone
  uint16_t high = 65535;
  bool Contains(uint16_t port) const { return port >= low && port <= high; }
  size_t size() const { return size_t{high} - low + 1; }
  bool operator==(const PortRange&) const = default;
};

struct NatOptions {
  MappingBehavior mapping = MappingBehavior::kEndpointIndependent;
  FilteringBehavior filtering = FilteringBehavior::kAddressAndPortDependent;
  PortAllocation ports = PortAllocation::kPreserve;
  PortRange pool{};                    // external ports; a new mapping is refused when all are taken
  size_t subscriber_quota = SIZE_MAX;  // mappings of one inside address, of each protocol (RFC 6888 §3 REQ-4)
  Refresh refresh = Refresh::kOutbound;
  bool hairpin = false;                                       // RFC 4787 §6
  Duration mapping_timeout = std::chrono::minutes(2);         // RFC 4787 §4.3 REQ-5: at least two minutes
  Duration tcp_timeout = std::chrono::minutes(124);           // RFC 5382 §5 REQ-5: established, at least 2 h 4 min
  Duration tcp_transitory_timeout = std::chrono::minutes(4);  // RFC 5382 §5 REQ-5: partially open or closing
  Unsolicited unsolicited = Unsolicited::kDrop;
  OutboundPolicy outbound = OutboundPolicy::kAll;
  bool translate = true;       // false: a stateful firewall, addresses stay
  size_t max_mappings = 4096;  // of each protocol
  // Set: a NAT64 (RFC 6146 §3). Hosts inside have IPv6; what they send to addresses under this prefix of 96 bits leaves
  // with `external`, which is IPv4, to the address in the last 32 bits (RFC 6052 §2.2). Other IPv6 passes as it is.
  std::optional<IpAddress> nat64_prefix{};
};

struct NatStats {
  uint64_t mappings = 0;
  uint64_t outbound = 0;
  uint64_t inbound = 0;
  uint64_t filtered = 0;
  uint64_t no_mapping = 0;
  uint64_t exhausted = 0;   // no port, or no room for another mapping
  uint64_t over_quota = 0;  // of the subscriber
  uint64_t blocked = 0;     // by OutboundPolicy
  uint64_t moved = 0;       // mappings that had to differ because of what was rejected before
};

// The translation of one NAT (RFC 4787 for UDP, RFC 5382 for TCP, each with mappings of its own) or firewall. Told the
// time; owns its mappings and its random choices. World routes packets through it.
class Nat {
 public:
  Nat(const NatOptions& options, IpAddress external, Rng rng);

  // The source that the outside sees; nullopt when no port is left, or when the policy lets nothing out.
  std::optional<SocketAddress> Outbound(Timestamp now, const SocketAddress& inside, const SocketAddress& destination,
                                        PacketKind kind = PacketKind::kUdp);
  // The inside destination of a packet to `external` from `source`; nullopt: filtered or unmapped.
  std::optional<SocketAddress> Inbound(Timestamp now, const SocketAddress& external, const SocketAddress& source,
                                       PacketKind kind = PacketKind::kUdp);

  // What a packet that an ICMP error quotes was, or becomes, on the other side (RFC 5508 §4.2): the source outside of
  // one that `inside` sent to `destination`, and the inside of one that came from `source`. Errors make no mapping, and
  // keep none alive.
  std::optional<SocketAddress> ExternalOf(Timestamp now, const SocketAddress& inside, const SocketAddress& destination,
                                          PacketKind kind);
  std::optional<SocketAddress> InsideOf(Timestamp now, const SocketAddress& external, const SocketAddress& source,
                                        PacketKind kind);

  // What the inside asked for by a port mapping protocol (RFC 6887 §11.3): UDP to the returned address reaches `inside`
  // from everywhere, until `lifetime` is over; 0 ends it, as nullopt says. The same `inside` again renews. `wish` is
  // had if it is free.
  std::optional<SocketAddress> MapPort(Timestamp now, const SocketAddress& inside, uint16_t wish, Duration lifetime);

  const IpAddress& external() const { return external_; }
  const NatOptions& options() const { return options_; }
  const NatStats& stats() const { return stats_; }
  // A firewall that changes its mind. Mappings stay.
  void SetOutboundPolicy(OutboundPolicy policy) { options_.outbound = policy; }
  // A reboot: every mapping is gone, and World passes nothing on before `back`.
  void Reboot(Timestamp back = Timestamp::FromEpoch({}));
  bool IsDown(Timestamp now) const { return now < back_; }
  // A reboot after which the outside has another address; World::Renumber moves the routes too.
  void Renumber(IpAddress external, Timestamp back);

 private:
  struct Key {
    SocketAddress inside;
    SocketAddress destination;  // as far as the mapping behaviour looks
    auto operator<=>(const Key&) const = default;
  };
  enum class Phase : uint8_t { kUdp, kPartiallyOpen, kEstablished, kClosing };  // RFC 5382 §5
  using Slot = std::pair<SocketAddress, SocketAddress>;                         // external, inside
  struct Mapping {
    Key key;
    SocketAddress external;
    Timestamp refreshed;
    std::set<SocketAddress> sent_to{};
    Phase phase = Phase::kUdp;
    std::optional<Timestamp> mapped_until{};  // by MapPort
  };
  // Of one protocol. An external address has one mapping, unless ports are overloaded.
  struct Table {
    std::map<Slot, Mapping> by_external;
    std::map<Key, Slot> by_key;
    bool Has(const SocketAddress& external) const;
  };

  Table& TableFor(PacketKind kind) { return kind == PacketKind::kUdp ? udp_ : tcp_; }
  Key KeyFor(const SocketAddress& inside, const SocketAddress& destination) const;
  bool MayLeave(const SocketAddress& destination, PacketKind kind) const;
  bool MustMove(Timestamp now, const SocketAddress& inside, const SocketAddress& destination) const;
  Mapping* Find(Timestamp now, Table& table, const Key& key);
  Mapping* Allocate(Timestamp now, Table& table, const Key& key);
  bool HasRoom(Timestamp now, Table& table, const IpAddress& subscriber);
  std::optional<SocketAddress> ChooseExternal(const Table& table, const SocketAddress& inside);
  std::optional<SocketAddress> NextFree(const Table& table);
  Mapping* FindInbound(Timestamp now, Table& table, const SocketAddress& external, const SocketAddress& source);
  bool Admits(const Mapping& mapping, const SocketAddress& source) const;
  bool IsExpired(Timestamp now, const Mapping& mapping) const;
  void BindSession(Table& table, const Mapping& mapping, const SocketAddress& source);
  void NoteRejected(Timestamp now, const SocketAddress& external, const SocketAddress& source);
  static void Remove(Table& table, Slot slot);
  void DropExpired(Timestamp now, Table& table);

  NatOptions options_;
  IpAddress external_;
  Rng rng_;
  Table udp_;
  Table tcp_;
  std::map<std::pair<SocketAddress, SocketAddress>, Timestamp> rejected_;  // (external, source): when last
  uint16_t next_port_;
  Timestamp back_ = Timestamp::FromEpoch({});
  NatStats stats_;
};

}  // namespace jsp::netsim
