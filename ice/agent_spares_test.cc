// What an agent gives up of other paths once it uses one, and that it finds them again:
// MobilityOptions::drop_spares_after.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ice/agent_test_support.h"
#include "ice/candidate_pair.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;

constexpr std::string_view kA = "192.0.2.1:5000";
constexpr std::string_view kOtherA = "198.51.100.1:5000";
constexpr std::string_view kZ = "192.0.2.2:6000";
constexpr std::string_view kOtherZ = "198.51.100.2:6000";
constexpr std::string_view kNew = "203.0.113.9:7000";

AgentPair::Config Moving(uint64_t seed = 1, double loss = 0) {
  AgentPair::Config config;
  config.renomination = true;
  config.a.nomination.delay = config.z.nomination.delay = 1s;  // until all pairs have been checked
  config.seed = seed;
  config.loss = loss;
  return config;
}

// Two interfaces at each side, all of which reach each other.
void Connect(AgentPair& pair) {
  pair.AddHost(Side::kA, kA);
  pair.AddHost(Side::kA, kOtherA);
  pair.AddHost(Side::kZ, kZ);
  pair.AddHost(Side::kZ, kOtherZ);
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  pair.EndCandidates();
  ASSERT_TRUE(pair.RunUntilCompleted());
}

size_t Pairs(AgentPair& pair, Side side) { return pair.agent(side).pair_stats().size(); }
bool Passes(const SentDatagram& packet, const AddressPair& dead) {
  const AddressPair path{packet.local, packet.remote};
  return path != dead && path != AddressPair{dead.remote, dead.local};
}
AddressPair PathOf(const Agent& agent) {
  return {agent.selected_pair()->local.base, agent.selected_pair()->remote.address};
}
bool IsCompleted(AgentPair& pair) {
  return pair.a().state() == State::kCompleted && pair.z().state() == State::kCompleted;
}
// Both use the same path, which is not `dead`.
bool UseAnother(AgentPair& pair, const AddressPair& dead) {
  if (!IsCompleted(pair) || !pair.a().selected_pair() || !pair.z().selected_pair()) return false;
  const AddressPair here = PathOf(pair.a());
  const AddressPair there = PathOf(pair.z());
  return here != dead && here == AddressPair{there.remote, there.local};
}

TEST(AgentSparesTest, AfterThirtySecondsOnlyTheSelectedPairIsLeft) {  // RFC 8445 §8.3.1
  for (const bool moves : {true, false}) {
    AgentPair::Config config = Moving();
    config.renomination = moves;
    AgentPair pair(config);
    Connect(pair);
    EXPECT_EQ(Pairs(pair, Side::kA), 4u);
    EXPECT_EQ(Pairs(pair, Side::kZ), 4u);
    pair.RunFor(29s);
    EXPECT_EQ(pair.log(Side::kA).spares_dropped + pair.log(Side::kZ).spares_dropped, 0u);
    pair.RunFor(2s);
    for (const Side side : {Side::kA, Side::kZ}) {
      EXPECT_EQ(Pairs(pair, side), 1u) << moves;
      EXPECT_GE(pair.log(side).spares_dropped, 1u);
      EXPECT_TRUE(pair.agent(side).pair_stats()[0].selected);
      EXPECT_EQ(pair.agent(side).local_candidates().size(), 2u) << "kept for a restart";
    }
  }
}

TEST(AgentSparesTest, ZeroKeepsThem) {
  AgentPair::Config config = Moving();
  config.a.mobility.drop_spares_after = config.z.mobility.drop_spares_after = 0s;
  AgentPair pair(config);
  Connect(pair);
  const size_t before = Pairs(pair, Side::kA) + Pairs(pair, Side::kZ);
  EXPECT_EQ(before, 8u);
  pair.RunFor(120s);
  EXPECT_EQ(Pairs(pair, Side::kA) + Pairs(pair, Side::kZ), before);
  EXPECT_EQ(pair.log(Side::kA).spares_dropped, 0u);
}

