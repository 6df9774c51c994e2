#include "ice/pairing.h"

#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
namespace jsp::ice {
namespace {

class PairingTest : public testing::Test {
 protected:
  static AddressPair Path(const char* local, const char* remote) { return {Address(local), Address(remote)}; }
  uint64_t Dropped(DropReason reason) { return metrics_.dropped[static_cast<size_t>(reason)]; }

  Metrics metrics_;
  Options options_{.max_remote_candidates = 4, .max_pairs = 6};
  Pairing pairing_{options_, metrics_};
};

TEST_F(PairingTest, PairsNothingBeforeItStarts) {
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:1")));
  EXPECT_EQ(pairing_.checklist().size(), 0u);
  pairing_.Start(Role::kControlling);
  EXPECT_EQ(pairing_.checklist().size(), 1u);
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.2:1")));
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:2")));
  EXPECT_EQ(pairing_.checklist().size(), 4u);
}

TEST_F(PairingTest, ReplacesReflexiveCandidatesByTheirBase) {  // RFC 8445 §6.1.2.4
  ASSERT_TRUE(pairing_.AddLocal(Reflexive("203.0.113.1:7", "10.0.0.1:1")));
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:1")));
  pairing_.Start(Role::kControlling);
  const CandidatePair* pair = pairing_.checklist().Find(Path("10.0.0.1:1", "192.0.2.9:1"));
  ASSERT_NE(pair, nullptr);
  EXPECT_EQ(pairing_.LocalOf(*pair).type, CandidateType::kServerReflexive);  // nobody else stands for the base yet
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  EXPECT_EQ(pairing_.checklist().size(), 1u);
  EXPECT_EQ(pairing_.LocalOf(*pair).type, CandidateType::kHost);
  EXPECT_EQ(pair->priority,
            PairPriority(Role::kControlling, pairing_.local().Get(1).priority, pairing_.remote().Get(0).priority));
}

Candidate Tcp(const char* address, TransportProtocol protocol) {
  Candidate candidate = Host(address);
  candidate.protocol = protocol;
  return candidate;
}

TEST_F(PairingTest, PairsTcpCandidatesByTheirDirection) {  // RFC 6544 §6.2
  ASSERT_TRUE(pairing_.AddLocal(Tcp("10.0.0.1:9", TransportProtocol::kTcpActive)));
  ASSERT_TRUE(pairing_.AddLocal(Tcp("10.0.0.1:5000", TransportProtocol::kTcpPassive)));
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:5001")));
  ASSERT_TRUE(pairing_.AddRemote(Tcp("192.0.2.9:9", TransportProtocol::kTcpActive)));
  ASSERT_TRUE(pairing_.AddRemote(Tcp("192.0.2.9:6000", TransportProtocol::kTcpPassive)));
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:6000")));  // the same address over UDP is another candidate
  pairing_.Start(Role::kControlling);
  EXPECT_EQ(pairing_.checklist().size(), 2u);
  EXPECT_NE(pairing_.checklist().Find(Path("10.0.0.1:9", "192.0.2.9:6000")), nullptr);
  EXPECT_NE(pairing_.checklist().Find(Path("10.0.0.1:5001", "192.0.2.9:6000")), nullptr);
}

TEST_F(PairingTest, LearnsWhoConnectsToAPassiveCandidate) {  // RFC 6544 §7.2
  ASSERT_TRUE(pairing_.AddLocal(Tcp("10.0.0.1:5000", TransportProtocol::kTcpPassive)));
  pairing_.Start(Role::kControlled);
  const auto made = pairing_.FindOrAdd(Path("10.0.0.1:5000", "192.0.2.9:40000"), 55);
  ASSERT_NE(made.pair, nullptr);
  EXPECT_TRUE(made.is_new_candidate);
  EXPECT_EQ(pairing_.RemoteOf(*made.pair).protocol, TransportProtocol::kTcpActive);
}

TEST_F(PairingTest, CountsWhatItHasNoRoomFor) {  // RFC 8445 §6.1.2.5
  for (const char* local : {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}) ASSERT_TRUE(pairing_.AddLocal(Host(local)));
  pairing_.Start(Role::kControlling);
  for (int port = 1; port <= 5; ++port) {
    Candidate remote = Host("192.0.2.9:" + std::to_string(port));
    remote.priority = static_cast<uint32_t>(100 - port);
    EXPECT_EQ(pairing_.AddRemote(remote).has_value(), port <= 4);
  }
  EXPECT_EQ(pairing_.checklist().size(), 6u);
  EXPECT_EQ(Dropped(DropReason::kTooManyCandidates), 1u);
  EXPECT_GT(Dropped(DropReason::kTooManyPairs), 0u);
}

TEST_F(PairingTest, FindsOrMakesThePairOfACheck) {  // RFC 8445 §7.3.1.3, §7.3.1.4
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.2:1")));
  pairing_.Start(Role::kControlled);
  const auto made = pairing_.FindOrAdd(Path("10.0.0.1:1", "192.0.2.9:1"), 55);
  ASSERT_NE(made.pair, nullptr);
  EXPECT_TRUE(made.is_new_candidate);
  EXPECT_EQ(pairing_.RemoteOf(*made.pair).priority, 55u);
  EXPECT_EQ(pairing_.checklist().size(), 1u);  // it is not paired with the other local candidate
  const auto found = pairing_.FindOrAdd(Path("10.0.0.1:1", "192.0.2.9:1"), 66);
  EXPECT_EQ(found.pair, made.pair);
  EXPECT_FALSE(found.is_new_candidate);
  const auto other = pairing_.FindOrAdd(Path("10.0.0.2:1", "192.0.2.9:1"), 66);
  EXPECT_FALSE(other.is_new_candidate);  // the candidate was known, the pair was not
  EXPECT_EQ(pairing_.FindOrAdd(Path("10.0.0.9:1", "192.0.2.9:1"), 66).pair, nullptr);
}

TEST_F(PairingTest, PairsALearntCandidateOnceItIsSignalled) {  // RFC 8838 §11
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.2:1")));
  pairing_.Start(Role::kControlled);
  const auto made = pairing_.FindOrAdd(Path("10.0.0.1:1", "192.0.2.9:1"), 55);
  const std::string before = made.pair->foundation;
  Candidate signalled = Relayed("192.0.2.9:1");
  signalled.foundation = "r";
  ASSERT_TRUE(pairing_.AddRemote(signalled));
  EXPECT_EQ(pairing_.checklist().size(), 2u);
  EXPECT_NE(made.pair->foundation, before);
  EXPECT_TRUE(made.pair->is_relayed);
}

TEST_F(PairingTest, DoesNotPairALearntCandidateWithALateLocalOne) {
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  pairing_.Start(Role::kControlled);
  pairing_.FindOrAdd(Path("10.0.0.1:1", "192.0.2.9:1"), 55);
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.2:1")));
  EXPECT_EQ(pairing_.checklist().size(), 1u);
}

TEST_F(PairingTest, MakesTheValidPairOfAnAnswer) {  // RFC 8445 §7.2.5.3.2
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:1")));
  pairing_.Start(Role::kControlling);
  CandidatePair& pair = *pairing_.checklist().Find(Path("10.0.0.1:1", "192.0.2.9:1"));
  const auto discovered = pairing_.SetValid(pair, Address("203.0.113.1:7"), 20ms, At(1s));
  ASSERT_TRUE(discovered);
  EXPECT_EQ(pair.state, PairState::kSucceeded);
  EXPECT_EQ(pairing_.LocalOf(pair).address, Address("203.0.113.1:7"));
  EXPECT_EQ(pair.valid->rtt, 20ms);
  EXPECT_EQ(pair.valid->at, At(1s));
  EXPECT_LT(pair.valid->priority, pair.priority);  // the valid pair's own: peer-reflexive below host
  EXPECT_FALSE(pairing_.SetValid(pair, Address("203.0.113.1:7"), 20ms, At(2s)));
}

TEST_F(PairingTest, RecomputesPrioritiesForARole) {  // RFC 8445 §7.3.1.1
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  Candidate remote = Host("192.0.2.9:1");
  remote.priority = 5;
  ASSERT_TRUE(pairing_.AddRemote(remote));
  pairing_.Start(Role::kControlling);
  CandidatePair& pair = *pairing_.checklist().Find(Path("10.0.0.1:1", "192.0.2.9:1"));
  pairing_.SetValid(pair, Address("10.0.0.1:1"), 1ms, At(0s));
  const uint64_t before = pair.priority;
  pairing_.SetRole(Role::kControlled);
  EXPECT_EQ(pair.priority, before - 1);
  EXPECT_EQ(pair.valid->priority, before - 1);
}

TEST_F(PairingTest, AnOwnRelayThatIsSeenFromElsewhereRanksAsThatRelay) {  // RFC 8445 §7.2.5.3.1
  ASSERT_TRUE(pairing_.AddLocal(Relayed("203.0.113.5:49152")));
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:1")));
  pairing_.Start(Role::kControlling);
  CandidatePair& pair = *pairing_.checklist().Find(Path("203.0.113.5:49152", "192.0.2.9:1"));
  EXPECT_TRUE(pairing_.SetValid(pair, Address("203.0.113.77:1024"), 1ms, At(0s)));
  EXPECT_EQ(pairing_.LocalOf(pair).type, CandidateType::kPeerReflexive);
  EXPECT_EQ(pair.valid->priority, pair.priority);
  EXPECT_GT(pairing_.LocalOf(pair).priority, pairing_.local().Get(0).priority);
  pairing_.SetRole(Role::kControlled);
  EXPECT_EQ(pair.valid->priority, pair.priority);
}

TEST_F(PairingTest, WhatIsSignalledLaterTellsThatACheckCameFromARelay) {  // RFC 8445 §7.3.1.3
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  pairing_.Start(Role::kControlling);
  CandidatePair& pair = *pairing_.FindOrAdd(Path("10.0.0.1:1", "203.0.113.5:7777"), 0x6e000001).pair;
  pairing_.SetValid(pair, Address("10.0.0.1:1"), 1ms, At(0s));
  const uint64_t before = pair.valid->priority;
  ASSERT_TRUE(pairing_.AddRemote(Relayed("203.0.113.5:49152")));
  EXPECT_TRUE(pair.is_relayed);
  EXPECT_EQ(pair.priority, before);  // that of the check stays, RFC 8838 §11
  EXPECT_LT(pair.rank, before);
  EXPECT_EQ(pair.valid->priority, pair.rank);
}

TEST_F(PairingTest, PairsNothingAfterCompletion) {  // RFC 8838 §13
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  pairing_.Start(Role::kControlling);
  pairing_.Complete();
  EXPECT_TRUE(pairing_.IsCompleted());
  ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:1")));
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.2:1")));
  EXPECT_EQ(pairing_.checklist().size(), 0u);
}

TEST_F(PairingTest, DropsALearntCandidateWithoutRoom) {
  ASSERT_TRUE(pairing_.AddLocal(Host("10.0.0.1:1")));
  pairing_.Start(Role::kControlled);
  for (int port = 1; port <= 4; ++port) {
    ASSERT_TRUE(pairing_.AddRemote(Host("192.0.2.9:" + std::to_string(port))));
  }
  EXPECT_EQ(pairing_.FindOrAdd(Path("10.0.0.1:1", "192.0.2.9:99"), 1).pair, nullptr);
  EXPECT_EQ(Dropped(DropReason::kTooManyCandidates), 1u);
}

}  // namespace
}  // namespace jsp::ice
