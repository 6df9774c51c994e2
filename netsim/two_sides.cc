#include "netsim/two_sides.h"

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
};

Side BuildSide(World& world, NatType type, uint8_t number, const LinkOptions& access) {
  // RFC 5737 for the outside, RFC 1918 for the inside.
  const IpAddress outside = IpAddress::V4(203, 0, 113, number);
  if (type == NatType::kPublic) return {world.AddHost(World::kInternet, outside, access), outside};
  const NatOptions options = OptionsFor(type);
  const IpAddress inside = options.translate ? IpAddress::V4(10, 0, number, 2) : outside;
  const IpAddress nat_address =
      options.translate ? outside : IpAddress::V4(203, 0, 113, static_cast<uint8_t>(number + 100));
  const NodeId nat = world.AddNat(World::kInternet, nat_address, options, access);
  return {world.AddHost(nat, inside, Lan()), inside};
}

}  // namespace

TwoSides TwoSides::Build(World& world, const TwoSidesOptions& options) {
  const Side a = BuildSide(world, options.a, 1, options.a_access);
  const Side z = BuildSide(world, options.z, 2, options.z_access);
  const IpAddress server = IpAddress::V4(198, 51, 100, 1);
  const NodeId server_host = world.AddHost(World::kInternet, server, options.server_access);
  return {a.host, z.host, server_host, a.address, z.address, server};
}

}  // namespace jsp::netsim
