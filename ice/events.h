#pragma once
#include <cstdint>
#include <variant>

#include "base/socket_address.h"
#include "ice/candidate.h"
#include "ice/options.h"
namespace jsp::ice {

enum class State : uint8_t { kNew, kChecking, kConnected, kCompleted, kFailed, kDisconnected, kClosed };
const char* ToString(State state);

// What caused a state.
enum class StateReason : uint8_t {
  kNone,
  kRemoteDescriptionSet,
  kFirstValidPair,
  kNominated,
  kAllPairsFailed,     // every pair failed and both sides said end-of-candidates, after the PAC timer
  kNoCandidatePairs,   // the PAC timer ran out without any pair
  kConsentExpired,     // RFC 7675 §5.1
  kNoTrafficFromPeer,  // disconnected_timeout
  kTrafficResumed,
  kConnectionLost,  // the TCP connection of the selected pair (RFC 6544 §11.1)
  kClosedLocally,
  kNominationFailed,   // the check with USE-CANDIDATE failed, RFC 8445 §7.2.5.3.4
  kNetworkLost,        // the local address of the selected pair is gone, and no other pair works
  kRenominated,        // after kNominated: the path changed
  kConsentUnanswered,  // of what the selected pair carries nothing arrives, although something may come
  kRestartUnanswered,  // no pair is left, and a restart that was begun got no description within restart_timeout
};
const char* ToString(StateReason reason);

namespace event {
struct StateChanged {
  State state;
  StateReason reason;
};
// The pair that data goes over, first or anew. Data may be sent from the first valid pair on (RFC 8445 §12.1).
struct PairSelected {
  Candidate local;
  Candidate remote;
  bool nominated;
  Duration rtt;  // of the check that made it valid
};
// A peer-reflexive candidate was learnt from a check or a response.
struct CandidateDiscovered {
  Candidate candidate;
  bool is_local;
};
struct RoleChanged {
  Role role;
};
// Generations only: the new generation found no pair, and the old one, whose pair still works, is the present one
// again.
struct RestartFailed {
  StateReason reason;
};
// The selected pair has carried the session for MobilityOptions::drop_spares_after: other pairs that were not used
// meanwhile are gone, and what the owner keeps for other paths may go as well (RFC 8445 §8.3.1). Again after each time
// that the session moved, was disconnected, or had such pairs again.
struct SparesDropped {};
}  // namespace event
using Event = std::variant<event::StateChanged, event::PairSelected, event::CandidateDiscovered, event::RoleChanged,
                           event::RestartFailed, event::SparesDropped>;

}  // namespace jsp::ice
