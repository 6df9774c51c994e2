#include "bench/natlab/oracle.h"

#include <algorithm>

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
  if (!joint.carrier) return nat;
  const NatOptions carrier = netsim::OptionsFor(*joint.carrier);
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

// As far as it depends on how the sides are joined; nullopt: on their NATs alone.
std::optional<bool> IsDirectByJoint(NatType a, NatType b, const Joint& joint) {
  if (joint.site == netsim::Site::kSameLan) return true;
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

// What opens a mapping is rejected, and remembered, unless a check went to that port before: one that was predicted.
bool CanProbe(const NatOptions& a, const NatOptions& b) {
  if (!LetsUdpOut(a) || !LetsUdpOut(b) || IsStable(a) == IsStable(b)) return false;
  const bool is_predicted = (IsStable(a) ? b : a).ports == netsim::PortAllocation::kSequential;
  return is_predicted || !Rejects(IsStable(a) ? a : b);
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
  if (WhyNotDirect(a, b, joint).empty()) return Outcome::kDirect;
  const NatOptions offerer = Together(a, joint);
  const NatOptions answerer = Together(b, joint);
  const bool may_cross = hard == HardNats::kCrossed && IsDirectByJoint(a, b, joint) != false;
  if (may_cross && (IsRecoverable(offerer, answerer) || CanProbe(offerer, answerer))) return Outcome::kDirect;
  return relay == RelayService::kPresent ? Outcome::kRelay : Outcome::kNone;
}

std::string WhyNotDirect(NatType a, NatType b, const Joint& joint) {
  if (CanConnectByTcp(a, b, joint)) return {};
  const auto by_joint = IsDirectByJoint(a, b, joint);
  if (by_joint == true) return {};
  const NatOptions answerer = Together(b, joint);
  const NatOptions offerer = AsOfferer(a, joint, answerer);
  if (!by_joint && IsDirectPossible(offerer, answerer)) return {};
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
