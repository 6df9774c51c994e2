#include "ice/priority.h"

#include <gtest/gtest.h>
namespace jsp::ice {
namespace {

TEST(PriorityTest, FollowsTheFormula) {  // RFC 8445 §5.1.2.1
  EXPECT_EQ(CandidatePriority(CandidateType::kHost, 65535, 1), 2130706431u);
  EXPECT_EQ(CandidatePriority(CandidateType::kPeerReflexive, 65535, 1), 1862270975u);
  EXPECT_EQ(CandidatePriority(CandidateType::kServerReflexive, 65535, 1), 1694498815u);
  EXPECT_EQ(CandidatePriority(CandidateType::kRelayed, 65535, 1), 16777215u);
  EXPECT_EQ(CandidatePriority(CandidateType::kHost, 0, 256), 126u << 24);
}

TEST(PriorityTest, StaysInTheLegalRange) {  // RFC 8445 §5.1.2: a positive integer up to 2**31 - 1
  EXPECT_EQ(CandidatePriority(CandidateType::kRelayed, 0, 256), 1u);
  EXPECT_EQ(CandidatePriority(CandidateType::kRelayed, 0, 1000), 1u);
  EXPECT_EQ(ClampPriority(0), 1u);
  EXPECT_EQ(ClampPriority(0xffffffff), kMaxPriority);
  EXPECT_EQ(ClampPriority(77), 77u);
}

TEST(PriorityTest, PrefersPeerReflexiveToServerReflexive) {  // RFC 8445 §5.1.2.1
  EXPECT_GT(TypePreference(CandidateType::kPeerReflexive), TypePreference(CandidateType::kServerReflexive));
  EXPECT_LE(TypePreference(CandidateType::kHost), 126u);
}

TEST(PriorityTest, MakesAPeerReflexivePriorityOfALocalOne) {  // RFC 8445 §7.1.1
  EXPECT_EQ(PeerReflexivePriority(2130706431), 1862270975u);
  EXPECT_EQ(PeerReflexivePriority(16777215), 1862270975u);
}

TEST(PriorityTest, ComputesPairPriorities) {  // RFC 8445 §6.1.2.3
  struct Case {
    uint32_t g, d;
    uint64_t priority;
  };
  for (const Case& c : {Case{2130706431, 1694498815, 7277816997797167103u},
                        {1694498815, 2130706431, 7277816997797167102u},
                        {2130706431, 2130706431, 9151314442783293438u},
                        {16777215, 2130706431, 72057594004373502u}}) {
    EXPECT_EQ(PairPriority(Role::kControlling, c.g, c.d), c.priority);
    EXPECT_EQ(PairPriority(Role::kControlled, c.d, c.g), c.priority);  // both sides see the same
  }
}

TEST(PriorityTest, WantsLessForLaterAndCostlierNetworks) {  // RFC 8421 §4
  EXPECT_EQ(WantedLocalPreference(0, 0), 65535);
  EXPECT_EQ(WantedLocalPreference(1, 0), 65533);  // one between them for the other family
  EXPECT_LT(WantedLocalPreference(0, 10), WantedLocalPreference(63, 0));
  EXPECT_LT(WantedLocalPreference(0, 999), WantedLocalPreference(0, 900));
  EXPECT_GT(WantedLocalPreference(1000, 65535), 0);
}

Candidate Tcp(CandidateType type, TransportProtocol protocol, uint16_t network_cost = 0) {
  Candidate candidate;
  candidate.type = type;
  candidate.protocol = protocol;
  candidate.network_cost = network_cost;
  return candidate;
}

TEST(PriorityTest, PrefersUdpToTcpAndTcpToRelays) {  // RFC 6544 §4.2
  using enum CandidateType;
  const auto tcp = TransportProtocol::kTcpActive;
  EXPECT_LT(TypePreference(kHost, tcp), TypePreference(kServerReflexive));
  EXPECT_GT(TypePreference(kHost, tcp), TypePreference(kPeerReflexive, tcp));
  EXPECT_GT(TypePreference(kPeerReflexive, tcp), TypePreference(kServerReflexive, tcp));
  EXPECT_GT(TypePreference(kServerReflexive, tcp), TypePreference(kRelayed));
  EXPECT_EQ(PeerReflexivePriority(0x12345678, tcp), 80u << 24 | 0x345678);
}

TEST(PriorityTest, PutsTheDirectionOfTcpIntoThreeBits) {  // RFC 6544 §4.2
  using enum TransportProtocol;
  const auto preference = [](CandidateType type, TransportProtocol protocol) {
    return WantedTcpLocalPreference(Tcp(type, protocol), 0);
  };
  EXPECT_EQ(preference(CandidateType::kHost, kTcpActive), 6 * 8192 + 8191);
  EXPECT_EQ(preference(CandidateType::kHost, kTcpPassive), 4 * 8192 + 8191);
  EXPECT_EQ(preference(CandidateType::kHost, kTcpSimultaneousOpen), 2 * 8192 + 8191);
  EXPECT_EQ(preference(CandidateType::kRelayed, kTcpPassive), 4 * 8192 + 8191);
  EXPECT_EQ(preference(CandidateType::kServerReflexive, kTcpSimultaneousOpen), 6 * 8192 + 8191);
  EXPECT_EQ(preference(CandidateType::kServerReflexive, kTcpActive), 4 * 8192 + 8191);
  EXPECT_EQ(preference(CandidateType::kServerReflexive, kTcpPassive), 2 * 8192 + 8191);
  // Other preferences stay within their 13 bits, and say which network costs less.
  const uint16_t worst = WantedTcpLocalPreference(Tcp(CandidateType::kHost, kTcpActive, 60000), 60000);
  EXPECT_EQ(worst >> 13, 6);
  EXPECT_LT(worst, WantedTcpLocalPreference(Tcp(CandidateType::kHost, kTcpActive, 10), 0));
}

}  // namespace
}  // namespace jsp::ice
