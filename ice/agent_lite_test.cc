// The lite agent: RFC 8445 §2.5, §5.2, §6.1.1, §7.3.2, §8.2.
#include <gtest/gtest.h>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;
using stun::MessageClass;

constexpr std::string_view kRemote = "192.0.2.9:9000";

Options Lite(Role role = Role::kControlled) {
  Options options;
  options.role = role;
  options.implementation = Implementation::kLite;
  return options;
}

AgentPair WithLiteAnswerer(double loss = 0, uint64_t seed = 1) {
  AgentPair::Config config;
  config.z = Lite();
  config.loss = loss;
  config.seed = seed;
  return AgentPair(config);
}

TEST(AgentLiteTest, IsConnectedByItsFullPeerAndSendsNoCheck) {  // RFC 8445 §6.1.1, §8.2
  AgentPair pair = WithLiteAnswerer();
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  for (const SentDatagram& packet : pair.sent(Side::kZ)) EXPECT_FALSE(packet.IsCheck());
  ASSERT_TRUE(pair.z().selected_pair());
  EXPECT_TRUE(pair.z().selected_pair()->nominated);
  EXPECT_EQ(pair.z().selected_pair()->remote.address, pair.a().selected_pair()->local.address);
  EXPECT_EQ(pair.z().role(), Role::kControlled);
}

TEST(AgentLiteTest, IsControlledAlsoWhenItOffered) {  // RFC 8445 §6.1.1
  AgentPair::Config config;
  config.a = Lite(Role::kControlling);
  config.z.role = Role::kControlled;
  AgentPair pair(config);
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  EXPECT_EQ(pair.a().role(), Role::kControlled);
  EXPECT_EQ(pair.z().role(), Role::kControlling);
}

TEST(AgentLiteTest, TakesDataOfWhatWasCheckedAndSendsOnlyOnTheNominatedPair) {  // RFC 8445 §7.3.2
  LoneAgent lone(Lite());
  lone.Describe();
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(kRemote)));
  EXPECT_FALSE(lone.agent().selected_pair());
  CheckDraft nomination = lone.Draft();
  nomination.use_candidate = true;
  lone.Deliver(kRemote, lone.Write(nomination));
  ASSERT_TRUE(lone.agent().selected_pair());
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(kRemote));
}

TEST(AgentLiteTest, ThePeersChecksAreItsConsentAndWithoutThemSendingEnds) {  // RFC 7675 §5.1
  AgentPair pair = WithLiteAnswerer();
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(10min);
  EXPECT_EQ(pair.z().state(), State::kCompleted);
  pair.filter = [](Side, SentDatagram&) { return false; };
  const Timestamp cut = pair.now();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z().state() == State::kFailed; }, 31s));
  EXPECT_GE(pair.now() - cut, 24s);
  EXPECT_EQ(pair.log(Side::kZ).ReasonOf(State::kFailed), StateReason::kConsentExpired);
  EXPECT_FALSE(pair.z().selected_pair());
}

TEST(AgentLiteTest, HasHostCandidatesOnly) {  // RFC 8445 §5.2
  LoneAgent lone(Lite());
  EXPECT_EQ(lone.agent().AddLocalCandidate(lone.now(), Relayed("198.51.100.1:1")).error(),
            AddCandidateError::kNotForLite);
  EXPECT_EQ(lone.agent().AddLocalCandidate(lone.now(), Reflexive("198.51.100.1:1", LoneAgent::kLocal)).error(),
            AddCandidateError::kNotForLite);
  EXPECT_EQ(std::string(ToString(AddCandidateError::kNotForLite)), "not for a lite agent");
}

TEST(AgentLiteTest, RefusesToBeControlledByNobody) {  // RFC 8445 §7.3.1.1
  LoneAgent lone(Lite());
  lone.Describe();
  CheckDraft draft = lone.Draft();
  draft.role = RoleAttribute{Role::kControlled, 0};
  lone.Deliver(kRemote, lone.Write(draft));
  const auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].View().FindError()->code, 487);
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
}

TEST(AgentLiteTest, TwoLiteAgentsDoNotMeet) {
  LoneAgent lone(Lite());
  EXPECT_EQ(lone.agent().SetRemoteDescription(lone.now(), {lone.peer(), true, true}).error(),
            SetRemoteError::kBothLite);
}

TEST(AgentLiteTest, I1_AForgedCheckNominatesNothing) {
  LoneAgent lone(Lite());
  lone.Describe();
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  draft.pwd = "notThePasswordOfThisAgent";
  lone.Deliver(kRemote, lone.Write(draft));
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(kRemote)));
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentLiteTest, ConnectsUnderLossWithManySeeds) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    AgentPair pair = WithLiteAnswerer(0.25, seed);
    pair.Start();
    EXPECT_TRUE(pair.RunUntilCompleted(60s)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace jsp::ice
