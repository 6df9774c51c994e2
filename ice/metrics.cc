#include "ice/metrics.h"
namespace jsp::ice {

const char* ToString(DropReason reason) {
  switch (reason) {
    case DropReason::kUnparsable:
      return "unparsable";
    case DropReason::kNotBinding:
      return "not-binding";
    case DropReason::kMissingAttribute:
      return "missing-attribute";
    case DropReason::kUnknownUfrag:
      return "unknown-ufrag";
    case DropReason::kBadIntegrity:
      return "bad-integrity";
    case DropReason::kBadFingerprint:
      return "bad-fingerprint";
    case DropReason::kUnknownTransaction:
      return "unknown-transaction";
    case DropReason::kWrongAddress:
      return "wrong-address";
    case DropReason::kTooManyCandidates:
      return "too-many-candidates";
    case DropReason::kTooManyPairs:
      return "too-many-pairs";
    case DropReason::kTooEarly:
      return "too-early";
    case DropReason::kUnknownLocalAddress:
      return "unknown-local-address";
    case DropReason::kClosed:
      return "closed";
    case DropReason::kBadRequest:
      return "bad-request";
    case DropReason::kQueueFull:
      return "queue-full";
    case DropReason::kFiltered:
      return "filtered";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

Metrics& Metrics::operator+=(const Metrics& other) {
  checks_sent += other.checks_sent;
  checks_retransmitted += other.checks_retransmitted;
  checks_received += other.checks_received;
  responses_received += other.responses_received;
  consent_requests_sent += other.consent_requests_sent;
  keepalives_sent += other.keepalives_sent;
  role_conflicts += other.role_conflicts;
  for (size_t i = 0; i < dropped.size(); ++i) dropped[i] += other.dropped[i];
  return *this;
}

}  // namespace jsp::ice
