#pragma once
#include <array>
#include <cstdint>
namespace jsp::portmap {

constexpr uint16_t kServerPort = 5351;   // RFC 6887 §19.1, RFC 6886 §3
constexpr uint8_t kUdp = 17;             // the protocol number of IANA that MAP carries (RFC 6887 §11.1)
constexpr size_t kMaxPcpMessage = 1100;  // RFC 6887 §7

using Nonce = std::array<uint8_t, 12>;  // RFC 6887 §11.1: what proves that an answer is to our request

// RFC 6887 §7.4. NAT-PMP's (RFC 6886 §3.5) are translated: they differ from 3 on.
enum class ResultCode : uint8_t {
  kSuccess = 0,
  kUnsupportedVersion = 1,
  kNotAuthorized = 2,
  kMalformedRequest = 3,
  kUnsupportedOpcode = 4,
  kUnsupportedOption = 5,
  kMalformedOption = 6,
  kNetworkFailure = 7,
  kNoResources = 8,
  kUnsupportedProtocol = 9,
  kUserExceededQuota = 10,
  kCannotProvideExternal = 11,
  kAddressMismatch = 12,
  kExcessiveRemotePeers = 13,
};
// For people; "an unknown result" for numbers that the RFC does not know.
const char* ToString(ResultCode code);

}  // namespace jsp::portmap
