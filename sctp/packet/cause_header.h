#pragma once
#include <cstdint>
#include <span>

#include "sctp/packet/tlv.h"
namespace jsp::sctp {

// RFC 9260 §3.3.10 table 11. Other values are causes that we do not know; they are carried and shown, never refused.
enum class CauseCode : uint16_t {
  kInvalidStreamIdentifier = 1,
  kMissingMandatoryParameter = 2,
  kStaleCookie = 3,
  kOutOfResource = 4,
  kUnresolvableAddress = 5,
  kUnrecognizedChunkType = 6,
  kInvalidMandatoryParameter = 7,
  kUnrecognizedParameters = 8,
  kNoUserData = 9,
  kCookieReceivedWhileShuttingDown = 10,
  kRestartWithNewAddresses = 11,
  kUserInitiatedAbort = 12,
  kProtocolViolation = 13,
};
// The RFC's words; "unknown cause" for the others.
const char* ToString(CauseCode code);

// One whole error cause inside of an ABORT or ERROR chunk; RFC 9260 §3.3.10.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Cause Code           |         Cause Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// /                  Cause-Specific Information                   /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct CauseView {
  CauseCode type;
  std::span<const uint8_t> value;
  std::span<const uint8_t> octets;  // header and value, without padding

  static constexpr CauseView FromOctets(std::span<const uint8_t> octets) {
    return {CauseCode{wire::Codec<uint16_t>::Load(octets.data())}, octets.subspan(kTlvHeaderSize), octets};
  }
};
using CauseRange = TlvRange<CauseView>;

}  // namespace jsp::sctp
