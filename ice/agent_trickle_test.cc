// Candidates and descriptions in any order (RFC 8838), early checks (RFC 8445 §7.3), and patience (RFC 8863).
#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;

constexpr std::string_view kRemote = "192.0.2.9:9000";
constexpr Options kOneTransmission{.check = {.max_transmissions = 1}};  // a check fails after 16 × 500 ms

TEST(AgentTrickleTest, KeepsCandidatesThatComeBeforeTheDescription) {
  LoneAgent lone;
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(5s);
  EXPECT_TRUE(lone.TakeSent().empty());
  lone.Describe();
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
}

TEST(AgentTrickleTest, AcceptsADescriptionWithoutCandidates) {  // RFC 8838 §4
  LoneAgent lone;
  lone.Describe();
  lone.Advance(30s);
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_EQ(lone.agent().state(), State::kConnected);
}

TEST(AgentTrickleTest, PairsLocalCandidatesThatComeLate) {  // RFC 8838 §10
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(1s);
  lone.TakeSent();
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Relayed("203.0.113.200:1")));
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  ASSERT_FALSE(checks.empty());
  EXPECT_EQ(checks[0].local, Address("203.0.113.200:1"));
}

TEST(AgentTrickleTest, LeavesARunningCheckAloneWhenARedundantCandidateComes) {  // RFC 8838 §10
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  const auto check = lone.TakeChecks().at(0);
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Reflexive("203.0.113.5:777", LoneAgent::kLocal)));
  EXPECT_EQ(lone.agent().pair_stats().size(), 1u);
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "in-progress");
  lone.Answer(check);
  EXPECT_TRUE(lone.agent().selected_pair());
}

TEST(AgentTrickleTest, GivesAPeerReflexiveCandidateItsSignalledTypeAndKeepsItsPriority) {  // RFC 8838 §11
  LoneAgent lone;
  lone.Describe();
  CheckDraft draft = lone.Draft();
  draft.priority = 4242;
  lone.Deliver(kRemote, lone.Write(draft));
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_EQ(lone.agent().selected_pair()->remote.type, CandidateType::kPeerReflexive);
  Candidate signalled = Host(kRemote);
  signalled.type = CandidateType::kServerReflexive;
  signalled.foundation = "srflx1";
  signalled.priority = 999999;
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), signalled));
  EXPECT_EQ(lone.agent().pair_stats().size(), 1u);
  EXPECT_EQ(lone.agent().pair_stats()[0].remote.type, CandidateType::kServerReflexive);
  EXPECT_EQ(lone.agent().pair_stats()[0].remote.foundation, "srflx1");
  EXPECT_EQ(lone.agent().pair_stats()[0].remote.priority, 4242u);
  EXPECT_EQ(lone.agent().selected_pair()->remote.type, CandidateType::kServerReflexive);
  EXPECT_EQ(lone.agent().AddRemoteCandidate(lone.now(), signalled).error(), AddCandidateError::kDuplicate);
}

TEST(AgentTrickleTest, AnswersChecksBeforeTheDescriptionAtOnceAndActsOnThemThen) {  // RFC 8445 §7.3
  LoneAgent lone;
  for (const char* source : {"192.0.2.9:1", "192.0.2.9:2"}) {
    EXPECT_TRUE(lone.Deliver(source, lone.Write(lone.Draft())));
    const auto sent = lone.TakeSent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].Is(stun::MessageClass::kSuccessResponse));
    EXPECT_TRUE(lone.agent().IsAuthenticated(Address(LoneAgent::kLocal), Address(source)));
  }
  EXPECT_TRUE(lone.log().discoveries.empty());
  lone.Advance(100ms);
  lone.Describe();
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].remote.port, 1);
  EXPECT_EQ(checks[1].remote.port, 2);
  EXPECT_EQ(lone.log().discoveries.size(), 2u);
  EXPECT_TRUE(lone.agent().IsAuthenticated(Address(LoneAgent::kLocal), Address("192.0.2.9:1")));
}

TEST(AgentTrickleTest, RemembersAnEarlyNomination) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  lone.Deliver(kRemote, lone.Write(draft));
  lone.TakeSent();
  lone.Describe();
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentTrickleTest, BoundsEarlyChecksAndAnswersThemAllTheSame) {
  LoneAgent lone;
  for (int port = 1; port <= 40; ++port) {
    lone.Deliver("192.0.2.9:" + std::to_string(port), lone.Write(lone.Draft()));
    EXPECT_EQ(lone.TakeSent().size(), 1u);
  }
  EXPECT_EQ(lone.Dropped(DropReason::kTooEarly), 40u - 16u);
  lone.Describe();
  EXPECT_EQ(lone.agent().pair_stats().size(), 16u);
}

TEST(AgentTrickleTest, ForgetsAnEarlyCheckOfAnotherFork) {
  LoneAgent lone;
  CheckDraft draft = lone.Draft();
  draft.username = lone.agent().local_credentials().ufrag + ":otherfork";
  lone.Deliver(kRemote, lone.Write(draft));
  lone.Describe();
  EXPECT_TRUE(lone.agent().pair_stats().empty());
}

