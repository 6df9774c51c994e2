#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/socket_address.h"
#include "base/time.h"
#include "turn/attributes.h"
namespace jsp::turn {

// Why there is no allocation (any more).
enum class AllocationFailure : uint8_t {
  kBadOptions,         // Validate() says which
  kTimeout,            // no answer
  kUnreachable,        // the owner reported that the transport failed
  kWrongCredentials,   // 401 to our credentials, 441, or a 401 that asks for credentials that we do not have
  kBadChallenge,       // a 401 or 438 that cannot be answered: incomplete, bid down, no algorithm that we know
  kStaleNonce,         // 438 again and again
  kIntegrity,          // every answer failed its integrity check (RFC 8489 §9.2.5)
  kRefused,            // any other error code, which is in the event (RFC 8656 §7.4)
  kPortsInUse,         // 437 to three local ports in turn (RFC 8656 §7.4)
  kQuota,              // 486
  kCapacity,           // 508
  kUnsupported,        // 440 or 442: the family or the transport
  kMobilityForbidden,  // 405 (RFC 8016 §3.1.4)
  kTooManyRedirects,   // a 300 after a 300, or to an address that we would not go to
  kMalformedResponse,  // lacks what it must have, or relays from an address that cannot be one (T11)
  kUnusableFamily,     // a family that was not asked for (RFC 8656 §7.3); the allocation was deleted
  kExpired,            // refreshing failed for so long that the lifetime is over
  kMismatch,           // 437 to anything but Allocate: the server has none (RFC 8656 §5)
  kOutOfSync,          // 400 to the refreshing of a channel; the allocation was deleted (RFC 8656 §12.3)
};

namespace event {

struct Allocated {
  std::optional<SocketAddress> relayed_v4;
  std::optional<SocketAddress> relayed_v6;
  SocketAddress mapped;  // our address as the server sees it
  Duration lifetime;
  std::optional<ReservationToken> reservation;  // of the next higher port, where it was asked for
  uint16_t missing_family_code = 0;  // of two families one is missing: 440 (never ask again) or 508 (in a minute)
  bool dont_fragment = false;        // the server can set DF
  std::string server_software;       // empty when it did not say
};
// There will be none. `retry_after`: RFC 8656 §7.4 asks to leave the server alone for that long; Never-like zero means
// that trying the same again is pointless until something changes, or harmless at once.
struct AllocationFailed {
  AllocationFailure reason;
  uint16_t error_code;  // of the response, else 0
  std::string detail;   // the server's reason phrase
  Duration retry_after;
};
// RFC 8656 §7.4, 437: the server sees somebody else's allocation behind our port. Restart() with another one.
struct NeedsNewPort {
  uint32_t ports_tried;
};
// RFC 8489 §10: over UDP the client goes on by itself, over a stream the owner connects there and calls Restart().
struct Redirected {
  SocketAddress server;
  std::string domain;  // for the certificate, when it is another one
};
// After Allocated: it is gone, and with it every permission, channel and connection.
struct AllocationLost {
  AllocationFailure reason;
  uint16_t error_code;
};
// Close() was answered, or nobody answers any more. The last event.
struct Closed {};
// RFC 8016 §3.2: the allocation follows us to another local address, or it does not.
struct Moved {
  SocketAddress local;
};
struct MoveFailed {
  uint16_t error_code;  // 0: no answer
};

struct PermissionGranted {
  IpAddress peer;
};
// Only this peer is concerned. 403: by the server's policy; 0: no answer.
struct PermissionRefused {
  IpAddress peer;
  uint16_t error_code;
};
struct ChannelBound {
  SocketAddress peer;
  ChannelNumber channel;
};
struct ChannelRefused {
  SocketAddress peer;
  uint16_t error_code;
};
// RFC 8656 §11.6: what we sent to `peer` did not arrive. The port is 0 where the server could not tell.
struct PeerUnreachable {
  SocketAddress peer;
  Icmp icmp;
};

// RFC 6062 §4.3, §4.4: the server holds a connection with `peer`. To use it, open another connection to the same server
// address and call BindConnection(), within 30 seconds.
enum class ConnectionOrigin : uint8_t { kConnect, kPeer };
struct ConnectionPending {
  ConnectionId id;
  SocketAddress peer;
  ConnectionOrigin origin;
};
struct ConnectFailed {
  SocketAddress peer;
  uint16_t error_code;   // 447: the peer; 446: there is one already; 0: no answer
  Duration retry_after;  // RFC 6062 §4.3: at least 10 seconds after a 447
};
// From now on the data connection carries the peer's octets, unframed (RFC 6062 §4.5).
struct ConnectionBound {
  ConnectionId id;
  SocketAddress peer;
};
struct ConnectionBindFailed {
  ConnectionId id;
  uint16_t error_code;
};

}  // namespace event

using ClientEvent =
    std::variant<event::Allocated, event::AllocationFailed, event::NeedsNewPort, event::Redirected,
                 event::AllocationLost, event::Closed, event::Moved, event::MoveFailed, event::PermissionGranted,
                 event::PermissionRefused, event::ChannelBound, event::ChannelRefused, event::PeerUnreachable,
                 event::ConnectionPending, event::ConnectFailed, event::ConnectionBound, event::ConnectionBindFailed>;

}  // namespace jsp::turn
