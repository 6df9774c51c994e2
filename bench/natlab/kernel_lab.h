#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "bench/natlab/cell_runner.h"
#include "bench/natlab/kernel_nat.h"
#include "bench/natlab/nat64_process.h"
#include "bench/natlab/net_namespace.h"
namespace jsp::natlab {

// The internet of netsim::TwoSides out of a kernel's network namespaces, veth pairs and nftables, with the same
// addresses: a router in the middle, a host for the server, on each side a NAT or none and a host, a carrier's NAT in
// front if there is one, and links that delay and lose where that is asked for. Owns the namespaces; the processes of
// the links are children of the caller, which is process 1 of RunIsolated.
class KernelLab {
 public:
  static Expected<KernelLab, std::string> Build(const CellOptions& options);
  // What a kernel cannot be, of what netsim can: the error says so.
  static Expected<void, std::string> Supports(const Network& network, IpAddress::Family family,
                                              std::span<const netsim::NatType> types);

  const NetNamespace& server_host() const { return nodes_[server_]; }
  const NetNamespace& a_host() const { return nodes_[a_]; }
  const NetNamespace& b_host() const { return nodes_[b_]; }

  // What an event begins with: its NAT passes nothing on, and has forgotten all. Nothing where a side has no such NAT.
  Expected<void, std::string> TakeDown(NetworkEvent::Where where);
  // And ends with: the NAT does as before, from other ports where it chooses them, or with another address outside.
  Expected<void, std::string> BringBack(const NetworkEvent& event);

 private:
  using Result = Expected<void, std::string>;
  // How a node is attached to the one above.
  struct Uplink {
    size_t parent = 0;
    std::string interface {};  // of the node: "wan" of routers, "eth0" of hosts
    const netsim::LinkOptions* link = nullptr;
    IpAddress address{};
    std::vector<IpAddress> behind{};  // what else is routed through the node
  };
  // Where a side is attached, and with which addresses there.
  struct Place {
    size_t parent = 0;
    const netsim::LinkOptions* link = nullptr;
    IpAddress (*address)(IpAddress::Family family, uint8_t number) = nullptr;
  };
  struct Side {
    size_t host = 0;
    size_t router = 0;  // the place's parent where the host has no NAT
  };

  // How a node hangs below its parent, and its NAT if it is one.
  struct Wiring {
    size_t parent = 0;
    std::string down;     // the parent's interface to it
    std::string address;  // its own there
  };
  // What a NAT64 has besides: the node where its packets are translated, and who does.
  struct Nat64 {
    size_t node = 0;
    std::optional<Nat64Process> process{};
  };
  struct Nat {
    size_t node = 0;
    KernelNat rules;
    bool is_behind_carrier = false;
    bool is_a = false;
    std::optional<Nat64> six{};
  };

  explicit KernelLab(const CellOptions& options) : options_(options) {}
  Result Run();
  Expected<size_t, std::string> AddNode();
  Expected<size_t, std::string> Attach(const Uplink& uplink);
  Result Connect(size_t upper, const std::string& upper_name, size_t lower, const std::string& lower_name);
  Result Ip(size_t node, const std::string& batch) const { return Ip(node, options_.family, batch); }
  Result Ip(size_t node, IpAddress::Family family, const std::string& batch) const;
  Result Load(Nat& nat) const;
  Result Translate(Nat& nat) const;
  // Of the NAT's sessions, if the scenario says how long they live.
  Result SetTimers(KernelNat& nat, const NetNamespace& node) const;
  // Loads it, and remembers it under the name that events have for it.
  Result AddNat(size_t node, KernelNat nat, NetworkEvent::Where where);
  Result Remember(Nat nat, NetworkEvent::Where where);
  std::vector<IpAddress> BehindCarrier(uint8_t number) const;
  Nat* Find(NetworkEvent::Where where);
  Result Renumber(Nat& nat);
  Expected<Place, std::string> AddCarrier(uint8_t number);
  Expected<Side, std::string> AddSide(netsim::NatType type, uint8_t number, const Place& place);
  Expected<Side, std::string> AddNat64Side(uint8_t number, const Place& place);
  Result AddNat64(size_t router, uint8_t number, const IpAddress& outside);
  Result RouteIpv6(size_t router, const std::vector<IpAddress>& hosts);
  Expected<size_t, std::string> AddNeighbour(const Side& a, const Place& place);
  Result Emulate(size_t node, const netsim::LinkOptions& link);

  CellOptions options_;
  std::vector<NetNamespace> nodes_;  // the first one is the router in the middle
  std::map<size_t, Wiring> wiring_;
  std::vector<Nat> nats_;
  std::array<std::optional<size_t>, 4> places_{};  // of nats_, by NetworkEvent::Where
  uint8_t renumbered_ = 0;
  size_t links_ = 0;
  size_t server_ = 0;
  size_t a_ = 0;
  size_t b_ = 0;
};

}  // namespace jsp::natlab
