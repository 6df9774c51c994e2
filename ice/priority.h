#pragma once
#include <cstdint>

#include "ice/candidate.h"
#include "ice/options.h"
namespace jsp::ice {

constexpr uint32_t kMaxPriority = 0x7fffffff;  // RFC 8445 §5.1.2: 1 to 2**31 - 1
constexpr uint16_t kMaxLocalPreference = 65535;

// RFC 8445 §5.1.2.2: 126 host, 110 peer-reflexive, 100 server-reflexive, 0 relayed.
// RFC 6544 §4.2, "UDP candidates are preferred over TCP candidates": of TCP 90, 80, 60 and 0.
uint32_t TypePreference(CandidateType type, TransportProtocol protocol = TransportProtocol::kUdp);
// RFC 8445 §5.1.2.1: 2^24 × type preference + 2^8 × local preference + (256 − component).
uint32_t CandidatePriority(CandidateType type, uint16_t local_preference, uint16_t component,
                           TransportProtocol protocol = TransportProtocol::kUdp);
// RFC 8445 §7.1.1: what PRIORITY says in a check from a local candidate: its priority, were it peer-reflexive.
uint32_t PeerReflexivePriority(uint32_t local_candidate_priority, TransportProtocol protocol = TransportProtocol::kUdp);
// A priority off the wire, forced into the legal range.
uint32_t ClampPriority(uint32_t priority);
// RFC 8445 §6.1.2.3: 2^32 × MIN(G,D) + 2 × MAX(G,D) + (G>D ? 1 : 0); G belongs to the controlling side.
uint64_t PairPriority(Role own_role, uint32_t local, uint32_t remote);
// The local preference that the `rank`-th candidate (0 = first) of its type and family asks for: lower for later and
// for costlier networks (RFC 8421 §4). The caller takes the next lower one that is free, so that it stays unique and
// families interleave.
uint16_t WantedLocalPreference(uint32_t rank, uint16_t network_cost);
// The same for a TCP candidate, RFC 6544 §4.2: 2^13 × direction preference + other preference.
uint16_t WantedTcpLocalPreference(const Candidate& candidate, uint32_t rank);

}  // namespace jsp::ice
