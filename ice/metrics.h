#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
namespace jsp::ice {

enum class DropReason : uint8_t {
  kUnparsable,
  kNotBinding,
  kMissingAttribute,
  kUnknownUfrag,
  kBadIntegrity,
  kBadFingerprint,
  kUnknownTransaction,
  kWrongAddress,
  kTooManyCandidates,
  kTooManyPairs,
  kTooEarly,
  kUnknownLocalAddress,
  kClosed,      // after Close, failure or loss of consent
  kBadRequest,  // authenticated, but malformed: answered 400 or 420
  kQueueFull,   // the owner did not poll
  kFiltered,    // a candidate, or the source of a check, that Options::filters.local or filters.remote does not admit
  kCount,
};
const char* ToString(DropReason reason);

struct Metrics {
  uint64_t checks_sent = 0;
  uint64_t checks_retransmitted = 0;
  uint64_t checks_received = 0;
  uint64_t responses_received = 0;
  uint64_t consent_requests_sent = 0;
  uint64_t keepalives_sent = 0;
  uint64_t role_conflicts = 0;
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};
  Metrics& operator+=(const Metrics& other);
};

}  // namespace jsp::ice
