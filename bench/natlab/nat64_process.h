#pragma once
#include <sys/types.h>

#include <string>

#include "base/expected.h"
#include "base/socket_address.h"
#include "bench/natlab/net_namespace.h"
#include "netsim/nat.h"
namespace jsp::natlab {

// What a kernel's router lacks to be a NAT64: a process that translates what the router sends it over a veth pair, and
// sends it back. Its mappings are those of the simulation (netsim::Nat64Translator), its packets are real. It needs no
// device file, as a tun would, but what links are made of already. Ends with this object, or with its parent.
// Move-only.
class Nat64Process {
 public:
  // `where` has the far end of the pair, as "nat64", and nothing else.
  static Expected<Nat64Process, std::string> Start(const NetNamespace& where, const netsim::NatOptions& options,
                                                   const IpAddress& outside, uint64_t seed);
  Nat64Process(Nat64Process&& other) noexcept;
  Nat64Process& operator=(Nat64Process&& other) noexcept;
  ~Nat64Process();

 private:
  explicit Nat64Process(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

// Of both ends of the pair.
inline constexpr const char* kNat64Interface = "nat64";

}  // namespace jsp::natlab
