#pragma once
#include <cstdint>

#include "netsim/nat_type.h"
namespace jsp::natlab {

enum class Outcome : uint8_t { kDirect, kRelay, kNone };
const char* ToString(Outcome outcome);  // "direct", "relay", "none"

// What must happen between two kinds of NAT, computed from their behaviours, not from experience. A check from a
// succeeds at z if z maps endpoint-independently, so that its signalled address is where its own checks and responses
// come from, and either z filters by address at most, or a maps endpoint-independently too, so that the port that z
// sent to is the port that a sends from. Behind a destination-dependent mapping an open filter does not help: the check
// gets in through the mapping that the server saw, but its response leaves through another one, which is not symmetric
// (RFC 8445 §7.2.5.2.1).
bool CanCheck(netsim::NatType from, netsim::NatType to);
Outcome Expected(netsim::NatType a, netsim::NatType z, bool relay);

}  // namespace jsp::natlab
