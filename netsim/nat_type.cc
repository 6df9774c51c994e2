#include "netsim/nat_type.h"

#include <array>
#include <utility>

namespace jsp::netsim {
namespace {

using M = MappingBehavior;
using F = FilteringBehavior;
using P = PortAllocation;

struct Named {
  NatType type;
  std::string_view name;
  M mapping;
  F filtering;
  P ports;
};

// RFC 4787 §4.1 and §5 in the order that NatType declares.
constexpr std::array<Named, 14> kNamed = {{
    {NatType::kPublic, "public", M::kEndpointIndependent, F::kEndpointIndependent, P::kPreserve},
    {NatType::kFirewall, "fw", M::kEndpointIndependent, F::kAddressAndPortDependent, P::kPreserve},
    {NatType::kFullCone, "fullcone", M::kEndpointIndependent, F::kEndpointIndependent, P::kPreserve},
    {NatType::kAddress, "addr", M::kEndpointIndependent, F::kAddressDependent, P::kPreserve},
    {NatType::kPort, "port", M::kEndpointIndependent, F::kAddressAndPortDependent, P::kPreserve},
    {NatType::kPortReject, "port-rej", M::kEndpointIndependent, F::kAddressAndPortDependent, P::kPreserve},
    {NatType::kPortRandom, "port-rnd", M::kEndpointIndependent, F::kAddressAndPortDependent, P::kRandom},
    {NatType::kAddressMapping, "adm", M::kAddressDependent, F::kAddressAndPortDependent, P::kRandom},
    {NatType::kSymmetric, "sym", M::kAddressAndPortDependent, F::kAddressAndPortDependent, P::kRandom},
    {NatType::kSymmetricSequential, "sym-seq", M::kAddressAndPortDependent, F::kAddressAndPortDependent,
     P::kSequential},
    {NatType::kSymmetricOpen, "sym-eif", M::kAddressAndPortDependent, F::kEndpointIndependent, P::kRandom},
    {NatType::kUdpBlocked, "udpblock", M::kEndpointIndependent, F::kAddressAndPortDependent, P::kPreserve},
    {NatType::kTcp443, "tcp443", M::kEndpointIndependent, F::kAddressAndPortDependent, P::kPreserve},
    // RFC 6146 §3.5.1: bindings are endpoint-independent, and filtering may depend on addresses.
    {NatType::kNat64, "nat64", M::kEndpointIndependent, F::kAddressDependent, P::kPreserve},
}};

constexpr std::array<NatType, kNamed.size() - 2> kTypes = [] {
  std::array<NatType, kNamed.size() - 2> types{};
  for (size_t i = 0; i < types.size(); ++i) types[i] = kNamed[i].type;
  return types;
}();

const Named& Find(NatType type) { return kNamed[static_cast<size_t>(type)]; }

}  // namespace

std::span<const NatType> AllNatTypes() { return kTypes; }

std::string NatTypeNames() {
  std::string names;
  for (const auto& named : kNamed) names += (names.empty() ? "" : ", ") + std::string(named.name);
  return names;
}

IpAddress WellKnownNat64Prefix() { return *IpAddress::Parse("64:ff9b::"); }

std::string_view ToString(NatType type) { return Find(type).name; }

std::optional<NatType> ParseNatType(std::string_view name) {
  for (const auto& named : kNamed) {
    if (named.name == name) return named.type;
  }
  return std::nullopt;
}

NatOptions OptionsFor(NatType type) {
  NatOptions options;
  options.mapping = Find(type).mapping;
  options.filtering = Find(type).filtering;
  options.ports = Find(type).ports;
  options.translate = type != NatType::kFirewall && type != NatType::kPublic;
  if (type == NatType::kPortReject) options.unsolicited = Unsolicited::kReject;
  if (type == NatType::kUdpBlocked) options.outbound = OutboundPolicy::kNoUdp;
  if (type == NatType::kTcp443) options.outbound = OutboundPolicy::kOnlyTcp443;
  if (type == NatType::kNat64) options.nat64_prefix = WellKnownNat64Prefix();
  return options;
}

}  // namespace jsp::netsim
