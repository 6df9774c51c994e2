#include "ice/priority.h"

#include <algorithm>
namespace jsp::ice {
namespace {

// RFC 6544 §4.2: 6 active, 4 passive, 2 simultaneous open; of server-reflexive candidates 4, 2 and 6.
uint32_t DirectionPreference(const Candidate& candidate) {
  const bool is_reflexive = candidate.type == CandidateType::kServerReflexive;
  switch (candidate.protocol) {
    case TransportProtocol::kTcpActive:
      return is_reflexive ? 4 : 6;
    case TransportProtocol::kTcpPassive:
      return is_reflexive ? 2 : 4;
    case TransportProtocol::kTcpSimultaneousOpen:
      return is_reflexive ? 6 : 2;
    case TransportProtocol::kUdp:
      break;
  }
  return 0;
}

}  // namespace

uint32_t TypePreference(CandidateType type, TransportProtocol protocol) {
  const bool is_tcp = protocol != TransportProtocol::kUdp;
  switch (type) {
    case CandidateType::kHost:
      return is_tcp ? 90 : 126;
    case CandidateType::kPeerReflexive:
      return is_tcp ? 80 : 110;
    case CandidateType::kServerReflexive:
      return is_tcp ? 60 : 100;
    case CandidateType::kRelayed:
      return 0;
  }
  return 0;
}

uint32_t CandidatePriority(CandidateType type, uint16_t local_preference, uint16_t component,
                           TransportProtocol protocol) {
  return ClampPriority((TypePreference(type, protocol) << 24) + (uint32_t{local_preference} << 8) +
                       (256u - std::min<uint32_t>(component, 256)));
}

uint32_t PeerReflexivePriority(uint32_t local_candidate_priority, TransportProtocol protocol) {
  return (TypePreference(CandidateType::kPeerReflexive, protocol) << 24) | (local_candidate_priority & 0x00ffffff);
}

uint32_t ClampPriority(uint32_t priority) { return std::clamp(priority, uint32_t{1}, kMaxPriority); }

uint64_t PairPriority(Role own_role, uint32_t local, uint32_t remote) {
  const uint64_t g = own_role == Role::kControlling ? local : remote;
  const uint64_t d = own_role == Role::kControlling ? remote : local;
  return (std::min(g, d) << 32) + 2 * std::max(g, d) + (g > d ? 1 : 0);
}

uint16_t WantedLocalPreference(uint32_t rank, uint16_t network_cost) {
  // Costs go up to 999 where they are used (draft-thatcher-ice-network-cost); 32 steps for each leave room for ranks.
  constexpr uint32_t kCostWeight = 32;
  constexpr uint32_t kMaxCost = 1000;
  const uint32_t penalty =
      kCostWeight * std::min<uint32_t>(network_cost, kMaxCost) + 2 * std::min(rank, uint32_t{1000});
  return static_cast<uint16_t>(kMaxLocalPreference - penalty);
}

uint16_t WantedTcpLocalPreference(const Candidate& candidate, uint32_t rank) {
  constexpr uint32_t kMaxOther = 8191;  // RFC 6544 §4.2
  constexpr uint32_t kCostWeight = 4;   // as above, within 13 bits
  constexpr uint32_t kMaxCost = 1000;
  const uint32_t penalty =
      kCostWeight * std::min<uint32_t>(candidate.network_cost, kMaxCost) + std::min(rank, uint32_t{1000});
  return static_cast<uint16_t>((DirectionPreference(candidate) << 13) + kMaxOther - penalty);
}

}  // namespace jsp::ice
