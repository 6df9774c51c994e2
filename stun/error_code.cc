#include "stun/error_code.h"

#include <algorithm>

#include "base/check.h"
#include "base/wire_layout.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

// RFC 8489 §14.8:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |           Reserved, should be 0         |Class|     Number    |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |      Reason Phrase (variable)                                ..
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
constexpr size_t kReasonOffset = 4;

}  // namespace

std::string_view ReasonPhrase(uint16_t code) {
  switch (code) {
    case error_code::kTryAlternate:
      return "Try Alternate";
    case error_code::kBadRequest:
      return "Bad Request";
    case error_code::kUnauthenticated:
      return "Unauthenticated";
    case error_code::kForbidden:
      return "Forbidden";
    case error_code::kMobilityForbidden:
      return "Mobility Forbidden";
    case error_code::kUnknownAttribute:
      return "Unknown Attribute";
    case error_code::kAllocationMismatch:
      return "Allocation Mismatch";
    case error_code::kStaleNonce:
      return "Stale Nonce";
    case error_code::kAddressFamilyNotSupported:
      return "Address Family not Supported";
    case error_code::kWrongCredentials:
      return "Wrong Credentials";
    case error_code::kUnsupportedTransportProtocol:
      return "Unsupported Transport Protocol";
    case error_code::kPeerAddressFamilyMismatch:
      return "Peer Address Family Mismatch";
    case error_code::kConnectionAlreadyExists:
      return "Connection Already Exists";
    case error_code::kConnectionTimeoutOrFailure:
      return "Connection Timeout or Failure";
    case error_code::kAllocationQuotaReached:
      return "Allocation Quota Reached";
    case error_code::kRoleConflict:
      return "Role Conflict";
    case error_code::kServerError:
      return "Server Error";
    case error_code::kInsufficientCapacity:
      return "Insufficient Capacity";
    default:
      return {};
  }
}

std::optional<ErrorCode> ParseErrorCode(std::span<const uint8_t> value) {
  if (value.size() < kReasonOffset || value.size() > kReasonOffset + kMaxReadText) return std::nullopt;
  // RFC 8489 §14.8: "Receivers MUST ignore these bits", the 21 before the class.
  const uint8_t hundreds = value[2] & 0x07;
  const uint8_t number = value[3];
  if (hundreds < 3 || hundreds > 6 || number > 99) return std::nullopt;
  const std::string_view reason(reinterpret_cast<const char*>(value.data()) + kReasonOffset,
                                value.size() - kReasonOffset);
  return ErrorCode{static_cast<uint16_t>(hundreds * 100 + number), CountUtf8(reason) ? reason : std::string_view{}};
}

bool MaySendError(uint16_t code, std::string_view reason) {
  if (code < 300 || code > 699 || reason.size() > kMaxSentText) return false;
  const auto characters = CountUtf8(reason);
  return characters && *characters <= kMaxSentCharacters;
}

void WriteErrorCode(uint16_t code, std::string_view reason, std::span<uint8_t> out) {
  JSP_CHECK(out.size() == kReasonOffset + reason.size());
  out[0] = 0;
  out[1] = 0;
  out[2] = static_cast<uint8_t>(code / 100);
  out[3] = static_cast<uint8_t>(code % 100);
  std::ranges::transform(reason, out.begin() + kReasonOffset, [](char c) { return static_cast<uint8_t>(c); });
}

size_t ParseUnknownAttributes(std::span<const uint8_t> value, std::span<AttributeType> out) {
  const size_t count = std::min(value.size() / 2, out.size());
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<AttributeType>(wire::Codec<uint16_t>::Load(value.data() + 2 * i));
  }
  return count;
}

}  // namespace jsp::stun
