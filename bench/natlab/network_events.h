#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"
#include "netsim/two_sides.h"
namespace jsp::natlab {

class Lab;

// Renumbered NATs get addresses of this and the number of their side, and of two more each time.
constexpr uint8_t kNewAddress = 50;

// A side that heard nothing for so long beyond ICE's own patience (MobilityOptions::disconnected_timeout) has ICE
// restarted, and once more when that has taken so long.
constexpr Duration kRestartAfter = std::chrono::seconds(1);
constexpr Duration kRestartAgain = std::chrono::seconds(10);
constexpr Duration kGlance = std::chrono::milliseconds(250);  // how often silence is looked for, where nothing happens
// How long peers keep a connection that lost consent for a restart to bring it back (MobilityOptions).
constexpr Duration kRestartPatience = std::chrono::seconds(120);

// What happens to a network under a connection that stands.
struct NetworkEvent {
  enum class What : uint8_t { kReboot, kRenumber };                   // netsim::Nat::Reboot, World::Renumber
  enum class Where : uint8_t { kNatA, kNatB, kCarrierA, kCarrierB };  // a side without that NAT notices nothing
  Duration after{};                                                   // since the connection stood
  What what = What::kReboot;
  Where where = Where::kNatA;
  Duration down{};  // how long nothing passes
};

// From when the connection stood until the last event is over.
Duration SpanOf(std::span<const NetworkEvent> events);

// How a connection got over events.
struct Recovery {
  std::optional<Duration> after_last{};  // from the last event until a message went both ways; nullopt: it never did
  size_t restarts = 0;                   // of ICE (RFC 8445 §9), by which the connection was to come back
  size_t reconnects = 0;                 // connections made anew, as the one before had failed
};

// Lets the events happen, in the order of their times, to a lab that is connected; then goes on until a message of a's
// came back and both sides are nominated. What the connection does not follow by itself leaves it silent, and a then
// restarts ICE as an application would, and again for as long as that does not help: over signalling, which knows no
// events. A connection that ends all the same is made anew.
Recovery GetOver(Lab& lab, std::span<const NetworkEvent> events, const netsim::TwoSidesOptions& layout);

}  // namespace jsp::natlab
