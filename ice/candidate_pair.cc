#include "ice/candidate_pair.h"
namespace jsp::ice {

const char* ToString(PairState state) {
  switch (state) {
    case PairState::kFrozen:
      return "frozen";
    case PairState::kWaiting:
      return "waiting";
    case PairState::kInProgress:
      return "in-progress";
    case PairState::kSucceeded:
      return "succeeded";
    case PairState::kFailed:
      return "failed";
    case PairState::kCount:
      break;
  }
  return "unknown";
}

// RFC 8445 §6.1.2.3: pairs are ordered by decreasing priority; equal ones are "arbitrary", so here by address.
bool IsPreferred(const CandidatePair& a, const CandidatePair& b) {
  return a.priority != b.priority ? a.priority > b.priority : a.addresses < b.addresses;
}

}  // namespace jsp::ice
