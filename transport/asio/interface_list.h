#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ice/candidate_filter.h"
#include "transport/local_address.h"
namespace jsp::transport::io {

// Which addresses of this host may become host candidates (RFC 8445 §5.1.1.1).
struct InterfaceFilter {
  std::vector<std::string> names{};  // only these; empty: all but `excluded`
  // Beginnings of names: bridges of containers and virtual machines, which no peer elsewhere reaches (PITFALLS P17).
  std::vector<std::string> excluded{"docker", "veth", "br-", "virbr", "cni", "flannel", "lxc"};
  // No sockets for candidates are opened at others. Relays are reached from wherever the kernel's route leads.
  ice::AddressFilter addresses{};
  bool include_loopback = false;  // beside the others (RFC 8445 §5.1.1.1); loopback is never used unasked
  bool ipv6 = true;
  // RFC 8828 §5.2, modes 2 and 3: only interfaces that the kernel's default routes of either family lead over, or
  // names.
  bool default_route_only = false;
  uint16_t max_cost = 999;  // dearer ones are left out; see InterfaceAddress::cost
};

// One address of an interface, as the operating system reports it.
struct InterfaceAddress {
  std::string name;
  unsigned index = 0;  // of the interface; becomes LocalAddress::network_id
  IpAddress ip;
  bool is_up = true;
  bool is_temporary = false;  // RFC 8981: an IPv6 address for privacy
  bool is_fading = false;     // IPv6: deprecated, or not assured to be unique (RFC 4862 §5.4, §5.5.4)
  // By the kind of network that the name tells: 0 wired or unknown, 10 wireless, 50 a tunnel, 900 cellular; becomes
  // LocalAddress::network_cost.
  uint16_t cost = 0;
};
uint16_t CostOfInterface(std::string_view name);
// The addresses that the kernel would send from to the internet, of either family.
std::vector<IpAddress> DefaultRouteSources();

std::vector<InterfaceAddress> ListInterfaces();
// The usable ones, loopback last, without ports. Interfaces that are down, and what the filter excludes, are left out;
// loopback is used when `names` lists it. RFC 8445 §5.1.1.1: where an interface has a temporary IPv6 address of a
// prefix, its stable ones of that prefix are left out.
// `route_sources`: what DefaultRouteSources says, where the filter asks.
std::vector<LocalAddress> SelectAddresses(const std::vector<InterfaceAddress>& interfaces,
                                          const InterfaceFilter& filter,
                                          const std::vector<IpAddress>& route_sources = {});
// Of this host, now.
std::vector<LocalAddress> SelectAddresses(const InterfaceFilter& filter);

}  // namespace jsp::transport::io