TEST(AgentTrickleTest, ConnectsWhenTheAnswerIsSlow) {
  AgentPair pair;
  pair.AddHost(Side::kA, "192.0.2.1:5000");
  pair.AddHost(Side::kZ, "192.0.2.2:6000");
  pair.Describe(Side::kZ);
  pair.Trickle(Side::kA);
  pair.RunFor(3s);  // the answerer checks, the offerer does not know it yet
  EXPECT_EQ(pair.z().state(), State::kConnected);
  EXPECT_EQ(pair.a().state(), State::kNew);
  pair.Describe(Side::kA);
  EXPECT_TRUE(pair.RunUntilCompleted(100ms));
}

TEST(AgentTrickleTest, ConnectsWithCandidatesTrickledOneByOne) {
  AgentPair pair;
  pair.ExchangeDescriptions();
  pair.AddHost(Side::kA, "10.0.0.1:5000");
  pair.Trickle(Side::kA);
  pair.RunFor(500ms);
  pair.AddHost(Side::kZ, "192.0.2.2:6000");
  pair.Trickle(Side::kZ);
  pair.RunFor(500ms);
  EXPECT_EQ(pair.a().state(), State::kCompleted);
  EXPECT_EQ(pair.z().state(), State::kCompleted);
}

TEST(AgentTrickleTest, PAC_DoesNotFailBeforeThePatienceEndsAndConnectsLate) {  // RFC 8863 §4
  LoneAgent lone(kOneTransmission);
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:1")));
  lone.agent().EndOfLocalCandidates(lone.now());
  lone.agent().EndOfRemoteCandidates(lone.now());
  lone.Advance(20s);
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "failed");
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.TakeSent();
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_EQ(lone.agent().state(), State::kConnected);
  lone.Advance(20s);
  EXPECT_NE(lone.log().ReasonOf(State::kFailed), StateReason::kAllPairsFailed);
}

TEST(AgentTrickleTest, PAC_FailsWhenThePatienceEndsWithoutAPair) {  // RFC 8863 §4, §5
  LoneAgent lone;
  lone.Describe();
  lone.agent().EndOfLocalCandidates(lone.now());
  lone.agent().EndOfRemoteCandidates(lone.now());
  lone.Advance(39499ms);
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.Advance(1ms);
  EXPECT_EQ(lone.agent().state(), State::kFailed);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kNoCandidatePairs);
}

TEST(AgentTrickleTest, PAC_FailsWhenEveryPairHasFailed) {
  LoneAgent lone(kOneTransmission);
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.agent().EndOfLocalCandidates(lone.now());
  lone.agent().EndOfRemoteCandidates(lone.now());
  lone.Advance(39500ms);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kAllPairsFailed);
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "failed");  // kept for the post-mortem
  EXPECT_EQ(lone.agent().NextTimeout(), Timestamp::Never());
}

TEST(AgentTrickleTest, PAC_DoesNotFailWhileAPairIsStillChecked) {
  LoneAgent lone;
  lone.Describe();
  lone.agent().EndOfLocalCandidates(lone.now());
  lone.Advance(10s);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.agent().EndOfRemoteCandidates(lone.now());
  lone.Advance(39s);  // the timer is long over, the check is not
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.Advance(500ms);
  EXPECT_EQ(lone.agent().state(), State::kFailed);
}

TEST(AgentTrickleTest, WaitsForCandidatesAsLongAgainWithoutEndOfCandidates) {  // RFC 8838 §8
  LoneAgent lone(kOneTransmission);
  lone.Describe();
  lone.agent().EndOfLocalCandidates(lone.now());
  lone.Advance(30s);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:1")));
  lone.Advance(39s);
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.Advance(500ms);
  EXPECT_EQ(lone.agent().state(), State::kFailed);
}

TEST(AgentTrickleTest, EndOfCandidatesLateEndsTheSessionAtOnce) {  // RFC 8838 §8
  LoneAgent lone(kOneTransmission);
  lone.Describe();
  lone.Advance(20s);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:1")));
  lone.Advance(25s);
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.agent().EndOfLocalCandidates(lone.now());
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.agent().EndOfRemoteCandidates(lone.now());
  EXPECT_EQ(lone.agent().state(), State::kFailed);
}

TEST(AgentTrickleTest, TakesNoCandidatesAfterTheEnd) {  // RFC 8838 §14
  LoneAgent lone;
  lone.Describe();
  lone.agent().EndOfRemoteCandidates(lone.now());
  EXPECT_EQ(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)).error(),
            AddCandidateError::kAfterEndOfCandidates);
  lone.Advance(1s);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentTrickleTest, FreezesALateCandidateOfAFoundationUnderWay) {  // RFC 8838 §12 rule 3
  LoneAgent lone;
  lone.Describe();
  Candidate first = Host("192.0.2.9:1");
  Candidate second = Host("192.0.2.9:2");
  first.foundation = second.foundation = "f";
  first.priority = 200;
  second.priority = 100;
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), first));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), second));
  EXPECT_STREQ(lone.agent().pair_stats()[1].state, "frozen");
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_STREQ(lone.agent().pair_stats()[1].state, "waiting");  // RFC 8445 §7.2.5.3.3
}

}  // namespace
}  // namespace jsp::ice
