// Options::filters.local and filters.remote: what they refuse is neither checked nor answered.
#include <gtest/gtest.h>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

IpPrefix Prefix(std::string_view text) { return *IpPrefix::Parse(text); }

Options WithRemote(const CandidateFilter& filter) {
  return {.role = Role::kControlled, .filters = {.local = {}, .remote = filter}};
}

TEST(AgentFilterTest, RefusesLinkLocalCandidatesOfBothSidesUnasked) {
  LoneAgent lone;
  EXPECT_EQ(lone.agent().AddLocalCandidate(lone.now(), Host("[fe80::1%3]:5000")).error(), AddCandidateError::kFiltered);
  EXPECT_EQ(lone.agent().AddRemoteCandidate(lone.now(), Host("169.254.169.254:80")).error(),
            AddCandidateError::kFiltered);
  EXPECT_EQ(lone.Dropped(DropReason::kFiltered), 2u);
}

TEST(AgentFilterTest, ALocalFilterJudgesAddressBaseTypeAndCost) {
  CandidateFilter filter;
  filter.without = {Prefix("172.17.0.0/16"), Prefix("203.0.113.0/24")};
  filter.relayed = false;
  filter.max_network_cost = 899;
  LoneAgent lone({.filters = {.local = filter, .remote = {}}});
  Candidate cellular = Host("10.0.0.9:5000");
  cellular.network_cost = 900;
  const Candidate refused[] = {Host("172.17.0.1:5000"), Reflexive("192.0.2.1:41000", "172.17.0.1:5000"),
                               Reflexive("203.0.113.1:41000", "10.0.0.1:5000"), Relayed("192.0.2.3:49152"), cellular};
  for (const Candidate& candidate : refused) {
    const auto added = lone.agent().AddLocalCandidate(lone.now(), candidate);
    ASSERT_FALSE(added) << candidate.address.ToString();
    EXPECT_EQ(added.error(), AddCandidateError::kFiltered);
  }
  EXPECT_EQ(lone.Dropped(DropReason::kFiltered), 5u);
  EXPECT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Reflexive("192.0.2.1:41000", "10.0.0.1:5000")));
}

TEST(AgentFilterTest, WhatTheRemoteFilterRefusesIsNotChecked) {
  CandidateFilter filter;
  filter.only = {Prefix("192.0.2.0/24")};
  filter.host = false;
  filter.max_network_cost = 10;
  LoneAgent lone(WithRemote(filter));
  lone.Describe();
  Candidate dear = Relayed("192.0.2.8:9000");
  dear.network_cost = 50;
  for (const Candidate& candidate : {Host("192.0.2.9:9000"), Relayed("198.51.100.9:9000"), dear}) {
    EXPECT_EQ(lone.agent().AddRemoteCandidate(lone.now(), candidate).error(), AddCandidateError::kFiltered);
  }
  EXPECT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Relayed("192.0.2.7:9000")));
  lone.Advance(2s);
  const auto checks = lone.TakeChecks();
  ASSERT_FALSE(checks.empty());
  for (const auto& check : checks) EXPECT_EQ(check.remote, Address("192.0.2.7:9000"));
  EXPECT_EQ(lone.Dropped(DropReason::kFiltered), 3u);
}

// RFC 8445 §7.3.1.3 would make a candidate of the source: a filter that a check gets around is none.
TEST(AgentFilterTest, ACheckFromAnExcludedPrefixGetsNoAnswerAndMakesNoCandidate) {
  CandidateFilter filter;
  filter.without = {Prefix("198.51.100.0/24")};
  LoneAgent lone(WithRemote(filter));
  ASSERT_TRUE(lone.Deliver("198.51.100.9:9000", lone.Write(lone.Draft()))) << "before the description";
  lone.Describe();
  ASSERT_TRUE(lone.Deliver("198.51.100.9:9001", lone.Write(lone.Draft()))) << "and after it";
  EXPECT_TRUE(lone.TakeSent().empty());
  EXPECT_TRUE(lone.log().discoveries.empty());
  EXPECT_EQ(lone.Dropped(DropReason::kFiltered), 2u);
  ASSERT_TRUE(lone.Deliver("192.0.2.9:9000", lone.Write(lone.Draft())));
  EXPECT_FALSE(lone.TakeSent().empty());
}

TEST(AgentFilterTest, WithoutPeerReflexiveCandidatesOnlySignalledSourcesAreAnswered) {
  CandidateFilter filter;
  filter.peer_reflexive = false;
  LoneAgent lone(WithRemote(filter));
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:9000")));
  lone.Advance(1s);
  (void)lone.TakeSent();
  ASSERT_TRUE(lone.Deliver("192.0.2.9:9001", lone.Write(lone.Draft())));
  EXPECT_TRUE(lone.TakeSent().empty());
  ASSERT_TRUE(lone.Deliver("192.0.2.9:9000", lone.Write(lone.Draft())));
  const auto sent = lone.TakeSent();
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(sent[0].Is(stun::MessageClass::kSuccessResponse));
  EXPECT_EQ(lone.Dropped(DropReason::kFiltered), 1u);
}

TEST(AgentFilterTest, OfTwoAgentsOneMayTakeTheOthersRelayOnly) {
  for (const auto side : {AgentPair::Side::kA, AgentPair::Side::kZ}) {
    const auto other = side == AgentPair::Side::kA ? AgentPair::Side::kZ : AgentPair::Side::kA;
    AgentPair::Config config;
    config.loss = 0.1;
    CandidateFilter relays;
    relays.host = relays.server_reflexive = relays.peer_reflexive = false;
    (side == AgentPair::Side::kA ? config.a : config.z).filters.remote = relays;
    config.z.role = Role::kControlled;
    AgentPair pair(config);
    pair.AddSocket(other, "203.0.113.5:49152");  // a relay is a socket to the agent
    ASSERT_TRUE(pair.agent(other).AddLocalCandidate(pair.now(), Relayed("203.0.113.5:49152")));
    pair.Start();
    ASSERT_TRUE(pair.RunUntilCompleted());
    EXPECT_EQ(pair.agent(side).selected_pair()->remote.address, Address("203.0.113.5:49152"));
    EXPECT_EQ(pair.agent(other).selected_pair()->local.type, CandidateType::kRelayed);
    EXPECT_GE(pair.agent(side).metrics().dropped[static_cast<size_t>(DropReason::kFiltered)], 1u);
  }
}

}  // namespace
}  // namespace jsp::ice
