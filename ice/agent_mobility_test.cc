// Networks that come and go: LoseLocalBase, and renomination (draft-thatcher-ice-renomination) beyond RFC 8445 §8.1.1.
#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
#include "ice/stun_attributes.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;

constexpr std::string_view kA = "192.0.2.1:5000";
constexpr std::string_view kZ = "192.0.2.2:6000";
constexpr std::string_view kOther = "198.51.100.9:5000";

AgentPair::Config Moving(uint64_t seed = 1, double loss = 0) {
  AgentPair::Config config;
  config.renomination = true;
  config.seed = seed;
  config.loss = loss;
  return config;
}

bool Uses(const AgentPair& pair, const Agent& agent, std::string_view local) {
  (void)pair;
  return agent.selected_pair() && agent.selected_pair()->local.base == Address(local);
}
bool Reaches(const Agent& agent, std::string_view remote) {
  return agent.selected_pair() && agent.selected_pair()->remote.address == Address(remote);
}
std::string_view HostOf(Side side) { return side == Side::kA ? kA : kZ; }
Side OtherThan(Side side) { return side == Side::kA ? Side::kZ : Side::kA; }

void Connect(AgentPair& pair) {
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
}

TEST(AgentMobilityTest, ANewAddressTakesOverFromOneThatGoes) {
  for (const Side side : {Side::kA, Side::kZ}) {
    AgentPair pair(Moving());
    Connect(pair);
    pair.AddHost(side, kOther);
    pair.RunFor(1s);
    EXPECT_TRUE(Uses(pair, pair.agent(side), HostOf(side))) << "it is no better, so nothing moves yet";
    pair.LoseHost(side, HostOf(side));
    const Timestamp lost = pair.now();
    const auto moved = [&] {
      return Uses(pair, pair.agent(side), kOther) && Reaches(pair.agent(OtherThan(side)), kOther) &&
             pair.a().state() == State::kCompleted && pair.z().state() == State::kCompleted;
    };
    ASSERT_TRUE(pair.RunUntil(moved, 12s));
    // The controlling side nominates at once; else it waits for the silence of the old path.
    EXPECT_LE(pair.now() - lost, side == Side::kA ? 50ms : 1200ms);
    pair.RunFor(100ms);
    EXPECT_TRUE(pair.a().selected_pair()->nominated && pair.z().selected_pair()->nominated);
  }
}

TEST(AgentMobilityTest, AnAddressThatComesAfterTheLossIsFollowedInOneSecond) {
  for (const Side side : {Side::kA, Side::kZ}) {
    AgentPair pair(Moving());
    Connect(pair);
    pair.LoseHost(side, HostOf(side));
    EXPECT_EQ(pair.agent(side).state(), State::kDisconnected);
    EXPECT_EQ(pair.log(side).ReasonOf(State::kDisconnected), StateReason::kNetworkLost);
    EXPECT_FALSE(pair.agent(side).selected_pair());
    pair.RunFor(2s);
    pair.AddHost(side, kOther);
    const Timestamp came = pair.now();
    ASSERT_TRUE(pair.RunUntil([&] { return Uses(pair, pair.agent(side), kOther); }, 1s));
    EXPECT_LE(pair.now() - came, 50ms) << "what moved sends after one round trip";
    const auto followed = [&] {
      return Reaches(pair.agent(OtherThan(side)), kOther) && pair.a().state() == State::kCompleted &&
             pair.z().state() == State::kCompleted;
    };
    ASSERT_TRUE(pair.RunUntil(followed, 5s));
    EXPECT_LE(pair.now() - came, 1200ms);
  }
}

