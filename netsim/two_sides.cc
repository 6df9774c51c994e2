#include "netsim/two_sides.h"

#include <algorithm>
#include <string>

namespace jsp::netsim {
namespace {

constexpr int kPoolBegin = 50000;

// A LAN is quick and quiet: what matters is the access link.
LinkOptions Lan() {
  LinkOptions lan;
  lan.delay = std::chrono::microseconds(200);
  return lan;
}

}  // namespace

NatOptions OptionsFor(NatType type, const PortLimits& limits, const NatTimers& timers) {
  NatOptions nat = OptionsFor(type);
  nat.refresh = timers.refresh;
  nat.mapping_timeout = timers.udp.value_or(nat.mapping_timeout);
  if (limits.overload) nat.ports = PortAllocation::kOverload;
  if (limits.pool) nat.pool = {static_cast<uint16_t>(std::min(65536 - *limits.pool, kPoolBegin)), 0};
  if (limits.pool) nat.pool.high = static_cast<uint16_t>(nat.pool.low + *limits.pool - 1);
  if (limits.quota) nat.subscriber_quota = *limits.quota;
  return nat;
}

namespace {

struct Side {
  NodeId host;
  IpAddress address;
  std::optional<NodeId> nat{};
};

// Where a side is attached: below which node, how far, and with which addresses there.
struct Place {
  NodeId parent = World::kInternet;
  LinkOptions link{};
  IpAddress (*address)(IpAddress::Family family, uint8_t number) = &OutsideAddress;
};

Side BuildSide(World& world, const TwoSidesOptions& options, NatType type, uint8_t number, const Place& place) {
  const IpAddress outside = place.address(options.family, number);
  if (type == NatType::kPublic) return {world.AddHost(place.parent, outside, place.link), outside};
  const NatOptions nat_options = options.carrier ? OptionsFor(type) : OptionsFor(type, options.ports, options.timers);
  IpAddress inside = nat_options.translate ? InsideAddress(options.family, number) : outside;
  if (type == NatType::kNat64) inside = AddressBehindNat64(number);
  const IpAddress nat_address =
      nat_options.translate ? outside : place.address(options.family, static_cast<uint8_t>(number + 100));
  const NodeId nat = world.AddNat(place.parent, nat_address, nat_options, place.link);
  return {world.AddHost(nat, inside, Lan()), inside, nat};
}

NodeId BuildCarrier(World& world, const TwoSidesOptions& options, uint8_t number) {
  NatOptions nat = OptionsFor(*options.carrier, options.ports, options.timers);
  nat.hairpin = options.hairpin;
  return world.AddNat(World::kInternet, OutsideAddress(options.family, number), nat,
                      number == 1 ? options.a_access : options.z_access);
}

// A second host on a's LAN; where there is none, beside a.
Side BuildNeighbour(World& world, const TwoSidesOptions& options, const Side& a, const Place& place) {
  if (!a.nat) return BuildSide(world, options, NatType::kPublic, 2, place);
  const bool translates = OptionsFor(options.a).translate;
  IpAddress address = translates ? InsideAddress(options.family, 2) : place.address(options.family, 2);
  if (options.a == NatType::kNat64) address = AddressBehindNat64(2);
  return {world.AddHost(*a.nat, address, Lan()), address, a.nat};
}

}  // namespace

IpAddress OutsideAddress(IpAddress::Family family, uint8_t number) {
  if (family == IpAddress::Family::kV4) return IpAddress::V4(203, 0, 113, number);
  return *IpAddress::Parse("2001:db8:a::" + std::to_string(number));
}

IpAddress InsideAddress(IpAddress::Family family, uint8_t number) {
  if (family == IpAddress::Family::kV4) return IpAddress::V4(10, 0, number, 2);
  return *IpAddress::Parse("fd00:0:0:" + std::to_string(number) + "::2");
}

IpAddress AddressBehindCarrier(IpAddress::Family family, uint8_t number) {
  if (family == IpAddress::Family::kV4) return IpAddress::V4(100, 64, 0, number);
  return *IpAddress::Parse("fd00:0:64::" + std::to_string(number));
}

IpAddress AddressBehindNat64(uint8_t number) { return *IpAddress::Parse("2001:db8:64::" + std::to_string(number)); }

IpAddress ServerAddress(IpAddress::Family family) {
  return family == IpAddress::Family::kV4 ? IpAddress::V4(198, 51, 100, 1) : *IpAddress::Parse("2001:db8:b::1");
}

TwoSides TwoSides::Build(World& world, const TwoSidesOptions& options) {
  Place a_place{.link = options.a_access};
  Place z_place{.link = options.z_access};
  std::optional<NodeId> a_carrier, z_carrier;
  if (options.carrier) {
    a_carrier = z_carrier = BuildCarrier(world, options, 1);
    if (options.site == Site::kApart) z_carrier = BuildCarrier(world, options, 2);
    a_place = {*a_carrier, Lan(), &AddressBehindCarrier};
    z_place = {*z_carrier, Lan(), &AddressBehindCarrier};
  }
  const Side a = BuildSide(world, options, options.a, 1, a_place);
  const Side z = options.site == Site::kSameLan ? BuildNeighbour(world, options, a, z_place)
                                                : BuildSide(world, options, options.z, 2, z_place);
  const IpAddress server = ServerAddress(options.family);
  const NodeId server_host = world.AddHost(World::kInternet, server, options.server_access);
  return {a.host, z.host, server_host, a.address, z.address, server, a.nat, z.nat, a_carrier, z_carrier};
}

}  // namespace jsp::netsim
