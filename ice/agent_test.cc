// What the owner sees: commands, events, state, and where data may go.
#include "ice/agent.h"

#include <gtest/gtest.h>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
#include "stun/message_builder.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;

const CandidateFilter kLinkLocalToo{AddressFilter{.link_local = true}};
const Options kWithLinkLocal{.filters = {.local = kLinkLocalToo, .remote = kLinkLocalToo}};

TEST(AgentTest, ConnectsOnALanInOneRoundTripOfChecksAndOneOfNomination) {
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().selected_pair().has_value(); }, 1s));
  EXPECT_EQ(pair.now(), At(20ms));  // one round trip: the first check did not wait for Ta
  EXPECT_EQ(pair.a().state(), State::kConnected);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kCompleted; }, 1s));
  EXPECT_EQ(pair.now(), At(40ms));
  ASSERT_TRUE(pair.RunUntilCompleted(10ms));
  EXPECT_TRUE(pair.a().selected_pair()->nominated);
  EXPECT_TRUE(pair.z().selected_pair()->nominated);
  EXPECT_EQ(pair.a().selected_pair()->remote.address, Address("192.0.2.2:6000"));
  EXPECT_EQ(pair.z().selected_pair()->remote.address, Address("192.0.2.1:5000"));
  EXPECT_EQ(pair.a().selected_pair()->rtt, 20ms);
}

TEST(AgentTest, TellsEveryStateWithItsReason) {
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.a().Close(pair.now());
  pair.RunFor(1ms);
  const auto& states = pair.log(Side::kA).states;
  ASSERT_EQ(states.size(), 4u);
  EXPECT_EQ(states[0].state, State::kChecking);
  EXPECT_EQ(states[0].reason, StateReason::kRemoteDescriptionSet);
  EXPECT_EQ(states[1].state, State::kConnected);
  EXPECT_EQ(states[1].reason, StateReason::kFirstValidPair);
  EXPECT_EQ(states[2].state, State::kCompleted);
  EXPECT_EQ(states[2].reason, StateReason::kNominated);
  EXPECT_EQ(states[3].state, State::kClosed);
  EXPECT_EQ(states[3].reason, StateReason::kClosedLocally);
}

TEST(AgentTest, TellsTheSelectedPairOnceAsValidAndOnceAsNominated) {
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(30s);
  const auto& selections = pair.log(Side::kA).selections;
  ASSERT_EQ(selections.size(), 2u);
  EXPECT_FALSE(selections[0].nominated);
  EXPECT_TRUE(selections[1].nominated);
  EXPECT_EQ(selections[0].remote, selections[1].remote);
}

TEST(AgentTest, MakesCredentialsAndCompletesLocalCandidates) {
  LoneAgent lone;
  EXPECT_TRUE(lone.agent().local_credentials().IsValid());
  ASSERT_EQ(lone.agent().local_candidates().size(), 1u);
  const Candidate& host = lone.agent().local_candidates()[0];
  EXPECT_EQ(host.priority, 2130706431u);  // RFC 8445 §5.1.2.2: a single address
  EXPECT_EQ(host.base, host.address);
  EXPECT_FALSE(host.foundation.empty());
}

TEST(AgentTest, TakesCredentialsThatWereChosenElsewhereUntilThePeerIsKnown) {  // RFC 8839 §5.4
  LoneAgent lone;
  const Credentials chosen{"libp2p+chosen/1", "0123456789012345678901"};
  EXPECT_FALSE(lone.agent().SetLocalCredentials({"abc", chosen.pwd}));
  EXPECT_FALSE(lone.agent().SetLocalCredentials({"a b c", chosen.pwd}));
  EXPECT_FALSE(lone.agent().SetLocalCredentials({chosen.ufrag, "short"}));
  ASSERT_TRUE(lone.agent().SetLocalCredentials(chosen));
  EXPECT_EQ(lone.agent().local_credentials(), chosen);
  ASSERT_TRUE(lone.agent().SetRemoteDescription(lone.now(), {lone.peer(), false, true}));
  EXPECT_FALSE(lone.agent().SetLocalCredentials({"another", chosen.pwd}));
  EXPECT_EQ(lone.agent().local_credentials(), chosen);
}