TEST(AgentSparesTest, NoneIsGivenUpWithinThreeSecondsOfCompletion) {  // RFC 8445 §8.3.1
  AgentPair::Config config = Moving();
  config.a.mobility.drop_spares_after = config.z.mobility.drop_spares_after = 1ms;
  AgentPair pair(config);
  Connect(pair);
  const size_t before = Pairs(pair, Side::kA) + Pairs(pair, Side::kZ);
  pair.RunFor(2900ms);
  EXPECT_EQ(Pairs(pair, Side::kA) + Pairs(pair, Side::kZ), before);
  pair.RunFor(1s);
  EXPECT_EQ(Pairs(pair, Side::kA) + Pairs(pair, Side::kZ), 2u);
}

TEST(AgentSparesTest, ThenNothingButConsentIsSent) {
  AgentPair pair(Moving());
  Connect(pair);
  pair.RunFor(40s);
  const Metrics before = pair.a().metrics();
  pair.sent(Side::kA).clear();
  pair.RunFor(300s);
  const Metrics& after = pair.a().metrics();
  EXPECT_EQ(after.checks_sent, before.checks_sent);
  EXPECT_EQ(after.checks_retransmitted, before.checks_retransmitted);
  // RFC 7675 §5.1: one each 4 to 6 s; and an answer to each of the peer's.
  const auto consent = after.consent_requests_sent - before.consent_requests_sent;
  EXPECT_GE(consent, 50u);
  EXPECT_LE(consent, 75u);
  EXPECT_LE(pair.sent(Side::kA).size(), consent + 75u);
  EXPECT_EQ(pair.log(Side::kA).spares_dropped, pair.log(Side::kZ).spares_dropped);
}

TEST(AgentSparesTest, ACutPathIsReplacedByAnotherThatWasGivenUp) {
  size_t slow = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    AgentPair pair(Moving(seed, 0.1));
    Connect(pair);
    const auto is_settled = [&] { return UseAnother(pair, {}) && Pairs(pair, Side::kA) + Pairs(pair, Side::kZ) == 2; };
    ASSERT_TRUE(pair.RunUntil(is_settled, 300s)) << "seed " << seed;
    const AddressPair dead = PathOf(pair.a());
    pair.filter = [&](Side, SentDatagram& packet) { return Passes(packet, dead); };
    const Timestamp cut = pair.now();
    ASSERT_TRUE(pair.RunUntil([&] { return UseAnother(pair, dead); }, 30s)) << "seed " << seed;
    slow += pair.now() - cut > 15s ? 1 : 0;
    ASSERT_FALSE(pair.log(Side::kA).Saw(State::kFailed) || pair.log(Side::kZ).Saw(State::kFailed)) << "seed " << seed;
  }
  // Silence counts after 10 s; a check that is lost then costs half a second.
  EXPECT_LE(slow, 15u);
}

TEST(AgentSparesTest, APathThatCarriesOneWayOnlyIsReplacedByAnotherThatWasGivenUp) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    AgentPair pair(Moving(seed, 0.05));
    Connect(pair);
    const auto is_settled = [&] { return UseAnother(pair, {}) && Pairs(pair, Side::kA) + Pairs(pair, Side::kZ) == 2; };
    ASSERT_TRUE(pair.RunUntil(is_settled, 300s)) << "seed " << seed;
    const AddressPair dead = PathOf(pair.a());
    const Side mute = seed % 2 == 0 ? Side::kA : Side::kZ;
    pair.filter = [&](Side from, SentDatagram& packet) { return from != mute || Passes(packet, dead); };
    EXPECT_TRUE(pair.RunUntil([&] { return UseAnother(pair, dead); }, 30s)) << "seed " << seed;
  }
}

TEST(AgentSparesTest, AnInterfaceThatGoesIsReplacedByTheOtherAtOnce) {
  for (const Side side : {Side::kA, Side::kZ}) {
    AgentPair pair(Moving());
    Connect(pair);
    pair.RunFor(60s);
    const AddressPair dead = PathOf(pair.a());
    pair.LoseHost(side, pair.agent(side).selected_pair()->local.base.ToString());
    const Timestamp lost = pair.now();
    ASSERT_TRUE(pair.RunUntil([&] { return UseAnother(pair, dead); }, 30s));
    EXPECT_LE(pair.now() - lost, 1500ms);
  }
}

