#include "netsim/nat64.h"

#include <algorithm>
#include <array>

namespace jsp::netsim {
namespace {

constexpr size_t kPrefixOctets = 12;

}  // namespace

IpAddress EmbedIpv4(const IpAddress& prefix, const IpAddress& v4) {
  std::array<uint8_t, 16> octets;
  std::ranges::copy(prefix.octets(), octets.begin());
  std::ranges::copy(v4.octets(), octets.begin() + kPrefixOctets);
  return IpAddress::V6(octets);
}

std::optional<IpAddress> ExtractIpv4(const IpAddress& prefix, const IpAddress& v6) {
  if (!v6.is_v6() || !std::ranges::equal(v6.octets().first(kPrefixOctets), prefix.octets().first(kPrefixOctets))) {
    return std::nullopt;
  }
  const auto v4 = v6.octets().subspan(kPrefixOctets);
  return IpAddress::V4(v4[0], v4[1], v4[2], v4[3]);
}

}  // namespace jsp::netsim
