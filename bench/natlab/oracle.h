#pragma once
#include <cstdint>

#include "netsim/nat_type.h"
namespace jsp::natlab {

enum class Outcome : uint8_t { kDirect, kRelay, kNone };
const char* ToString(Outcome outcome);  // "direct", "relay", "none"

// What must happen between two kinds of NAT, computed from their behaviours, not from experience. A datagram from a can
// reach z first if z filters endpoint-independently, or if z maps endpoint-independently (so that its signalled address
// is where its own checks come from) and either z filters by address only, or a maps endpoint-independently too (so
// that the port that z sent to is the port that a sends from).
bool CanReach(netsim::NatType from, netsim::NatType to);
Outcome Expected(netsim::NatType a, netsim::NatType z, bool relay);

}  // namespace jsp::natlab
