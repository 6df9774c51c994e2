#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"
#include "netsim/two_sides.h"
namespace jsp::natlab {

class Lab;

// What happens to a network under a connection that stands.
struct NetworkEvent {
  enum class What : uint8_t { kReboot, kRenumber };                   // netsim::Nat::Reboot, World::Renumber
  enum class Where : uint8_t { kNatA, kNatB, kCarrierA, kCarrierB };  // a side without that NAT notices nothing
  Duration after{};                                                   // since the connection stood
  What what = What::kReboot;
  Where where = Where::kNatA;
  Duration down{};  // how long nothing passes
};

// How a connection got over events.
struct Recovery {
  std::optional<Duration> after_last{};  // from the last event until a message went both ways; nullopt: it never did
  size_t reconnects = 0;                 // connections made anew, as the one before had failed
};

// Lets the events happen, in the order of their times, to a lab that is connected; then goes on until a message of a's
// came back and both sides are nominated. What the connection does not follow by itself ends it (RFC 7675 §5.1: 30 s
// after consent was last given), and the sides then connect anew, as an application would.
Recovery GetOver(Lab& lab, std::span<const NetworkEvent> events, const netsim::TwoSidesOptions& layout);

}  // namespace jsp::natlab
