#include "bench/natlab/oracle.h"

namespace jsp::natlab {
namespace {

using netsim::FilteringBehavior;
using netsim::MappingBehavior;
using netsim::NatOptions;
using netsim::NatType;

constexpr bool IsStable(const NatOptions& nat) { return nat.mapping == MappingBehavior::kEndpointIndependent; }

bool LetsUdpOut(const NatOptions& nat) { return nat.outbound == netsim::OutboundPolicy::kAll; }

// a's NAT as the early checks of b leave it. A filter that admits everybody rejects nobody; and where b's own address
// is public, a's first check goes right there, while b's first one still goes to a's private address.
NatOptions AsOfferer(NatType type, const NatOptions& answerer) {
  NatOptions nat = netsim::OptionsFor(type);
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

Outcome ExpectedOutcome(NatType a, NatType b, RelayService relay) {
  const NatOptions answerer = netsim::OptionsFor(b);
  if (IsDirectPossible(AsOfferer(a, answerer), answerer)) return Outcome::kDirect;
  return relay == RelayService::kPresent ? Outcome::kRelay : Outcome::kNone;
}

std::string WhyNotDirect(NatType a, NatType b) {
  const NatOptions answerer = netsim::OptionsFor(b);
  const NatOptions offerer = AsOfferer(a, answerer);
  if (IsDirectPossible(offerer, answerer)) return {};
  if (!LetsUdpOut(offerer) && !LetsUdpOut(answerer)) return "both networks block UDP";
  if (!LetsUdpOut(offerer)) return "a's network blocks UDP";
  if (!LetsUdpOut(answerer)) return "b's network blocks UDP";
  const bool was_moved = !IsStable(offerer) && IsStable(netsim::OptionsFor(a));
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
