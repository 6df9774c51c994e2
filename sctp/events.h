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

// Our requests of RFC 6525 beside resets of our own streams, and what became of them.
enum class ReconfigKind : uint8_t { kIncomingReset, kAssociationReset, kMoreOutgoing, kMoreIncoming };
enum class ReconfigOutcome : uint8_t {
  kPerformed,
  kNothingToDo,  // RFC 6525 §5.2.3: the streams were new already, or are being reset
  kRefused,      // denied, or an error
};

namespace event {
struct Connected {
  uint16_t incoming_streams;
  uint16_t outgoing_streams;
  bool partial_reliability;  // RFC 3758 negotiated
  bool stream_reset;         // RFC 6525 negotiated
  bool interleaving;         // RFC 8260 negotiated
  bool zero_checksum;        // RFC 9653: both ends take zeros
  bool ecn = false;          // both ends react to marks (RFC 3168)
};
// Graceful shutdown finished (RFC 9260 §9.2); the core is dead after it.
struct Closed {};
struct Aborted {  // last event; the core is dead after it
  AbortCause cause;
  std::string detail;
};
// Its octets count against the receive window until HandleConsumed(). Message::part is kWhole unless pieces were asked
// for with Options::delivery or SetDelivery().
struct MessageReceived {
  Message message;
};
// buffered_amount(stream) fell to or below its threshold from above it.
struct BufferedAmountLow {
  StreamId stream;
};
// RFC 6525 §5.1.2, §5.2.2: our reset was performed; or the peer reset its streams, after all their data was delivered.
// No streams listed: all.
struct OutgoingStreamsReset {
  std::vector<StreamId> streams;
};
struct OutgoingStreamsResetFailed {
  std::vector<StreamId> streams;
};
struct IncomingStreamsReset {
  std::vector<StreamId> streams;
};
// RFC 6525 §5.2.3: the peer wants our streams reset; none listed: all. They take no more messages, and
// OutgoingStreamsReset follows once what was sent is delivered.
struct OutgoingResetRequested {
  std::vector<StreamId> streams;
};
// RFC 6525 §5.2.7: a request of ours was answered. What it changed has events of its own.
struct RequestFinished {
  ReconfigKind kind;
  ReconfigOutcome outcome;
};
// RFC 6525 §5.1.4, §5.2.4: all streams of both directions began anew, and no message was lost but what the peer had
// given up. At either side's request.
struct AssociationReset {};
// RFC 6525 §5.1.5, §5.2.5: there are now so many.
struct StreamsAdded {
  uint16_t incoming_streams;
  uint16_t outgoing_streams;
};
// The peer restarted (RFC 9260 §5.2.4 A): all streams start anew.
struct Restarted {};
// RFC 8899 §5.2, ERROR: small packets pass and none of a useful size does, in spite of IP fragmentation. It goes on
// trying. `mtu`: octets of the smallest IP packet that did not arrive.
struct PathStalled {
  size_t mtu;
};
struct PathRecovered {
  size_t packet_size;  // octets that an SCTP packet may have again
};
}  // namespace event
using Event =
    std::variant<event::Connected, event::Closed, event::Aborted, event::MessageReceived, event::BufferedAmountLow,
                 event::OutgoingStreamsReset, event::OutgoingStreamsResetFailed, event::IncomingStreamsReset,
                 event::OutgoingResetRequested, event::RequestFinished, event::AssociationReset, event::StreamsAdded,
                 event::Restarted, event::PathStalled, event::PathRecovered>;

}  // namespace jsp::sctp
