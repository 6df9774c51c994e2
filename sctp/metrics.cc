#include "sctp/metrics.h"

namespace jsp::sctp {

const char* ToString(PathMtuState state) {
  switch (state) {
    case PathMtuState::kDisabled:
      return "disabled";
    case PathMtuState::kBase:
      return "base";
    case PathMtuState::kSearching:
      return "searching";
    case PathMtuState::kSearchComplete:
      return "search complete";
    case PathMtuState::kError:
      return "error";
  }
  return "unknown";
}

const char* ToString(DropReason reason) {
  switch (reason) {
    case DropReason::kTooShort:
      return "too short";
    case DropReason::kBadPort:
      return "bad port";
    case DropReason::kBadChecksum:
      return "bad checksum";
    case DropReason::kBadVerificationTag:
      return "bad verification tag";
    case DropReason::kBadChunk:
      return "bad chunk";
    case DropReason::kOutOfState:
      return "out of state";
    case DropReason::kBadCookie:
      return "bad cookie";
    case DropReason::kStaleCookie:
      return "stale cookie";
    case DropReason::kBadNonce:
      return "bad nonce";
    case DropReason::kBadSack:
      return "bad SACK";
    case DropReason::kReceiveWindowFull:
      return "receive window full";
    case DropReason::kDuplicateData:
      return "duplicate data";
    case DropReason::kUnknownChunk:
      return "unknown chunk";
    case DropReason::kUnexpectedForwardTsn:
      return "unexpected FORWARD-TSN";
    case DropReason::kUnexpectedReconfig:
      return "unexpected RE-CONFIG";
    case DropReason::kBadEcne:
      return "bad ECNE";
    case DropReason::kOutOfBlue:
      return "out of the blue";
    case DropReason::kClosed:
      return "closed";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace jsp::sctp
