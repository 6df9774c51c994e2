#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "netsim/nat_type.h"
#include "netsim/two_sides.h"
namespace jsp::natlab {

enum class Outcome : uint8_t { kDirect, kRelay, kNone };
const char* ToString(Outcome outcome);  // "direct", "relay", "none"

// Whether both sides know a TURN server that they reach, over TCP where UDP is blocked.
enum class RelayService : uint8_t { kNone, kPresent };
// Whether both sides do what RFC 8445 does not know (docs/ice.md, hard networks).
enum class HardNats : uint8_t { kLeft, kCrossed };

// How both sides are joined, as in netsim::TwoSidesOptions.
struct Joint {
  netsim::Site site = netsim::Site::kApart;
  std::optional<netsim::NatType> carrier{};
  bool hairpin = false;
  bool ice_tcp = false;  // both sides have active and passive candidates over TCP (RFC 6544)
  netsim::PortLimits ports{};
  netsim::NatTimers timers{};
};

// What must happen between two kinds of NAT, computed from their behaviours, not from experience: a offers, b answers.
//
// A datagram of one side can reach the other first if that one filters endpoint-independently, or if it maps
// endpoint-independently (so that its signalled address is where its own checks come from) and either filters by
// address only, or the sender maps endpoint-independently too (so that the port that it sent to is the port that the
// other sends from).
//
// b fires first, as its answer is on the way for longer than any packet, and what it sends to a's signalled address
// arrives before a has sent anything there, unless b has a public address of its own, which a tries first. If a's NAT
// rejects it, that takes a's mapping towards b away (netsim::Unsolicited::kReject): a then maps towards b as if per
// destination.
//
// Two NATs in a row map and filter as the stricter of both does. Behind one carrier's NAT the sides meet at its
// outside, if it hairpins, or inside, if one of them has an address there that the other can reach.
//
// A NAT that gives few ports opens no way to the other side when it maps per destination and the ports are used up
// before: for the STUN server, for the relay, and for the other host's own address, which is checked first.
//
// Ports that are overloaded are those of the inside for every destination: such a NAT maps endpoint-independently, and
// a session that it rejected takes no port away.
//
// Two hosts behind NAT64s have IPv6, and with it a way past them. Nobody else's IPv4 is further away than a NAT64,
// which maps and filters like other NATs do.
//
// No NetworkEvent changes what is expected: whoever could connect is connected again, though maybe by another way, and
// maybe by a restart of ICE.
//
// Over TCP a side reaches the other if that has no NAT and no firewall, or an address inside of the network that both
// share: every type lets TCP out, and nothing waits behind a NAT's mapping for a connection from outside.
//
// Where hard NATs are crossed, what rejected b's early checks is no loss, as a's fresh sockets speak first. And where
// one side alone maps per destination, and lets out from many sockets what opens mappings to the other's address, that
// one's probes meet one of them, unless its NAT rejects, and so remembers, what opened it, as it does where it was not
// sent to before: to ports that are predicted, it was. Better than the outcome that is expected is luck.
Outcome ExpectedOutcome(netsim::NatType a, netsim::NatType b, RelayService relay, const Joint& joint = {},
                        HardNats hard = HardNats::kLeft);
// Whether the outcome that is expected is direct by nothing but probes of random ports, so that one run in thousands
// misses (chance.h), and ends as where hard NATs are left.
bool IsWonByChance(netsim::NatType a, netsim::NatType b, RelayService relay, const Joint& joint, HardNats hard);
// Whether there is no direct way because b's early check takes a's mapping away: a run in which that check is lost has
// one. Where hard NATs are left.
bool IsLostToEarlyCheck(netsim::NatType a, netsim::NatType b, RelayService relay, const Joint& joint);
// In words, why there is no direct way; empty when there is one.
std::string WhyNotDirect(netsim::NatType a, netsim::NatType b, const Joint& joint = {},
                         RelayService relay = RelayService::kPresent);

}  // namespace jsp::natlab