TEST(AgentSparesTest, ANewInterfaceIsPairedWithCandidatesThatWereKept) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    AgentPair pair(Moving(seed, 0.1));
    Connect(pair);
    pair.RunFor(60s);
    const Side side = seed % 2 == 0 ? Side::kA : Side::kZ;
    // z's other address is where a has to go, as neither of the selected pair's is left.
    const AddressPair dead = PathOf(pair.a());
    pair.AddHost(side, kNew);
    for (const auto& candidate : std::vector<Candidate>(pair.agent(side).local_candidates())) {
      if (candidate.base != Address(kNew)) pair.LoseHost(side, candidate.base.ToString());
    }
    pair.filter = [&](Side, SentDatagram& packet) {
      return packet.local != (side == Side::kA ? dead.remote : dead.local) &&
             packet.remote != (side == Side::kA ? dead.remote : dead.local);
    };
    EXPECT_TRUE(pair.RunUntil([&] { return UseAnother(pair, dead); }, 30s)) << "seed " << seed;
    EXPECT_EQ(pair.agent(side).selected_pair()->local.base, Address(kNew)) << "seed " << seed;
  }
}

constexpr std::string_view kFirst = "192.0.2.9:9000";
constexpr std::string_view kSecond = "192.0.2.10:9000";

// Answers everything for so long, and checks `also` each five seconds.
void Live(LoneAgent& lone, Duration duration, std::string_view also = {}) {
  for (Duration past{}; past < duration; past += 100ms) {
    lone.Advance(100ms);
    for (const SentDatagram& check : lone.TakeChecks()) lone.Answer(check);
    if (!also.empty() && past % 5s == 0s) lone.Deliver(also, lone.Write(lone.Draft()));
  }
}
bool Knows(const LoneAgent& lone, std::string_view remote) {
  return const_cast<LoneAgent&>(lone).agent().IsValidated(Address(LoneAgent::kLocal), Address(remote));
}

class LateCheckTest : public testing::TestWithParam<Role> {
 protected:
  // Connected over kFirst, with a pair to kSecond beside it.
  void SetUp() override {
    lone_.Connect(kFirst);
    lone_.Deliver(kSecond, lone_.Write(lone_.Draft()));
    Live(lone_, 1s);
    ASSERT_TRUE(Knows(lone_, kSecond));
  }
  LoneAgent lone_{{.role = GetParam()}};
};

TEST_P(LateCheckTest, APairThatThePeerGoesOnCheckingStays) {
  Live(lone_, 300s, kSecond);
  EXPECT_TRUE(Knows(lone_, kSecond));
  EXPECT_EQ(lone_.agent().pair_stats().size(), 2u);
  Live(lone_, 31s);
  EXPECT_FALSE(Knows(lone_, kSecond)) << "given up when the peer does so too";
}

TEST_P(LateCheckTest, ALateCheckMakesThePairAgain) {  // RFC 8445 §7.3.1.4
  Live(lone_, 60s);
  ASSERT_FALSE(Knows(lone_, kSecond));
  EXPECT_FALSE(lone_.agent().IsAuthenticated(Address(LoneAgent::kLocal), Address(kSecond)));
  lone_.TakeSent();
  lone_.Deliver(kSecond, lone_.Write(lone_.Draft()));
  const auto sent = lone_.TakeSent();
  ASSERT_EQ(std::ranges::count_if(sent, [](const auto& s) { return s.Is(stun::MessageClass::kSuccessResponse); }), 1);
  ASSERT_EQ(std::ranges::count_if(sent, &SentDatagram::IsCheck), 1) << "the triggered check";
  for (const SentDatagram& datagram : sent) {
    if (datagram.IsCheck()) lone_.Answer(datagram);
  }
  EXPECT_TRUE(Knows(lone_, kSecond));
  EXPECT_EQ(lone_.agent().state(), State::kCompleted);
  EXPECT_TRUE(Knows(lone_, kFirst));
  Live(lone_, 31s);
  EXPECT_FALSE(Knows(lone_, kSecond)) << "and it is given up again";
}

