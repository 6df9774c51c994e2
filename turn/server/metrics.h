#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
namespace jsp::turn {

// What a server did not act upon; every message counts at most once.
enum class ServerDrop : uint8_t {
  kUnparsable,      // neither STUN nor ChannelData, or shorter than it says (RFC 8656 §12, §12.6)
  kBadFingerprint,  // RFC 8489 §14.7
  kUnexpected,      // a response, an indication of no use, or an unknown method
  kNoAllocation,    // data over a 5-tuple without an allocation (RFC 8656 §5)
  kMalformed,       // a Send indication without what it must have (RFC 8656 §11.2)
  kNoPermission,    // RFC 8656 §9, in either direction
  kUnboundChannel,  // RFC 8656 §12.6
  kForbiddenPeer,   // the policy's, in a Send indication (RFC 8656 §11.2)
  kWrongFamily,     // a peer that the allocation has no relay for
  kBandwidth,       // RFC 8656 §5
  kRateLimited,     // a stranger that has had its answers (S8)
  kOverload,        // ServerLimits::queued_responses
  kLateRelay,       // for a relay that is closed already
  kOpening,         // data or a request while the relays are being opened
  kTooLong,         // more than one message to the client can hold
  kCount
};

struct ServerMetrics {
  uint64_t requests = 0;    // of any kind, answered or not
  uint64_t challenges = 0;  // 401 and 438
  uint64_t allocations_created = 0;
  uint64_t allocations_expired = 0;
  uint64_t allocations_deleted = 0;  // by the client, or because its connection or relay went
  uint64_t connections_bound = 0;    // RFC 6062
  uint64_t packets_to_peers = 0;
  uint64_t octets_to_peers = 0;  // payload
  uint64_t packets_to_clients = 0;
  uint64_t octets_to_clients = 0;
  // Error responses, by code: 300 to 699.
  std::array<uint64_t, 400> errors{};
  std::array<uint64_t, static_cast<size_t>(ServerDrop::kCount)> dropped{};

  uint64_t error(uint16_t code) const { return errors[code - 300u]; }
};

}  // namespace jsp::turn
