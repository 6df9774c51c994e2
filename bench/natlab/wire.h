#pragma once
#include <cstdint>
#include <string>

#include "base/expected.h"
#include "netsim/link.h"
namespace jsp::natlab {

// Carries Ethernet frames between two interfaces of this network namespace as netsim's links would, in real time: the
// kernel's own emulator (netem) is not everywhere, and so both engines lose and delay alike. Frames of ARP and ICMPv6,
// which cost a second when they are lost, pass at once. Returns only with an error.
std::string RunWire(const std::string& left, const std::string& right, const netsim::LinkOptions& both, uint64_t seed);

// A raw socket, which never waits, for all frames of an interface of this network namespace; negative: errno says why.
int OpenPacketSocket(const std::string& interface);

// Lets the sender's kernel compute checksums and cut segments itself: a raw socket takes frames as they are on a wire.
Expected<void, std::string> DisableOffloads(const std::string& interface);

}  // namespace jsp::natlab
