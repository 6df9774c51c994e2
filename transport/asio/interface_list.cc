#include "transport/asio/interface_list.h"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "transport/asio/endpoint.h"
#if !defined(_WIN32)
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

namespace jsp::transport::io {
namespace {

bool HasPrefix(std::string_view name, const std::vector<std::string>& prefixes) {
  return std::ranges::any_of(prefixes, [&](const std::string& prefix) { return name.starts_with(prefix); });
}

bool IsEligible(const InterfaceAddress& address, const InterfaceFilter& filter) {
  if (!address.is_up || address.ip.IsUnspecified() || address.ip.IsMulticast()) return false;
  if (!filter.addresses.Admits(address.ip)) return false;
  if (address.ip.is_v6() && (!filter.ipv6 || address.is_fading)) return false;
  if (address.cost > filter.max_cost) return false;
  if (filter.names.empty()) return !HasPrefix(address.name, filter.excluded);
  return std::ranges::find(filter.names, address.name) != filter.names.end();
}

// RFC 8445 §5.1.1.1: with a temporary address of the same prefix a stable one would only tell who we are.
bool IsShadowed(const InterfaceAddress& address, const std::vector<InterfaceAddress>& all) {
  if (!address.ip.is_v6() || address.is_temporary) return false;
  constexpr size_t kPrefix = 8;  // RFC 4291 §2.5.1: 64 bits
  return std::ranges::any_of(all, [&](const InterfaceAddress& other) {
    return other.ip.is_v6() && other.is_temporary && other.is_up && !other.is_fading && other.index == address.index &&
           std::ranges::equal(other.ip.octets().first(kPrefix), address.ip.octets().first(kPrefix));
  });
}

}  // namespace

uint16_t CostOfInterface(std::string_view name) {
  constexpr std::pair<std::string_view, uint16_t> kKinds[] = {{"wl", 10},   {"ww", 900},  {"rmnet", 900}, {"usb", 900},
                                                              {"tun", 50},  {"tap", 50},  {"wg", 50},     {"ppp", 50},
                                                              {"utun", 50}, {"ipsec", 50}};
  const auto* kind = std::ranges::find_if(kKinds, [&](const auto& entry) { return name.starts_with(entry.first); });
  return kind == std::end(kKinds) ? uint16_t{0} : kind->second;
}

std::vector<LocalAddress> SelectAddresses(const InterfaceFilter& filter) {
  return SelectAddresses(ListInterfaces(), filter,
                         filter.default_route_only ? DefaultRouteSources() : std::vector<IpAddress>());
}

std::vector<LocalAddress> SelectAddresses(const std::vector<InterfaceAddress>& interfaces,
                                          const InterfaceFilter& filter, const std::vector<IpAddress>& route_sources) {
  const auto is_on_route = [&](const InterfaceAddress& address) {
    return !filter.default_route_only || address.ip.IsLoopback() ||
           std::ranges::any_of(interfaces, [&](const InterfaceAddress& other) {
             return other.index == address.index && std::ranges::find(route_sources, other.ip) != route_sources.end();
           });
  };
  std::vector<LocalAddress> selected;
  std::vector<LocalAddress> loopback;
  for (const auto& address : interfaces) {
    if (!IsEligible(address, filter) || IsShadowed(address, interfaces) || !is_on_route(address)) continue;
    auto& list = address.ip.IsLoopback() ? loopback : selected;
    const LocalAddress local{
        .address = {address.ip, 0}, .network_id = static_cast<uint16_t>(address.index), .network_cost = address.cost};
    const bool known = std::ranges::any_of(list, [&](const auto& l) { return l.address == local.address; });
    if (!known) list.push_back(local);
  }
  if (filter.include_loopback || !filter.names.empty()) {
    selected.insert(selected.end(), loopback.begin(), loopback.end());
  }
  return selected;
}

#if !defined(_WIN32)

namespace {

// getifaddrs does not tell what becomes of an IPv6 address; Linux has it in a file of lines "address index prefix scope
// flags name", all but the name in hexadecimal.
void ReadFlagsOfV6(std::vector<InterfaceAddress>& addresses) {
  std::FILE* file = std::fopen("/proc/net/if_inet6", "r");
  if (file == nullptr) return;
  std::array<char, 33> hex{};
  unsigned index = 0;
  unsigned flags = 0;
  while (std::fscanf(file, "%32[0-9a-f] %x %*x %*x %x %*s", hex.data(), &index, &flags) == 3) {
    std::array<uint8_t, 16> octets{};
    for (size_t i = 0; i < octets.size(); ++i) {
      const std::array<char, 3> digits{hex[2 * i], hex[2 * i + 1], 0};
      octets[i] = static_cast<uint8_t>(std::strtoul(digits.data(), nullptr, 16));
    }
    constexpr unsigned kTemporary = 0x01;  // IFA_F_TEMPORARY
    constexpr unsigned kFading = 0x68;     // IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE
    for (InterfaceAddress& address : addresses) {
      if (!address.ip.is_v6() || address.index != index || !std::ranges::equal(address.ip.octets(), octets)) continue;
      address.is_temporary = (flags & kTemporary) != 0;
      address.is_fading = (flags & kFading) != 0;
    }
  }
  std::fclose(file);
}

}  // namespace

std::vector<IpAddress> DefaultRouteSources() {
  // Nothing is sent: a connected datagram socket only has its route looked up. The addresses are of root name servers,
  // for which no network has a route of its own.
  std::vector<IpAddress> sources;
  boost::asio::io_context context;
  const auto look_up = [&](const IpAddress& far) {
    boost::system::error_code error;
    boost::asio::ip::udp::socket socket(context);
    socket.connect(ToEndpoint({far, 53}), error);
    const auto local = error ? SocketAddress() : FromEndpoint(socket.local_endpoint(error));
    if (!error && !local.ip.IsUnspecified()) sources.push_back(local.ip);
  };
  look_up(IpAddress::V4(198, 41, 0, 4));
  look_up(*IpAddress::Parse("2001:503:ba3e::2:30"));
  return sources;
}

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
    address.cost = CostOfInterface(address.name);
    found.push_back(std::move(address));
  }
  ::freeifaddrs(list);
  ReadFlagsOfV6(found);
  return found;
}

#else  // without getifaddrs the caller names its addresses in DriverOptions::bind

std::vector<InterfaceAddress> ListInterfaces() {
  return {{.name = "loopback", .index = 1, .ip = IpAddress::V4(127, 0, 0, 1)}};
}

std::vector<IpAddress> DefaultRouteSources() { return {}; }

#endif

}  // namespace jsp::transport::io
