#include "bench/natlab/oracle.h"

namespace jsp::natlab {

using netsim::FilteringBehavior;
using netsim::MappingBehavior;
using netsim::NatType;

const char* ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDirect:
      return "direct";
    case Outcome::kRelay:
      return "relay";
    case Outcome::kNone:
      return "none";
  }
  return "unknown";
}

bool CanReach(NatType from, NatType to) {
  const auto a = netsim::OptionsFor(from);
  const auto z = netsim::OptionsFor(to);
  // An open filter behind a destination-dependent mapping still lets a datagram in, through the mapping that the server
  // saw.
  if (z.filtering == FilteringBehavior::kEndpointIndependent) return true;
  return z.mapping == MappingBehavior::kEndpointIndependent &&
         (z.filtering == FilteringBehavior::kAddressDependent || a.mapping == MappingBehavior::kEndpointIndependent);
}

Outcome Expected(NatType a, NatType z, bool relay) {
  if (CanReach(a, z) || CanReach(z, a)) return Outcome::kDirect;
  return relay ? Outcome::kRelay : Outcome::kNone;
}

}  // namespace jsp::natlab
