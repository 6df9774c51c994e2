#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.h"
#include "netsim/nat_type.h"
#include "netsim/two_sides.h"
namespace jsp::natlab {

// One NAT or firewall that a Linux kernel is to be, by nftables. Its interface to the outside is called "wan".
struct KernelNat {
  // A netsim::NatType's name, or what only kernels have: "one2one" (one address inside for one outside), "sym-linux"
  // (masquerade fully-random).
  std::string type;
  IpAddress outside;     // of the same family as inside
  IpAddress inside;      // of the host; needed for one2one, and for all that admits strangers over IPv6
  uint64_t seed = 1;     // of the ports that are chosen
  bool hairpin = false;  // whoever asks, without a look at the filter (RFC 4787 §6)
  // How many mappings there may be, of each protocol; the quota is each subscriber's. Any ports: a kernel tells
  // sessions apart by both ends and does not run out of them.
  netsim::PortLimits ports{};
  std::vector<IpAddress> subscribers{};  // hosts behind it
  // Of a UDP mapping without packets, RFC 4787 §4.3. The sessions' own timers are the kernel's (KernelLab).
  std::chrono::seconds udp_timeout = std::chrono::seconds(120);
  // What keeps one alive, RFC 4787 §4.3 REQ-6. A kernel knows packets of either side alone: with kOutbound rules watch
  // for those from inside, and keep out what comes to a mapping without any.
  netsim::Refresh refresh = netsim::Refresh::kBoth;
};

// All that KernelNat::type may be, but "public", which needs no rules.
std::vector<std::string> KernelNatTypes();
bool IsKernelNatType(std::string_view type);
// For `nft -f -`.
std::string NftRules(const KernelNat& nat);
// The same of a NAT that passes nothing on.
std::string NftRulesOfDown(IpAddress::Family family);

}  // namespace jsp::natlab
