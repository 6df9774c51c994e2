#include "sctp/events.h"

namespace jsp::sctp {

const char* ToString(AbortCause cause) {
  switch (cause) {
    case AbortCause::kPeerAborted:
      return "peer aborted";
    case AbortCause::kTooManyRetransmissions:
      return "too many retransmissions";
    case AbortCause::kProtocolViolation:
      return "protocol violation";
    case AbortCause::kNoHandshake:
      return "no handshake";
    case AbortCause::kLocalClose:
      return "local close";
  }
  return "unknown";
}

}  // namespace jsp::sctp
