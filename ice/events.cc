#include "ice/events.h"
namespace jsp::ice {

const char* ToString(State state) {
  switch (state) {
    case State::kNew:
      return "new";
    case State::kChecking:
      return "checking";
    case State::kConnected:
      return "connected";
    case State::kCompleted:
      return "completed";
    case State::kFailed:
      return "failed";
    case State::kDisconnected:
      return "disconnected";
    case State::kClosed:
      return "closed";
  }
  return "unknown";
}

const char* ToString(StateReason reason) {
  switch (reason) {
    case StateReason::kNone:
      return "none";
    case StateReason::kRemoteDescriptionSet:
      return "remote description set";
    case StateReason::kFirstValidPair:
      return "first valid pair";
    case StateReason::kNominated:
      return "pair nominated";
    case StateReason::kAllPairsFailed:
      return "all candidate pairs failed";
    case StateReason::kNoCandidatePairs:
      return "no candidate pairs";
    case StateReason::kConsentExpired:
      return "consent expired";
    case StateReason::kNoTrafficFromPeer:
      return "no traffic from the peer";
    case StateReason::kTrafficResumed:
      return "traffic resumed";
    case StateReason::kConnectionLost:
      return "the TCP connection is gone";
    case StateReason::kClosedLocally:
      return "closed locally";
    case StateReason::kNominationFailed:
      return "nomination failed";
    case StateReason::kNetworkLost:
      return "the local network is gone";
    case StateReason::kRenominated:
      return "pair nominated anew";
    case StateReason::kConsentUnanswered:
      return "the peer answers no consent checks";
    case StateReason::kRestartUnanswered:
      return "the ICE restart was not answered";
  }
  return "unknown";
}

}  // namespace jsp::ice