TEST(AgentMobilityTest, ABetterNetworkIsNominatedAtOnce) {
  AgentPair::Config config = Moving();
  AgentPair pair(config);
  Candidate dear = Host(kA);
  dear.network_cost = 900;
  // A dear network first, then a cheap one beside it.
  pair.AddHost(Side::kZ, kZ);
  ASSERT_TRUE(pair.a().AddLocalCandidate(pair.now(), dear));
  pair.AddSocket(Side::kA, kA);
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  pair.EndCandidates();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.AddHost(Side::kA, kOther);
  const Timestamp came = pair.now();
  ASSERT_TRUE(pair.RunUntil([&] { return Uses(pair, pair.a(), kOther) && Reaches(pair.z(), kOther); }, 2s));
  EXPECT_LE(pair.now() - came, 100ms);
  EXPECT_FALSE(pair.log(Side::kA).Saw(State::kDisconnected));
  EXPECT_FALSE(pair.log(Side::kZ).Saw(State::kDisconnected));
}

TEST(AgentMobilityTest, WithoutAgreementTheSessionWaitsForARestartAndFailsWithItsReason) {  // RFC 8838 §13
  AgentPair::Config config;
  AgentPair pair(config);
  Connect(pair);
  EXPECT_FALSE(pair.a().CanMove());
  pair.LoseHost(Side::kA, kA);
  EXPECT_EQ(pair.a().AddLocalCandidate(pair.now(), Host(kOther)).error(), AddCandidateError::kAfterEndOfCandidates);
  EXPECT_EQ(pair.a().state(), State::kDisconnected);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kFailed; }, 31s));
  EXPECT_EQ(pair.log(Side::kA).ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST(AgentMobilityTest, AnotherAddressThatWorksTakesOverAlsoWithoutAgreement) {
  AgentPair::Config config;
  AgentPair pair(config);
  pair.AddHost(Side::kA, kA);
  pair.AddHost(Side::kA, kOther);
  pair.AddHost(Side::kZ, kZ);
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().pair_stats().size() == 2 && pair.a().selected_pair(); }, 1s));
  pair.RunFor(200ms);
  pair.LoseHost(Side::kA, pair.a().selected_pair()->local.base.ToString());
  EXPECT_TRUE(pair.a().selected_pair() || pair.a().state() == State::kDisconnected);
}

TEST(AgentMobilityTest, TheLatestNominationCountsHoweverTheyAreReordered) {
  LoneAgent lone({.role = Role::kControlled});
  RemoteDescription description{lone.peer(), false, true};
  description.renomination = true;
  ASSERT_TRUE(lone.agent().SetRemoteDescription(lone.now(), description));
  const auto nominate = [&](std::string_view from, std::optional<uint32_t> count) {
    CheckDraft draft = lone.Draft();
    draft.use_candidate = true;
    draft.nomination = count;
    lone.Deliver(from, lone.Write(draft));
    for (int i = 0; i < 20; ++i) {
      lone.Advance(60ms);
      for (const auto& check : lone.TakeChecks()) lone.Answer(check);
    }
  };
  constexpr std::string_view kFirst = "192.0.2.9:9000";
  constexpr std::string_view kSecond = "192.0.2.10:9000";
  nominate(kFirst, std::nullopt);
  EXPECT_TRUE(Reaches(lone.agent(), kFirst));
  nominate(kSecond, 2);
  EXPECT_TRUE(Reaches(lone.agent(), kSecond));
  nominate(kFirst, 1);
  EXPECT_TRUE(Reaches(lone.agent(), kSecond)) << "an older one that came late";
  nominate(kFirst, 3);
  EXPECT_TRUE(Reaches(lone.agent(), kFirst)) << "back to where it was before";
}

TEST(AgentMobilityTest, AStrangersCountIsNothingWithoutAgreement) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Connect();
  ASSERT_EQ(lone.agent().state(), State::kCompleted);
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  draft.nomination = 1000;
  draft.priority = 1;
  lone.Deliver("192.0.2.77:7", lone.Write(draft));
  for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  EXPECT_TRUE(Reaches(lone.agent(), "192.0.2.9:9000")) << "the higher priority stays (RFC 8445 §8.1.1)";
}

