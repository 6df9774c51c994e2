#include "netsim/two_sides.h"

#include <string>

namespace jsp::netsim {
namespace {

// A LAN is quick and quiet: what matters is the access link.
LinkOptions Lan() {
  LinkOptions lan;
  lan.delay = std::chrono::microseconds(200);
  return lan;
}

struct Side {
  NodeId host;
  IpAddress address;
  std::optional<NodeId> nat{};
};

// RFC 5737 and RFC 3849 for the outside, RFC 1918 and RFC 4193 for the inside.
IpAddress Outside(IpAddress::Family family, uint8_t number) {
  if (family == IpAddress::Family::kV4) return IpAddress::V4(203, 0, 113, number);
  return *IpAddress::Parse("2001:db8:a::" + std::to_string(number));
}
IpAddress Inside(IpAddress::Family family, uint8_t number) {
  if (family == IpAddress::Family::kV4) return IpAddress::V4(10, 0, number, 2);
  return *IpAddress::Parse("fd00:0:0:" + std::to_string(number) + "::2");
}

Side BuildSide(World& world, const TwoSidesOptions& options, NatType type, uint8_t number) {
  const LinkOptions& access = number == 1 ? options.a_access : options.z_access;
  const IpAddress outside = Outside(options.family, number);
  if (type == NatType::kPublic) return {world.AddHost(World::kInternet, outside, access), outside};
  const NatOptions nat_options = OptionsFor(type);
  const IpAddress inside = nat_options.translate ? Inside(options.family, number) : outside;
  const IpAddress nat_address =
      nat_options.translate ? outside : Outside(options.family, static_cast<uint8_t>(number + 100));
  const NodeId nat = world.AddNat(World::kInternet, nat_address, nat_options, access);
  return {world.AddHost(nat, inside, Lan()), inside, nat};
}

}  // namespace

TwoSides TwoSides::Build(World& world, const TwoSidesOptions& options) {
  const Side a = BuildSide(world, options, options.a, 1);
  const Side z = BuildSide(world, options, options.z, 2);
  const bool is_v4 = options.family == IpAddress::Family::kV4;
  const IpAddress server = is_v4 ? IpAddress::V4(198, 51, 100, 1) : *IpAddress::Parse("2001:db8:b::1");
  const NodeId server_host = world.AddHost(World::kInternet, server, options.server_access);
  return {a.host, z.host, server_host, a.address, z.address, server, a.nat, z.nat};
}

}  // namespace jsp::netsim