TEST(AgentTest, RefusesCandidatesWithTheReason) {
  LoneAgent lone;
  Candidate tcp = Host("192.0.2.9:9000");
  tcp.protocol = TransportProtocol::kTcpSimultaneousOpen;
  Agent& agent = lone.agent();
  EXPECT_EQ(agent.AddRemoteCandidate(lone.now(), tcp).error(), AddCandidateError::kUnsupportedTransport);
  EXPECT_EQ(agent.AddLocalCandidate(lone.now(), tcp).error(), AddCandidateError::kUnsupportedTransport);
  EXPECT_TRUE(agent.AddRemoteCandidate(lone.now(), Host("192.0.2.9:9000")));
  EXPECT_EQ(agent.AddRemoteCandidate(lone.now(), Host("192.0.2.9:9000")).error(), AddCandidateError::kDuplicate);
  agent.EndOfRemoteCandidates(lone.now());
  agent.EndOfLocalCandidates(lone.now());
  EXPECT_EQ(agent.AddRemoteCandidate(lone.now(), Host("192.0.2.9:9001")).error(),
            AddCandidateError::kAfterEndOfCandidates);
  EXPECT_EQ(agent.AddLocalCandidate(lone.now(), Host("10.0.0.2:1")).error(), AddCandidateError::kAfterEndOfCandidates);
  agent.Close(lone.now());
  EXPECT_EQ(agent.AddRemoteCandidate(lone.now(), Host("192.0.2.9:9002")).error(), AddCandidateError::kClosed);
  EXPECT_EQ(agent.AddLocalCandidate(lone.now(), Host("10.0.0.2:1")).error(), AddCandidateError::kClosed);
}

TEST(AgentTest, TakesOneSetOfRemoteCredentialsOnly) {
  LoneAgent lone;
  Agent& agent = lone.agent();
  Credentials bad = lone.peer();
  bad.ufrag = "abc";
  EXPECT_EQ(agent.SetRemoteDescription(lone.now(), {bad, false, true}).error(), SetRemoteError::kBadCredentials);
  EXPECT_EQ(agent.state(), State::kNew);
  EXPECT_TRUE(agent.SetRemoteDescription(lone.now(), {lone.peer(), false, true}));
  EXPECT_TRUE(agent.SetRemoteDescription(lone.now(), {lone.peer(), false, true}));  // an updated answer, same session
  Credentials other = lone.peer();
  other.pwd[0] = other.pwd[0] == 'a' ? 'b' : 'a';
  EXPECT_EQ(agent.SetRemoteDescription(lone.now(), {other, false, true}).error(), SetRemoteError::kBadCredentials);
  agent.Close(lone.now());
  EXPECT_EQ(agent.SetRemoteDescription(lone.now(), {lone.peer(), false, true}).error(), SetRemoteError::kClosed);
}

TEST(AgentTest, LetsTheOwnerSetTheRoleUntilTheRemoteDescription) {
  LoneAgent lone;
  lone.agent().SetRole(Role::kControlled);
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  lone.Describe();
  lone.agent().SetRole(Role::kControlling);
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  EXPECT_TRUE(lone.log().roles.empty());  // RoleChanged tells what the owner did not do itself
}

TEST(AgentTest, SendsNothingAndSleepsBeforeThereIsAPair) {
  LoneAgent lone;
  EXPECT_EQ(lone.agent().NextTimeout(), Timestamp::Never());
  lone.Describe();
  EXPECT_GE(lone.agent().NextTimeout(), lone.now() + 39s);  // only the PAC timer
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentTest, StartsTheFirstCheckWithinTheCallThatMadeItPossible) {
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:9000")));
  lone.Advance(0ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].at, lone.now());
}

TEST(AgentTest, IgnoresATimeoutThatComesTooEarly) {
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:9000")));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:9001")));
  lone.Advance(0ms);
  lone.TakeSent();
  const Timestamp next = lone.agent().NextTimeout();
  lone.agent().HandleTimeout(lone.now() + 1ms);
  EXPECT_EQ(lone.agent().NextTimeout(), next);
  lone.Advance(2ms);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentTest, TakesAnEarlierNowForTheLastOne) {
  LoneAgent lone;
  lone.Connect();
  lone.Advance(3s);
  const Timestamp next = lone.agent().NextTimeout();
  lone.agent().HandleTimeout(At(0s));
  EXPECT_EQ(lone.agent().NextTimeout(), next);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentTest, DrainsLateWithoutLoss) {
  Rng rng = Rng::FromNumber(4);
  Agent agent({}, rng, At(0s));
  ASSERT_TRUE(agent.AddLocalCandidate(At(0s), Host("10.0.0.1:5000")));
  ASSERT_TRUE(agent.SetRemoteDescription(At(0s), {Credentials::Random(rng), false, true}));
  for (const char* remote : {"192.0.2.9:1", "192.0.2.9:2", "192.0.2.9:3"}) {
    ASSERT_TRUE(agent.AddRemoteCandidate(At(0s), Host(remote)));
  }
  agent.HandleTimeout(At(50ms));
  agent.HandleTimeout(At(100ms));
  std::array<uint8_t, 1500> buffer;
  int sent = 0;
  while (agent.PollTransmit(At(120ms), buffer)) ++sent;
  EXPECT_EQ(sent, 3);
}