TEST(AgentMobilityTest, ASlowPathIsNotTakenForADeadOne) {
  AgentPair::Config config = Moving();
  config.delay = 700ms;
  AgentPair pair(config);
  Connect(pair);
  pair.AddHost(Side::kA, kOther);
  pair.RunFor(20s);
  EXPECT_TRUE(Uses(pair, pair.a(), kA));
  EXPECT_TRUE(Reaches(pair.z(), kA));
}

TEST(AgentMobilityTest, IndexesOfCandidatesSurviveARemovalBeforeThem) {
  AgentPair pair(Moving());
  pair.AddHost(Side::kA, kA);
  pair.AddHost(Side::kA, kOther);
  pair.AddHost(Side::kZ, kZ);
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  pair.EndCandidates();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.LoseHost(Side::kA, kA);
  ASSERT_EQ(pair.a().local_candidates().size(), 1u);
  ASSERT_TRUE(pair.RunUntil([&] { return Uses(pair, pair.a(), kOther) && Reaches(pair.z(), kOther); }, 12s));
  EXPECT_EQ(pair.a().selected_pair()->local.address, Address(kOther));
  for (const PairStats& stats : pair.a().pair_stats()) EXPECT_EQ(stats.local.base, Address(kOther));
}

TEST(AgentMobilityTest, AThousandMovesLeaveMemoryFlat) {
  AgentPair pair(Moving());
  Connect(pair);
  std::string before(kA);
  for (int i = 0; i < 1000; ++i) {
    const std::string next = "198.51." + std::to_string(i / 200) + "." + std::to_string(1 + i % 200) + ":5000";
    pair.AddHost(Side::kA, next);
    pair.LoseHost(Side::kA, before);
    before = next;
    ASSERT_TRUE(pair.RunUntil([&] { return Uses(pair, pair.a(), next) && Reaches(pair.z(), next); }, 15s)) << i;
    ASSERT_LE(pair.a().pair_stats().size(), 4u);
    ASSERT_LE(pair.z().pair_stats().size(), 100u);
    ASSERT_EQ(pair.a().local_candidates().size(), 1u);
  }
}

TEST(AgentMobilityTest, MovesUnderLossWithManySeeds) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    AgentPair pair(Moving(seed, 0.2));
    Connect(pair);
    const Side side = seed % 2 == 0 ? Side::kA : Side::kZ;
    pair.LoseHost(side, HostOf(side));
    pair.RunFor(std::chrono::milliseconds(seed * 13));
    pair.AddHost(side, kOther);
    const auto moved = [&] {
      return Uses(pair, pair.agent(side), kOther) && Reaches(pair.agent(OtherThan(side)), kOther);
    };
    EXPECT_TRUE(pair.RunUntil(moved, 25s)) << "seed " << seed;
  }
}

// Nominated after its patience, as nothing else had answered: the direct pair was lost, not dead.
TEST(AgentMobilityTest, ARelayedNominationIsLeftForADirectPairThatAnswersLater) {
  AgentPair::Config config;
  config.z.role = Role::kControlled;
  config.renomination = true;
  AgentPair pair(config);
  pair.AddSocket(Side::kZ, "203.0.113.5:49152");  // a relay is a socket to the agent
  ASSERT_TRUE(pair.z().AddLocalCandidate(pair.now(), Relayed("203.0.113.5:49152")));
  const SocketAddress relayed = Address("203.0.113.5:49152");
  pair.filter = [&](Side from, SentDatagram& packet) {
    const bool is_direct = packet.local != relayed && packet.remote != relayed;
    return !is_direct || from == Side::kA || packet.IsCheck();  // z's answers are lost
  };
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  EXPECT_EQ(pair.a().selected_pair()->remote.address, relayed);
  pair.filter = [](Side, SentDatagram&) { return true; };
  pair.RunFor(10s);
  EXPECT_EQ(pair.a().selected_pair()->remote.address, Address("192.0.2.2:6000"));
  EXPECT_EQ(pair.z().selected_pair()->local.base, Address("192.0.2.2:6000"));
  EXPECT_EQ(pair.a().state(), State::kCompleted);
}

}  // namespace
}  // namespace jsp::ice
