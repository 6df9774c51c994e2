#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "netsim/nat.h"
namespace jsp::netsim {

// The field's short names of what a host may sit behind (docs/netsim.md).
enum class NatType : uint8_t {
  kPublic,               // "public": nothing
  kFirewall,             // "fw": no translation, address- and port-dependent filtering
  kFullCone,             // "fullcone": endpoint-independent mapping and filtering
  kAddress,              // "addr": endpoint-independent mapping, address-dependent filtering
  kPort,                 // "port": endpoint-independent mapping, address- and port-dependent filtering, port preserved
  kPortReject,           // "port-rej": as port, but rejects what it does not admit, see netsim::Unsolicited
  kPortRandom,           // "port-rnd": as port, random ports
  kAddressMapping,       // "adm": address-dependent mapping, address- and port-dependent filtering
  kSymmetric,            // "sym": address- and port-dependent mapping and filtering, random ports
  kSymmetricSequential,  // "sym-seq": as sym, ports one after the other
  kSymmetricOpen,        // "sym-eif": address- and port-dependent mapping, endpoint-independent filtering
  kUdpBlocked,           // "udpblock": TCP as port, no UDP
  kTcp443,               // "tcp443": as udpblock, and TCP to port 443 alone
  kNat64,                // "nat64": a network with IPv6 only, and a NAT64 to IPv4: mapping and filtering as addr
};

// Of one family of addresses, and each different towards peers: each against each other makes a matrix. All but
// kTcp443, which is kUdpBlocked to them, and kNat64.
std::span<const NatType> AllNatTypes();
// "public, fw, …", everything that ParseNatType knows: for messages.
std::string NatTypeNames();
std::string_view ToString(NatType type);
std::optional<NatType> ParseNatType(std::string_view name);
// RFC 6052 §2.1: the Well-Known Prefix, 64:ff9b::/96, which the NAT64 of kNat64 has.
IpAddress WellKnownNat64Prefix();
// What the type means for World::AddNat; not for kPublic.
NatOptions OptionsFor(NatType type);

}  // namespace jsp::netsim
