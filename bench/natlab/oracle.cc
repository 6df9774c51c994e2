#include "bench/natlab/oracle.h"

#include <algorithm>
#include <cstddef>

namespace jsp::natlab {
namespace {

using netsim::FilteringBehavior;
using netsim::MappingBehavior;
using netsim::NatOptions;
using netsim::NatType;

constexpr bool IsStable(const NatOptions& nat) { return nat.mapping == MappingBehavior::kEndpointIndependent; }

bool LetsUdpOut(const NatOptions& nat) { return nat.outbound == netsim::OutboundPolicy::kAll; }

// What a side's NATs do together: its own, and the carrier's in front of it.
NatOptions Together(NatType type, const Joint& joint) {
  NatOptions nat = netsim::OptionsFor(type);
  const MappingBehavior overloaded = MappingBehavior::kEndpointIndependent;
  if (!joint.carrier) {
    if (!joint.ports.overload) return nat;
    nat.mapping = overloaded;
    nat.unsolicited = netsim::Unsolicited::kDrop;  // what was rejected takes no port away from anybody
    return nat;
  }
  NatOptions carrier = netsim::OptionsFor(*joint.carrier);
  if (joint.ports.overload) carrier.mapping = overloaded;
  nat.mapping = std::max(nat.mapping, carrier.mapping);
  nat.filtering = std::max(nat.filtering, carrier.filtering);
  nat.translate = nat.translate || carrier.translate;
  if (carrier.outbound != netsim::OutboundPolicy::kAll) nat.outbound = carrier.outbound;
  // What the carrier's NAT keeps out in silence is never there to be rejected.
  const bool passes = carrier.filtering == FilteringBehavior::kEndpointIndependent;
  if (!passes) nat.unsolicited = carrier.unsolicited;
  return nat;
}

// a's NAT as the early checks of b leave it. A filter that admits everybody rejects nobody; and where b's own address
// is public, a's first check goes right there, while b's first one still goes to a's private address.
NatOptions AsOfferer(NatType type, const Joint& joint, const NatOptions& answerer) {
  NatOptions nat = Together(type, joint);
  const bool rejects = nat.unsolicited == netsim::Unsolicited::kReject &&
                       nat.filtering != FilteringBehavior::kEndpointIndependent && answerer.translate;
  if (rejects) nat.mapping = MappingBehavior::kAddressAndPortDependent;
  return nat;
}

// An open filter behind a destination-dependent mapping still lets a datagram in, through the mapping that the server
// saw.
bool CanReach(const NatOptions& from, const NatOptions& to) {
  if (to.filtering == FilteringBehavior::kEndpointIndependent) return true;
  return IsStable(to) && (to.filtering == FilteringBehavior::kAddressDependent || IsStable(from));
}

bool IsDirectPossible(const NatOptions& a, const NatOptions& b) {
  return LetsUdpOut(a) && LetsUdpOut(b) && (CanReach(a, b) || CanReach(b, a));
}

// How many ports a side's NATs have to give before its checks get to where the other side's mapping is.
size_t PortsForChecks(const NatOptions& nat, NatType other, const Joint& joint, RelayService relay) {
  if (IsStable(nat)) return 1;
  const size_t servers = relay == RelayService::kPresent ? 2 : 1;
  // A host's own address is told, and checked before its reflexive one; that of a NAT64's is IPv6, and cannot be.
  const bool is_translated = joint.carrier || (other != NatType::kPublic && netsim::OptionsFor(other).translate);
  const bool is_checked_in_vain = is_translated && other != NatType::kNat64;
  return servers + (is_checked_in_vain ? 2 : 1);
}

bool IsDirectWithPorts(const NatOptions& a, const NatOptions& b, bool a_has_ports, bool b_has_ports) {
  const auto opens = [](const NatOptions& to, bool has_ports) {
    return has_ports || to.filtering == FilteringBehavior::kEndpointIndependent;
  };
  return (a_has_ports && opens(b, b_has_ports) && CanReach(a, b)) ||
         (b_has_ports && opens(a, a_has_ports) && CanReach(b, a));
}

// Both inside of one carrier's network: an address there is reached without its NAT.
bool CanMeetInside(NatType a, NatType b) {
  const NatOptions of_a = netsim::OptionsFor(a);
  const NatOptions of_b = netsim::OptionsFor(b);
  if (!LetsUdpOut(of_a) || !LetsUdpOut(of_b)) return false;
  return a == NatType::kPublic || b == NatType::kPublic || (!of_a.translate && !of_b.translate);
}

bool CanConnectByTcp(NatType a, NatType b, const Joint& joint) {
  const bool is_hidden = joint.carrier && joint.site != netsim::Site::kSameCarrier;
  return joint.ice_tcp && !is_hidden && (a == NatType::kPublic || b == NatType::kPublic);
}

struct Cell {
  NatType a;
  NatType b;
  const Joint& joint;
  RelayService relay;
};

// Empty when there are enough ports for a direct way that is there otherwise.
std::string WhyNoPorts(const NatOptions& offerer, const NatOptions& answerer, const Cell& cell) {
  const size_t has = cell.joint.ports.least();
  const size_t a_needs = PortsForChecks(offerer, cell.b, cell.joint, cell.relay);
  const size_t b_needs = PortsForChecks(answerer, cell.a, cell.joint, cell.relay);
  if (IsDirectWithPorts(offerer, answerer, has >= a_needs, has >= b_needs)) return {};
  const bool is_a = has < a_needs;
  return std::string(is_a ? "a" : "b") + "'s NAT maps per destination and gives " + std::to_string(has) + " of the " +
         std::to_string(is_a ? a_needs : b_needs) + " ports that this takes";
}

// As far as it depends on how the sides are joined; nullopt: on their NATs alone.
std::optional<bool> IsDirectByJoint(NatType a, NatType b, const Joint& joint) {
  if (joint.site == netsim::Site::kSameLan) return true;
  if (a == NatType::kNat64 && b == NatType::kNat64) return true;
  if (joint.site != netsim::Site::kSameCarrier) return std::nullopt;
  if (CanMeetInside(a, b)) return true;
  if (!joint.hairpin) return false;
  return std::nullopt;
}

bool Rejects(const NatOptions& nat) { return nat.unsolicited == netsim::Unsolicited::kReject; }

// A fresh socket's first packet is before any check that a's NAT could reject, and b's NAT, if it rejects that one, is
// where a's was before. Only where both NATs are stable, as what asks for fresh sockets goes by that.
bool IsRecoverable(const NatOptions& a, const NatOptions& b) {
  return IsStable(a) && IsStable(b) && !Rejects(b) && IsDirectPossible(a, b);
}

// Of the side that maps per destination, where one alone does.
bool IsPredicted(const NatOptions& a, const NatOptions& b) {
  return (IsStable(a) ? b : a).ports == netsim::PortAllocation::kSequential;
}

// What opens a mapping is rejected, and remembered, unless a check went to that port before: one that was predicted.
bool CanProbe(const NatOptions& a, const NatOptions& b) {
  if (!LetsUdpOut(a) || !LetsUdpOut(b) || IsStable(a) == IsStable(b)) return false;
  return IsPredicted(a, b) || !Rejects(IsStable(a) ? a : b);
}

}  // namespace

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

Outcome ExpectedOutcome(NatType a, NatType b, RelayService relay, const Joint& joint, HardNats hard) {
  if (WhyNotDirect(a, b, joint, relay).empty()) return Outcome::kDirect;
  const NatOptions offerer = Together(a, joint);
  const NatOptions answerer = Together(b, joint);
  const bool may_cross = hard == HardNats::kCrossed && IsDirectByJoint(a, b, joint) != false;
  if (may_cross && (IsRecoverable(offerer, answerer) || CanProbe(offerer, answerer))) return Outcome::kDirect;
  return relay == RelayService::kPresent ? Outcome::kRelay : Outcome::kNone;
}

bool IsWonByChance(NatType a, NatType b, RelayService relay, const Joint& joint, HardNats hard) {
  if (ExpectedOutcome(a, b, relay, joint, hard) != Outcome::kDirect) return false;
  if (ExpectedOutcome(a, b, relay, joint) == Outcome::kDirect) return false;
  const NatOptions offerer = Together(a, joint);
  const NatOptions answerer = Together(b, joint);
  return !IsRecoverable(offerer, answerer) && !IsPredicted(offerer, answerer);
}

bool IsLostToEarlyCheck(NatType a, NatType b, RelayService relay, const Joint& joint) {
  if (ExpectedOutcome(a, b, relay, joint) == Outcome::kDirect || IsDirectByJoint(a, b, joint)) return false;
  const NatOptions offerer = Together(a, joint);
  const NatOptions answerer = Together(b, joint);
  return IsDirectPossible(offerer, answerer) && WhyNoPorts(offerer, answerer, {a, b, joint, relay}).empty();
}

std::string WhyNotDirect(NatType a, NatType b, const Joint& joint, RelayService relay) {
  if (CanConnectByTcp(a, b, joint)) return {};
  const auto by_joint = IsDirectByJoint(a, b, joint);
  if (by_joint == true) return {};
  const NatOptions answerer = Together(b, joint);
  const NatOptions offerer = AsOfferer(a, joint, answerer);
  if (!by_joint && IsDirectPossible(offerer, answerer)) return WhyNoPorts(offerer, answerer, {a, b, joint, relay});
  if (!LetsUdpOut(offerer) && !LetsUdpOut(answerer)) return "both networks block UDP";
  if (!LetsUdpOut(offerer)) return "a's network blocks UDP";
  if (!LetsUdpOut(answerer)) return "b's network blocks UDP";
  if (by_joint == false) {
    return "both are behind one carrier's NAT, which does not hairpin, and neither can be addressed inside of it";
  }
  const bool was_moved = !IsStable(offerer) && IsStable(Together(a, joint));
  const std::string moved =
      "a's NAT rejected b's early check and then had to map a to another port than the signalled one";
  if (IsStable(offerer) || IsStable(answerer)) {
    const std::string other = IsStable(offerer) ? "a" : "b";
    const std::string mover = IsStable(offerer) ? "b maps per destination" : "a maps per destination";
    return (was_moved ? moved : mover) + ", and " + other + "'s filter admits only the port that it sent to";
  }
  return was_moved ? moved + ", and b maps per destination"
                   : "both sides map per destination, so neither's signalled address is where its checks come from";
}

}  // namespace jsp::natlab
