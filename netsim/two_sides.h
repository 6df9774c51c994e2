#pragma once
#include <optional>

#include "netsim/link.h"
#include "netsim/nat_type.h"
#include "netsim/world.h"
namespace jsp::netsim {

// The standard internet of the NAT lab: side a and side z, each a host behind a NAT (or none), and a host in the open
// for servers. Owns nothing; builds into the world.
struct TwoSidesOptions {
  NatType a = NatType::kPublic;
  NatType z = NatType::kPublic;
  LinkOptions a_access{};  // of the NAT, or of the host when it is public
  LinkOptions z_access{};
  LinkOptions server_access{};
  // IPv6: the same behaviours, between a unique local and a global address where they translate (RFC 4193, RFC 3849).
  IpAddress::Family family = IpAddress::Family::kV4;
};

struct TwoSides {
  NodeId a_host;
  NodeId z_host;
  NodeId server_host;
  IpAddress a_address;  // of the host: private behind a translating NAT
  IpAddress z_address;
  IpAddress server_address;
  std::optional<NodeId> a_nat;  // none where the host is public
  std::optional<NodeId> z_nat;

  static TwoSides Build(World& world, const TwoSidesOptions& options);
};

}  // namespace jsp::netsim
