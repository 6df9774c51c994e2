#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "sctp/message.h"
#include "sctp/types.h"
namespace jsp::sctp {

enum class AbortCause : uint8_t {
  kPeerAborted,
  kTooManyRetransmissions,
  kProtocolViolation,
  kNoHandshake,  // INIT or COOKIE-ECHO retransmitted too often
  kLocalClose,
};
const char* ToString(AbortCause cause);

namespace event {
struct Connected {
  uint16_t incoming_streams;
  uint16_t outgoing_streams;
  bool partial_reliability;  // RFC 3758 negotiated
  bool stream_reset;         // RFC 6525 negotiated
  bool interleaving;         // RFC 8260 negotiated
};
// Graceful shutdown finished (RFC 9260 §9.2); the core is dead after it.
struct Closed {};
struct Aborted {  // last event; the core is dead after it
  AbortCause cause;
  std::string detail;
};
// Its octets count against the receive window until HandleConsumed().
struct MessageReceived {
  Message message;
};
// buffered_amount(stream) fell to or below its threshold from above it.
struct BufferedAmountLow {
  StreamId stream;
};
// RFC 6525 §5.1.2, §5.2.2: our reset was performed; or the peer reset its streams, after all their data was delivered.
struct OutgoingStreamsReset {
  std::vector<StreamId> streams;
};
struct OutgoingStreamsResetFailed {
  std::vector<StreamId> streams;
};
struct IncomingStreamsReset {
  std::vector<StreamId> streams;
};
// The peer restarted (RFC 9260 §5.2.4 A): all streams start anew.
struct Restarted {};
}  // namespace event
using Event = std::variant<event::Connected, event::Closed, event::Aborted, event::MessageReceived,
                           event::BufferedAmountLow, event::OutgoingStreamsReset, event::OutgoingStreamsResetFailed,
                           event::IncomingStreamsReset, event::Restarted>;

}  // namespace jsp::sctp
