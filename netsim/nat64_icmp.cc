#include "netsim/nat64_icmp.h"

#include <algorithm>
#include <array>

namespace jsp::netsim {
namespace {

// RFC 4443 §3.1 to §3.4.
constexpr uint8_t kV6Unreachable = 1;
constexpr uint8_t kV6TooBig = 2;
constexpr uint8_t kV6TimeExceeded = 3;
constexpr uint8_t kV6ParameterProblem = 4;
constexpr uint8_t kV6NoRoute = 0;
constexpr uint8_t kV6Prohibited = 1;
constexpr uint8_t kV6NoPort = 4;
constexpr uint8_t kV6UnknownNextHeader = 1;
constexpr uint32_t kPlaceOfNextHeader = 6;  // in an IPv6 header

// Of ICMP.
constexpr uint8_t kV4Unreachable = 3;
constexpr uint8_t kV4TimeExceeded = 11;
constexpr uint8_t kV4NoHost = 1;
constexpr uint8_t kV4NoProtocol = 2;
constexpr uint8_t kV4NoPort = 3;
constexpr uint8_t kV4FragmentationNeeded = 4;
constexpr uint8_t kV4SourceRouteFailed = 5;
constexpr uint8_t kV4Prohibited = 10;
// Others that say no more than those do (RFC 1812 §5.2.7.1): a network or host that is unknown, apart, or not reached
// with that type of service; and who forbids it.
constexpr std::array<uint8_t, 8> kV4NoWay{0, kV4NoHost, kV4SourceRouteFailed, 6, 7, 8, 11, 12};
constexpr std::array<uint8_t, 4> kV4Forbidden{9, kV4Prohibited, 13, 15};

std::optional<IcmpError> Unreachable(const IcmpError& v4) {
  switch (v4.code) {
    case kV4NoProtocol:
      return IcmpError{kV6ParameterProblem, kV6UnknownNextHeader, kPlaceOfNextHeader};
    case kV4NoPort:
      return IcmpError{kV6Unreachable, kV6NoPort, 0};
    case kV4FragmentationNeeded:
      // No IPv6 host sends less than 1280 octets for that: what is so small leaves a NAT64 without "don't fragment".
      return IcmpError{kV6TooBig, 0, std::max(kLeastIpv6Mtu, v4.rest % 0x10000 + kNat64Growth)};
    default:
      break;
  }
  if (std::ranges::find(kV4Forbidden, v4.code) != kV4Forbidden.end()) {
    return IcmpError{kV6Unreachable, kV6Prohibited, 0};
  }
  const bool is_known = std::ranges::find(kV4NoWay, v4.code) != kV4NoWay.end();
  return is_known ? std::optional(IcmpError{kV6Unreachable, kV6NoRoute, 0}) : std::nullopt;
}

}  // namespace

std::optional<IcmpError> ToIcmpV6(const IcmpError& v4) {
  if (v4.type == kV4Unreachable) return Unreachable(v4);
  if (v4.type == kV4TimeExceeded) return IcmpError{kV6TimeExceeded, v4.code, 0};
  return std::nullopt;
}

std::optional<IcmpError> ToIcmpV4(const IcmpError& v6) {
  if (v6.type == kV6TooBig) {
    const uint32_t mtu = std::clamp<uint32_t>(v6.rest, kLeastIpv6Mtu, 0xffff) - kNat64Growth;
    return IcmpError{kV4Unreachable, kV4FragmentationNeeded, mtu};
  }
  if (v6.type == kV6TimeExceeded) return IcmpError{kV4TimeExceeded, v6.code, 0};
  if (v6.type == kV6ParameterProblem && v6.code == kV6UnknownNextHeader) {
    return IcmpError{kV4Unreachable, kV4NoProtocol, 0};
  }
  if (v6.type != kV6Unreachable || v6.code > kV6NoPort) return std::nullopt;
  if (v6.code == kV6NoPort) return IcmpError{kV4Unreachable, kV4NoPort, 0};
  return IcmpError{kV4Unreachable, v6.code == kV6Prohibited ? kV4Prohibited : kV4NoHost, 0};
}

}  // namespace jsp::netsim
