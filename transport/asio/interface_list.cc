#include "transport/asio/interface_list.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#if !defined(_WIN32)
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

namespace jsp::transport::io {
namespace {

// Bridges of containers and virtual machines on this host: no peer elsewhere reaches them (PITFALLS P17).
constexpr std::array<std::string_view, 7> kVirtualPrefixes{"docker", "veth", "br-", "virbr", "cni", "flannel", "lxc"};

bool IsVirtual(std::string_view name) {
  return std::ranges::any_of(kVirtualPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool IsEligible(const InterfaceAddress& address, const InterfaceFilter& filter) {
  if (!address.is_up || address.ip.IsUnspecified() || address.ip.IsMulticast() || address.ip.IsLinkLocal()) {
    return false;
  }
  if (address.ip.family() == IpAddress::Family::kV6 && !filter.ipv6) return false;
  if (filter.names.empty()) return !IsVirtual(address.name);
  return std::ranges::find(filter.names, address.name) != filter.names.end();
}

}  // namespace

std::vector<LocalAddress> SelectAddresses(const std::vector<InterfaceAddress>& interfaces,
                                          const InterfaceFilter& filter) {
  std::vector<LocalAddress> selected;
  std::vector<LocalAddress> loopback;
  for (const auto& address : interfaces) {
    if (!IsEligible(address, filter)) continue;
    auto& list = address.ip.IsLoopback() ? loopback : selected;
    const LocalAddress local{.address = {address.ip, 0}, .network_id = static_cast<uint16_t>(address.index)};
    const bool known = std::ranges::any_of(list, [&](const auto& l) { return l.address == local.address; });
    if (!known) list.push_back(local);
  }
  if (filter.include_loopback || selected.empty() || !filter.names.empty()) {
    selected.insert(selected.end(), loopback.begin(), loopback.end());
  }
  return selected;
}

#if !defined(_WIN32)

std::vector<InterfaceAddress> ListInterfaces() {
  std::vector<InterfaceAddress> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    InterfaceAddress address;
    address.name = entry->ifa_name;
    address.index = ::if_nametoindex(entry->ifa_name);
    address.is_up = (entry->ifa_flags & IFF_UP) != 0;
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in v4;
      std::memcpy(&v4, entry->ifa_addr, sizeof(v4));
      address.ip = IpAddress::V4(ntohl(v4.sin_addr.s_addr));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 v6;
      std::memcpy(&v6, entry->ifa_addr, sizeof(v6));
      address.ip = IpAddress::V6(std::span<const uint8_t, 16>(v6.sin6_addr.s6_addr, 16), v6.sin6_scope_id);
    } else {
      continue;
    }
    found.push_back(std::move(address));
  }
  ::freeifaddrs(list);
  return found;
}

#else  // without getifaddrs the caller names its addresses in DriverOptions::bind

std::vector<InterfaceAddress> ListInterfaces() { return {{"loopback", 1, IpAddress::V4(127, 0, 0, 1), true}}; }

#endif

}  // namespace jsp::transport::io
