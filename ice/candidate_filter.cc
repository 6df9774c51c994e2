#include "ice/candidate_filter.h"

#include <algorithm>
namespace jsp::ice {

bool AddressFilter::Admits(const IpAddress& ip) const {
  const auto holds_it = [&](const IpPrefix& prefix) { return prefix.Contains(ip); };
  if (!link_local && ip.IsLinkLocal()) return false;
  if (!only.empty() && std::ranges::none_of(only, holds_it)) return false;
  return std::ranges::none_of(without, holds_it);
}

bool CandidateFilter::Admits(CandidateType type) const {
  switch (type) {
    case CandidateType::kHost:
      return host;
    case CandidateType::kServerReflexive:
      return server_reflexive;
    case CandidateType::kPeerReflexive:
      return peer_reflexive;
    case CandidateType::kRelayed:
      return relayed;
  }
  return false;
}

bool CandidateFilter::Admits(const Candidate& candidate) const {
  return Admits(candidate.type) && candidate.network_cost <= max_network_cost && Admits(candidate.address.ip);
}

}  // namespace jsp::ice
