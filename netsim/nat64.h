#pragma once
#include <optional>

#include "base/socket_address.h"
namespace jsp::netsim {

// The IPv6 addresses by which hosts behind a NAT64 know those of IPv4: RFC 6052 §2.2, for prefixes of 96 bits, where
// the IPv4 address is the last 32. `prefix` has zeros there.
IpAddress EmbedIpv4(const IpAddress& prefix, const IpAddress& v4);
// nullopt: `v6` is not under the prefix.
std::optional<IpAddress> ExtractIpv4(const IpAddress& prefix, const IpAddress& v6);

}  // namespace jsp::netsim