TEST_P(LateCheckTest, ThePeerMayMoveThereWhenTheSelectedPairIsSilent) {
  Live(lone_, 60s);
  lone_.Advance(12s);  // nothing is answered
  ASSERT_EQ(lone_.agent().state(), State::kDisconnected);
  lone_.TakeSent();
  lone_.Deliver(kSecond, lone_.Write(lone_.Draft()));
  lone_.Advance(100ms);
  for (const SentDatagram& check : lone_.TakeChecks()) {
    if (check.remote == Address(kSecond)) lone_.Answer(check);
  }
  EXPECT_EQ(lone_.agent().state(), State::kCompleted);
  EXPECT_EQ(lone_.agent().selected_pair()->remote.address, Address(kSecond));
}

INSTANTIATE_TEST_SUITE_P(BothRoles, LateCheckTest, testing::Values(Role::kControlling, Role::kControlled));

// Of forty addresses that the peer told one has worked: it is tried first, not two seconds later.
TEST(AgentSparesTest, WhatWorkedIsTriedBeforeWhatNeverDid) {
  LoneAgent lone;
  RemoteDescription description{lone.peer(), false, true};
  description.renomination = true;
  ASSERT_TRUE(lone.agent().SetRemoteDescription(lone.now(), description));
  lone.Connect(kFirst);
  const auto live = [&](Duration duration) {
    for (Duration past{}; past < duration; past += 100ms) {
      lone.Advance(100ms);
      for (const SentDatagram& check : lone.TakeChecks()) {
        if (check.remote == Address(kFirst) || check.remote == Address(kSecond)) lone.Answer(check);
      }
    }
  };
  lone.Deliver(kSecond, lone.Write(lone.Draft()));
  for (int i = 1; i <= 40; ++i) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("203.0.113." + std::to_string(i) + ":9000")));
  }
  live(250s);  // RFC 8445 §14.3: with so many the timeouts are longer
  ASSERT_EQ(lone.agent().pair_stats().size(), 1u);
  ASSERT_EQ(lone.agent().state(), State::kCompleted);
  lone.Advance(16s);  // silence
  const auto checks = lone.TakeChecks();
  const auto other = std::ranges::find_if(checks, [](const auto& sent) { return sent.remote != Address(kFirst); });
  ASSERT_NE(other, checks.end());
  EXPECT_EQ(other->remote, Address(kSecond));
}

TEST(AgentSparesTest, ALateNominationOfAPairThatWasGivenUpCounts) {  // RFC 8445 §7.3.1.5
  LoneAgent lone({.role = Role::kControlled});
  RemoteDescription description{lone.peer(), false, true};
  description.renomination = true;
  ASSERT_TRUE(lone.agent().SetRemoteDescription(lone.now(), description));
  lone.Connect(kFirst);
  lone.Deliver(kSecond, lone.Write(lone.Draft()));
  Live(lone, 60s);
  ASSERT_FALSE(Knows(lone, kSecond));
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  draft.nomination = 1;
  lone.Deliver(kSecond, lone.Write(draft));
  for (const SentDatagram& check : lone.TakeChecks()) lone.Answer(check);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(kSecond));
  EXPECT_TRUE(lone.agent().selected_pair()->nominated);
}

TEST(AgentSparesTest, AnAnswerThatIsThirtySecondsLateIsNobodys) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Connect(kFirst);
  lone.Deliver(kSecond, lone.Write(lone.Draft()));
  lone.Advance(100ms);
  const auto checks = lone.TakeChecks();
  const auto late = std::ranges::find(checks, Address(kSecond), &SentDatagram::remote);
  ASSERT_NE(late, checks.end());
  lone.Answer(*late);
  Live(lone, 60s);
  const uint64_t before = lone.Dropped(DropReason::kUnknownTransaction);
  lone.Answer(*late);
  EXPECT_EQ(lone.Dropped(DropReason::kUnknownTransaction), before + 1);
  EXPECT_FALSE(Knows(lone, kSecond));
}

TEST(AgentSparesTest, ASessionThatWasNeverNominatedGivesUpNothing) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kFirst)));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kSecond)));
  Live(lone, 120s);
  EXPECT_EQ(lone.agent().state(), State::kConnected);
  EXPECT_TRUE(Knows(lone, kFirst) && Knows(lone, kSecond));
  EXPECT_EQ(lone.log().spares_dropped, 0u);
}

}  // namespace
}  // namespace jsp::ice
