#pragma once
#include <string>
#include <vector>

#include "transport/local_address.h"
namespace jsp::transport::io {

// Which addresses of this host may become host candidates (RFC 8445 §5.1.1.1).
struct InterfaceFilter {
  std::vector<std::string> names;  // only these; empty: all but container bridges (PITFALLS P17)
  bool include_loopback = false;   // beside the others; a host that has nothing else uses loopback anyhow
  bool ipv6 = true;
};

// One address of an interface, as the operating system reports it.
struct InterfaceAddress {
  std::string name;
  unsigned index = 0;  // of the interface; becomes LocalAddress::network_id
  IpAddress ip;
  bool is_up = true;
};

std::vector<InterfaceAddress> ListInterfaces();
// The usable ones, loopback last, without ports. Link-local addresses, interfaces that are down, and virtual bridges
// (docker, veth, br-, virbr, cni, flannel) are left out; the latter are used when `names` lists them.
std::vector<LocalAddress> SelectAddresses(const std::vector<InterfaceAddress>& interfaces,
                                          const InterfaceFilter& filter);

}  // namespace jsp::transport::io
