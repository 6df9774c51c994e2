#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>

#include "netsim/link.h"
#include "netsim/nat_type.h"
#include "netsim/world.h"
namespace jsp::netsim {

// How two sides are joined to the internet, besides by the NATs of their own.
enum class Site : uint8_t {
  kApart,        // each by an access of its own, behind a carrier's NAT of its own if there is a carrier
  kSameLan,      // both hosts behind one NAT, that of side a
  kSameCarrier,  // each behind a NAT of its own, and both of those behind one of the carrier
};

// Which mappings of each protocol a NAT has to give; nullopt: as many as there are ports.
struct PortLimits {
  std::optional<uint16_t> pool{};   // NatOptions::pool, from port 50000 on where it has so many above
  std::optional<uint16_t> quota{};  // NatOptions::subscriber_quota
  bool overload = false;            // PortAllocation::kOverload, whatever the type says
  size_t least() const { return std::min<size_t>(pool.value_or(UINT16_MAX), quota.value_or(UINT16_MAX)); }
};

// What keeps mappings alive, and how long; nullopt: NatOptions::mapping_timeout.
struct NatTimers {
  Refresh refresh = Refresh::kOutbound;
  std::optional<Duration> udp{};
};

// Of a NAT of that type with these ports and timers.
NatOptions OptionsFor(NatType type, const PortLimits& limits, const NatTimers& timers);

// The standard internet of the NAT lab: side a and side z, each a host behind a NAT (or none), and a host in the open
// for servers. Owns nothing; builds into the world.
struct TwoSidesOptions {
  NatType a = NatType::kPublic;
  NatType z = NatType::kPublic;
  Site site = Site::kApart;
  std::optional<NatType> carrier{};  // of the NAT in front of the sides' own (RFC 6888 §3); kSameCarrier needs one
  bool hairpin = false;              // of the carrier's NAT (RFC 4787 §6)
  PortLimits ports{};                // of the carrier's NAT, else of the sides' own
  NatTimers timers{};                // likewise
  LinkOptions a_access{};            // of the NAT, or of the host when it is public
  LinkOptions z_access{};
  LinkOptions server_access{};
  // IPv6: the same behaviours, between a unique local and a global address where they translate (RFC 4193, RFC 3849).
  IpAddress::Family family = IpAddress::Family::kV4;
};

// The addresses of side a (1) and side z (2): RFC 5737 and RFC 3849 for the outside, RFC 1918 and RFC 4193 for the
// inside, RFC 6598 §7 between a carrier's NAT and those behind it. A firewall that translates nothing is at number +
// 100. Behind a NAT64 hosts have global IPv6 addresses.
IpAddress OutsideAddress(IpAddress::Family family, uint8_t number);
IpAddress InsideAddress(IpAddress::Family family, uint8_t number);
IpAddress AddressBehindCarrier(IpAddress::Family family, uint8_t number);
IpAddress AddressBehindNat64(uint8_t number);
IpAddress ServerAddress(IpAddress::Family family);

struct TwoSides {
  NodeId a_host;
  NodeId z_host;
  NodeId server_host;
  IpAddress a_address;  // of the host: private behind a translating NAT
  IpAddress z_address;
  IpAddress server_address;
  std::optional<NodeId> a_nat;  // none where the host is public
  std::optional<NodeId> z_nat;
  std::optional<NodeId> a_carrier{};  // the same one with Site::kSameCarrier
  std::optional<NodeId> z_carrier{};

  static TwoSides Build(World& world, const TwoSidesOptions& options);
};

}  // namespace jsp::netsim
