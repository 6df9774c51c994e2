#include "ice/priority.h"

#include <algorithm>
namespace jsp::ice {

uint32_t TypePreference(CandidateType type) {
  switch (type) {
    case CandidateType::kHost:
      return 126;
    case CandidateType::kPeerReflexive:
      return 110;
    case CandidateType::kServerReflexive:
      return 100;
    case CandidateType::kRelayed:
      return 0;
  }
  return 0;
}

uint32_t CandidatePriority(CandidateType type, uint16_t local_preference, uint16_t component) {
  return ClampPriority((TypePreference(type) << 24) + (uint32_t{local_preference} << 8) +
                       (256u - std::min<uint32_t>(component, 256)));
}

uint32_t PeerReflexivePriority(uint32_t local_candidate_priority) {
  return (TypePreference(CandidateType::kPeerReflexive) << 24) | (local_candidate_priority & 0x00ffffff);
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

}  // namespace jsp::ice
