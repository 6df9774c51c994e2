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

bool CanCheck(NatType from, NatType to) {
  const auto a = netsim::OptionsFor(from);
  const auto z = netsim::OptionsFor(to);
  if (z.mapping != MappingBehavior::kEndpointIndependent) return false;
  return z.filtering != FilteringBehavior::kAddressAndPortDependent ||
         a.mapping == MappingBehavior::kEndpointIndependent;
}

Outcome Expected(NatType a, NatType z, bool relay) {
  if (CanCheck(a, z) || CanCheck(z, a)) return Outcome::kDirect;
  return relay ? Outcome::kRelay : Outcome::kNone;
}

}  // namespace jsp::natlab
