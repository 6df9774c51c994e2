#pragma once
#include <cstdint>
#include <optional>
namespace jsp::netsim {

// The first eight octets of an ICMP error, of either family, without the checksum.
struct IcmpError {
  uint8_t type = 0;
  uint8_t code = 0;
  uint32_t rest = 0;  // the MTU, where the packet was too big
  bool operator==(const IcmpError&) const = default;
};

inline constexpr uint32_t kLeastIpv6Mtu = 1280;  // RFC 8200 §5
inline constexpr uint32_t kNat64Growth = 20;     // what an IPv6 header has more than one of IPv4

// What a NAT64 makes of an error of one family in the other (RFC 7915): unreachable, too big, and out of hops. nullopt:
// it is none of these, and ends here.
std::optional<IcmpError> ToIcmpV6(const IcmpError& v4);
std::optional<IcmpError> ToIcmpV4(const IcmpError& v6);

}  // namespace jsp::netsim