TEST(AgentTest, WritesNothingIntoABufferThatIsTooSmallAndKeepsIt) {
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:9000")));
  std::array<uint8_t, 100> small;
  EXPECT_FALSE(lone.agent().PollTransmit(lone.now(), small));
  lone.Advance(0ms);
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
}

TEST(AgentTest, LeavesWhatIsNotItsOwnToOthers) {
  LoneAgent lone;
  lone.Describe();
  const std::array<uint8_t, 20> dtls{22, 254, 253};
  EXPECT_FALSE(lone.Deliver("192.0.2.9:9000", dtls));
  // A response to the gatherer's request, from a STUN server.
  Rng rng = Rng::FromNumber(9);
  std::array<uint8_t, 200> out;
  stun::MessageBuilder builder(out, {stun::Method::kBinding, stun::MessageClass::kSuccessResponse},
                               stun::TransactionId::Random(rng));
  builder.AddAddress(stun::AttributeType::kXorMappedAddress, Address("203.0.113.1:1"));
  EXPECT_FALSE(lone.Deliver("198.51.100.1:3478", builder.Finish()));
  stun::MessageBuilder turn(out, {stun::Method::kAllocate, stun::MessageClass::kSuccessResponse},
                            stun::TransactionId::Random(rng));
  EXPECT_FALSE(lone.Deliver("198.51.100.1:3478", turn.Finish()));
  EXPECT_EQ(lone.Dropped(DropReason::kNotBinding), 1u);
  EXPECT_EQ(lone.Dropped(DropReason::kUnknownTransaction), 1u);
}

TEST(AgentTest, I3_TakesDataFromEveryValidatedPairAndFromNoOther) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  // A peer that sends from three source addresses, as browsers do.
  for (const char* source : {"192.0.2.9:9000", "192.0.2.9:9001", "198.51.100.9:9000"}) {
    lone.Deliver(source, lone.Write(lone.Draft()));
    EXPECT_TRUE(lone.agent().IsAuthenticated(Address(LoneAgent::kLocal), Address(source)));
    EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(source)));
  }
  for (int i = 0; i < 10; ++i) {
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  }
  for (const char* source : {"192.0.2.9:9000", "192.0.2.9:9001", "198.51.100.9:9000"}) {
    EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(source))) << source;
  }
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("192.0.2.9:9002")));
  EXPECT_FALSE(lone.agent().IsValidated(Address("10.0.0.1:5001"), Address("192.0.2.9:9000")));
  EXPECT_FALSE(lone.agent().IsAuthenticated(Address(LoneAgent::kLocal), Address("192.0.2.9:9002")));
}

TEST(AgentTest, I3_KeepsValidatedPairsAfterTheNomination) {
  AgentPair pair;
  pair.AddHost(Side::kA, "192.0.2.1:5000");
  pair.AddHost(Side::kA, "192.0.2.1:5001");
  pair.AddHost(Side::kZ, "192.0.2.2:6000");
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(2s);
  EXPECT_TRUE(pair.z().IsValidated(Address("192.0.2.2:6000"), Address("192.0.2.1:5000")));
}

TEST(AgentTest, I5_TakesAMappedIpv4AddressForTheIpv4Address) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("[::ffff:192.0.2.9]:9000")));
  lone.Advance(0ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].remote, Address("192.0.2.9:9000"));
  lone.AnswerAs(checks[0], "[::ffff:192.0.2.9]:9000", checks[0].local);
  EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("192.0.2.9:9000")));
  EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("[::ffff:192.0.2.9]:9000")));
}

