#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "stun/attribute_type.h"
namespace jsp::stun {

// ERROR-CODE and UNKNOWN-ATTRIBUTES, the two attributes of an error response.

// RFC 8489 §14.8 and the registries of the RFCs named beside each.
namespace error_code {
constexpr uint16_t kTryAlternate = 300;
constexpr uint16_t kBadRequest = 400;
constexpr uint16_t kUnauthenticated = 401;
constexpr uint16_t kForbidden = 403;          // RFC 8656 §19
constexpr uint16_t kMobilityForbidden = 405;  // RFC 8016 §3.4
constexpr uint16_t kUnknownAttribute = 420;
constexpr uint16_t kAllocationMismatch = 437;  // RFC 8656 §19
constexpr uint16_t kStaleNonce = 438;
constexpr uint16_t kAddressFamilyNotSupported = 440;     // RFC 8656 §19
constexpr uint16_t kWrongCredentials = 441;              // RFC 8656 §19
constexpr uint16_t kUnsupportedTransportProtocol = 442;  // RFC 8656 §19
constexpr uint16_t kPeerAddressFamilyMismatch = 443;     // RFC 8656 §19
constexpr uint16_t kConnectionAlreadyExists = 446;       // RFC 6062 §6.3
constexpr uint16_t kConnectionTimeoutOrFailure = 447;    // RFC 6062 §6.3
constexpr uint16_t kAllocationQuotaReached = 486;        // RFC 8656 §19
constexpr uint16_t kRoleConflict = 487;                  // RFC 8445 §16.2
constexpr uint16_t kServerError = 500;
constexpr uint16_t kInsufficientCapacity = 508;  // RFC 8656 §19
}  // namespace error_code

// The registered phrase of a code; empty for a code that has none here.
std::string_view ReasonPhrase(uint16_t code);

struct ErrorCode {
  uint16_t code;            // 300 to 699
  std::string_view reason;  // a view into the value
};
// nullopt for a value below 4 octets or above 4 + 763, a class outside 3 to 6 or a number above 99. A reason that is
// not UTF-8 reads as empty: the code is what counts.
std::optional<ErrorCode> ParseErrorCode(std::span<const uint8_t> value);
// Whether the pair may be sent: 300 to 699, and a reason of fewer than 128 characters (it may be empty).
bool MaySendError(uint16_t code, std::string_view reason);
// Writes the value; `out` has exactly 4 + reason.size() octets.
void WriteErrorCode(uint16_t code, std::string_view reason, std::span<uint8_t> out);

// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13): writes at most out.size() types, returns how many were written. A last odd
// octet is ignored.
size_t ParseUnknownAttributes(std::span<const uint8_t> value, std::span<AttributeType> out);

}  // namespace jsp::stun
