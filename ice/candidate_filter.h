#pragma once
#include <cstdint>
#include <vector>

#include "base/ip_prefix.h"
#include "base/socket_address.h"
#include "ice/candidate.h"
namespace jsp::ice {

// Which IP addresses may be used. Loopback is let through: it pairs with loopback only (RFC 8445 §6.1.2.2), and whoever
// gives an agent such an address of ours has asked for it.
struct AddressFilter {
  std::vector<IpPrefix> only{};     // empty: every address
  std::vector<IpPrefix> without{};  // stronger than `only`
  bool link_local = false;          // 169.254.0.0/16 and fe80::/10: one link, of which the peer is seldom on the same
  bool Admits(const IpAddress& ip) const;
  bool operator==(const AddressFilter&) const = default;
};

// Which candidates of one side may be used (RFC 8445 §5.1.1 leaves it to the host; RFC 8828 says why one would choose).
// What it does not admit is refused with kFiltered; see docs/ice.md#filters.
struct CandidateFilter : AddressFilter {
  bool host = true;
  bool server_reflexive = true;
  // Of the peer: that a check from an address which nobody signalled makes a candidate (RFC 8445 §7.3.1.3). Ours are
  // seen by way of a base that was admitted, and are not filtered by their type.
  bool peer_reflexive = true;
  bool relayed = true;
  // Dearer ones are refused. Ours cost what their interface does (LocalAddress::network_cost), those of the peer what
  // the peer's "network-cost" says, 0 without it.
  uint16_t max_network_cost = UINT16_MAX;

  bool Admits(CandidateType type) const;
  bool Admits(const Candidate& candidate) const;
  using AddressFilter::Admits;
  bool operator==(const CandidateFilter&) const = default;
};

// Of one session.
struct CandidateFilters {
  CandidateFilter local{};
  CandidateFilter remote{};
  bool operator==(const CandidateFilters&) const = default;
};

}  // namespace jsp::ice