TEST(AgentTest, GoesSilentWhenClosed) {  // RFC 8445 §11: keepalives end with the session
  LoneAgent lone;
  lone.Connect();
  lone.agent().Close(lone.now());
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("192.0.2.9:9000")));
  EXPECT_EQ(lone.agent().NextTimeout(), Timestamp::Never());
  lone.Advance(60s);
  EXPECT_FALSE(lone.Deliver("192.0.2.9:9000", lone.Write(lone.Draft())));
  EXPECT_TRUE(lone.TakeSent().empty());
  EXPECT_EQ(lone.Dropped(DropReason::kClosed), 1u);
  lone.agent().Close(lone.now());
  EXPECT_FALSE(lone.agent().PollEvent());
}

TEST(AgentTest, MovesWithItsSession) {
  LoneAgent lone;
  lone.Connect();
  Agent moved = std::move(lone.agent());
  EXPECT_EQ(moved.state(), State::kCompleted);
  EXPECT_TRUE(moved.selected_pair());
}

TEST(AgentTest, ListsItsPairsBestFirst) {
  LoneAgent lone;
  lone.Describe();
  Candidate low = Host("192.0.2.9:9001");
  low.priority = 100;
  Candidate high = Host("192.0.2.9:9002");
  high.priority = 200;
  low.foundation = high.foundation = "f";
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), high));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), low));
  lone.Advance(0ms);
  const auto stats = lone.agent().pair_stats();
  ASSERT_EQ(stats.size(), 2u);
  EXPECT_EQ(stats[0].remote.address, high.address);
  EXPECT_STREQ(stats[0].state, "in-progress");
  EXPECT_EQ(stats[0].requests_sent, 1u);
  EXPECT_EQ(stats[0].priority, PairPriority(Role::kControlling, 2130706431, 200));
  EXPECT_STREQ(stats[1].state, "frozen");
}

TEST(AgentTest, ReportsTheOutcomeInItsPairs) {
  LoneAgent lone;
  lone.Connect();
  const auto stats = lone.agent().pair_stats();
  ASSERT_EQ(stats.size(), 1u);
  EXPECT_STREQ(stats[0].state, "succeeded");
  EXPECT_TRUE(stats[0].nominated);
  EXPECT_TRUE(stats[0].selected);
  EXPECT_EQ(stats[0].responses_received, 2u);  // the check and the nomination
  EXPECT_EQ(stats[0].rtt, lone.agent().selected_pair()->rtt);
}

TEST(AgentTest, PairsFamiliesAndScopesOnlyWithTheirOwn) {  // RFC 8445 §6.1.2.2
  LoneAgent lone(kWithLinkLocal);
  Agent& agent = lone.agent();
  ASSERT_TRUE(agent.AddLocalCandidate(lone.now(), Host("[2001:db8::1]:5000")));
  ASSERT_TRUE(agent.AddLocalCandidate(lone.now(), Host("[fe80::1%3]:5000")));
  lone.Describe();
  for (const char* remote : {"192.0.2.9:1", "[2001:db8::9]:1", "[fe80::9]:1", "127.0.0.1:1", "169.254.169.254:80"}) {
    ASSERT_TRUE(agent.AddRemoteCandidate(lone.now(), Host(remote)));
  }
  std::set<std::pair<SocketAddress, SocketAddress>> paths;
  lone.Advance(400ms);
  for (const auto& check : lone.TakeChecks()) paths.emplace(check.local, check.remote);
  const std::set<std::pair<SocketAddress, SocketAddress>> expected{
      {Address("10.0.0.1:5000"), Address("192.0.2.9:1")},
      {Address("[2001:db8::1]:5000"), Address("[2001:db8::9]:1")},
      {Address("[fe80::1%3]:5000"), Address("[fe80::9%3]:1")}};
  EXPECT_EQ(paths, expected);
}

TEST(AgentTest, ConnectsOverLinkLocalAddressesWithScopes) {
  LoneAgent lone(kWithLinkLocal);
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Host("[fe80::1%3]:5000")));
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("[fe80::9]:9000")));
  lone.Advance(0ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  lone.AnswerAs(checks[0], "[fe80::9%3]:9000", Address("[fe80::1]:5000"));  // the wire carries no scope
  EXPECT_TRUE(lone.agent().selected_pair());
  EXPECT_TRUE(lone.log().discoveries.empty());
  EXPECT_EQ(lone.agent().selected_pair()->local.base, Address("[fe80::1%3]:5000"));
}

}  // namespace
}  // namespace jsp::ice
