#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

const char* ToString(CauseCode code) {
  switch (code) {
    case CauseCode::kInvalidStreamIdentifier:
      return "Invalid Stream Identifier";
    case CauseCode::kMissingMandatoryParameter:
      return "Missing Mandatory Parameter";
    case CauseCode::kStaleCookie:
      return "Stale Cookie";
    case CauseCode::kOutOfResource:
      return "Out of Resource";
    case CauseCode::kUnresolvableAddress:
      return "Unresolvable Address";
    case CauseCode::kUnrecognizedChunkType:
      return "Unrecognized Chunk Type";
    case CauseCode::kInvalidMandatoryParameter:
      return "Invalid Mandatory Parameter";
    case CauseCode::kUnrecognizedParameters:
      return "Unrecognized Parameters";
    case CauseCode::kNoUserData:
      return "No User Data";
    case CauseCode::kCookieReceivedWhileShuttingDown:
      return "Cookie Received While Shutting Down";
    case CauseCode::kRestartWithNewAddresses:
      return "Restart of an Association with New Addresses";
    case CauseCode::kUserInitiatedAbort:
      return "User-Initiated Abort";
    case CauseCode::kProtocolViolation:
      return "Protocol Violation";
  }
  return "unknown cause";
}

}  // namespace jsp::sctp
