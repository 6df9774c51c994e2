#pragma once
#include <cstdint>
#include <span>

#include "sctp/packet/tlv.h"
namespace jsp::sctp {

// Parameters of RFC 9260 §3.3.2 and §3.3.3, RFC 3758 §3.1, RFC 6525 §4, RFC 5061 §4.2.7 and RFC 9653 §4 that matter to
// us. Addresses and host names are known only in order to be ignored: RFC 8261 §6.1 leaves one path, below us. Others
// are unknown.
enum class ParameterType : uint16_t {
  kHeartbeatInfo = 1,
  kIpv4Address = 5,
  kIpv6Address = 6,
  kStateCookie = 7,
  kUnrecognizedParameter = 8,
  kCookiePreservative = 9,
  kHostNameAddress = 11,
  kSupportedAddressTypes = 12,
  kOutgoingSsnResetRequest = 13,
  kIncomingSsnResetRequest = 14,
  kSsnTsnResetRequest = 15,
  kReconfigResponse = 16,
  kAddOutgoingStreams = 17,
  kAddIncomingStreams = 18,
  kEcnCapable = 0x8000,
  kZeroChecksumAcceptable = 0x8001,
  kSupportedExtensions = 0x8008,
  kForwardTsnSupported = 0xc000,
};

constexpr UnknownAction UnknownActionOf(ParameterType type) {
  return UnknownActionOf(unsigned{static_cast<uint16_t>(type)} >> 14);
}

// One whole parameter inside of a chunk; RFC 9260 §3.2.1.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Parameter Type         |       Parameter Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                        Parameter Value                        /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ParameterView {
  ParameterType type;
  std::span<const uint8_t> value;
  std::span<const uint8_t> octets;  // header and value, without padding: what an Unrecognized Parameter returns

  static constexpr ParameterView FromOctets(std::span<const uint8_t> octets) {
    return {ParameterType{wire::Codec<uint16_t>::Load(octets.data())}, octets.subspan(kTlvHeaderSize), octets};
  }
};
using ParameterRange = TlvRange<ParameterView>;

}  // namespace jsp::sctp
