// Which pair is nominated and when, by us and by peers of every temper (RFC 8445 §8, §7.3.1.5, §12).
#include <gtest/gtest.h>

#include <string>
#include <unordered_set>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;

Candidate Remote(int port, uint32_t priority) {
  Candidate candidate = Host("192.0.2.9:" + std::to_string(port));
  candidate.priority = priority;
  return candidate;
}

std::string Port(int port) { return "192.0.2.9:" + std::to_string(port); }

// A controlled agent with valid pairs to these ports, priorities falling.
LoneAgent Controlled(std::initializer_list<int> ports) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  uint32_t priority = 1000;
  for (const int port : ports) EXPECT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(port, priority--)));
  for (size_t i = 0; i < ports.size(); ++i) {
    for (const auto& check : lone.TakeChecks()) lone.Answer(check);
    lone.Advance(50ms);
  }
  for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  return lone;
}

void PeerNominates(LoneAgent& lone, int port) {
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  lone.Deliver(Port(port), lone.Write(draft));
}

TEST(AgentNominationTest, NominatesOnePairOnce) {  // RFC 8445 §8.1.1
  AgentPair pair;
  pair.AddHost(Side::kA, "192.0.2.1:5000");
  pair.AddHost(Side::kA, "[2001:db8::1]:5000");
  pair.AddHost(Side::kZ, "192.0.2.2:6000");
  pair.AddHost(Side::kZ, "[2001:db8::2]:6000");
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(60s);
  std::set<SocketAddress> nominated;
  for (const auto& datagram : pair.sent(Side::kA)) {
    if (datagram.IsCheck() && datagram.Nominates()) nominated.insert(datagram.remote);
  }
  EXPECT_EQ(nominated.size(), 1u);
  for (const auto& datagram : pair.sent(Side::kZ)) EXPECT_FALSE(datagram.IsCheck() && datagram.Nominates());
}

TEST(AgentNominationTest, RepeatsTheCheckOfTheValidPairWithUseCandidate) {
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  const auto first = lone.TakeChecks().at(0);
  EXPECT_FALSE(first.Nominates());
  lone.Advance(3ms);
  lone.Answer(first);
  EXPECT_EQ(lone.agent().state(), State::kConnected);
  EXPECT_TRUE(lone.TakeChecks().empty());
  lone.Advance(2ms);  // five milliseconds after the check before it, RFC 8445 §14.2
  const auto second = lone.TakeChecks();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_TRUE(second[0].Nominates());
  EXPECT_EQ(second[0].View().Find(stun::AttributeType::kUseCandidate)->size(), 0u);  // RFC 8445 §16.1
  EXPECT_EQ(second[0].remote, first.remote);
  EXPECT_NE(second[0].View().transaction_id(), first.View().transaction_id());
  lone.Answer(second[0]);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentNominationTest, KeepsTaBeforeTheNominationWhenToldTo) {
  LoneAgent lone({.nomination = {.pacing_interval = 50ms}});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  lone.Advance(49ms);
  EXPECT_TRUE(lone.TakeChecks().empty());
  lone.Advance(1ms);
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
}

TEST(AgentNominationTest, PrefersABetterPairThatAnswersSoon) {  // RFC 8863 §4: relayed first, host 200 ms later
  LoneAgent lone;
  lone.Describe();
  Candidate relayed = Remote(2, 100);
  relayed.type = CandidateType::kRelayed;
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), relayed));
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 2u);
  lone.Answer(checks[1]);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 2);  // data may flow meanwhile
  lone.Advance(200ms);
  EXPECT_TRUE(lone.TakeChecks().empty());
  lone.Answer(checks[0]);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 1);
  lone.Advance(10ms);
  const auto nomination = lone.TakeChecks();
  ASSERT_EQ(nomination.size(), 1u);
  EXPECT_TRUE(nomination[0].Nominates());
  EXPECT_EQ(nomination[0].remote.port, 1);
}

TEST(AgentNominationTest, DoesNotWaitForHopelessPairs) {
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(2, 100)));
  lone.Advance(50ms);
  lone.Answer(lone.TakeChecks().at(1));
  const auto nominates = [](const SentDatagram& check) { return check.Nominates(); };
  lone.Advance(499ms);
  EXPECT_FALSE(std::ranges::any_of(lone.TakeChecks(), nominates));
  lone.Advance(1ms);
  EXPECT_TRUE(std::ranges::any_of(lone.TakeChecks(), nominates));
}

TEST(AgentNominationTest, IsMorePatientWithARelayedPair) {
  LoneAgent lone;
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Relayed("203.0.113.200:1")));
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[1].local, Address("203.0.113.200:1"));
  lone.Answer(checks[1]);
  lone.Advance(1999ms);
  for (const auto& check : lone.TakeChecks()) EXPECT_FALSE(check.Nominates());
  lone.Advance(1ms);
  EXPECT_TRUE(lone.TakeChecks().at(0).Nominates());
}

TEST(AgentNominationTest, NominatesAtOnceWhenTheBetterPairsHaveFailed) {
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(2, 100)));
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  lone.Answer(checks.at(1));
  lone.Deliver(Port(1), ErrorFor(checks.at(0), 400, lone.peer().pwd));
  lone.Advance(5ms);
  EXPECT_TRUE(lone.TakeChecks().at(0).Nominates());
}

TEST(AgentNominationTest, WaitsNominationDelayEvenForTheBestPair) {
  LoneAgent lone({.nomination = {.delay = 300ms}});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  lone.Advance(299ms);
  EXPECT_TRUE(lone.TakeChecks().empty());
  lone.Advance(1ms);
  EXPECT_TRUE(lone.TakeChecks().at(0).Nominates());
}

// Answers everything but the checks that nominate, for so long; returns how many transactions nominated.
size_t AnswerAllButNominations(LoneAgent& lone, Duration duration) {
  std::unordered_set<stun::TransactionId> nominations;
  for (const Timestamp end = lone.now() + duration; lone.now() < end && lone.agent().state() != State::kFailed;) {
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) {
      if (check.Nominates()) {
        nominations.insert(check.View().transaction_id());
      } else {
        lone.Answer(check);
      }
    }
  }
  return nominations.size();
}

TEST(AgentNominationTest, NominatesAnewWhileThePairHasConsent) {  // RFC 8445 §8.1.1, RFC 7675 §5.1
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  const size_t lost = AnswerAllButNominations(lone, 60s);
  EXPECT_EQ(lost, 2u) << "the first is given up after 39.5 s, RFC 8489 §6.2.1";
  ASSERT_EQ(lone.agent().state(), State::kConnected);
  EXPECT_TRUE(lone.agent().selected_pair()) << "data flows meanwhile";
  while (lone.agent().state() == State::kConnected && lone.now() < At(110s)) {
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  }
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentNominationTest, APeerThatNeverTakesANominationFailsTheSessionAtTheDeadline) {  // RFC 8445 §7.2.5.3.4
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  EXPECT_EQ(AnswerAllButNominations(lone, 200s), 4u);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kNominationFailed);
  EXPECT_GE(lone.now(), At(120s));
  EXPECT_LE(lone.now(), At(120s + 39500ms));
}

TEST(AgentNominationTest, ANominationThatIsAnsweredFromElsewhereGoesThere) {  // RFC 8445 §7.2.5.2.1
  LoneAgent lone;
  lone.Describe();
  for (const int port : {1, 2}) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(port, static_cast<uint32_t>(1000 - port))));
  }
  std::vector<std::string> nominated;
  for (int i = 0; i < 10; ++i) {
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) {
      if (check.Nominates()) nominated.push_back(check.remote.ToString());
      const bool is_crooked = check.Nominates() && check.remote.port == 1;
      is_crooked ? lone.AnswerAs(check, Port(2), check.local) : lone.Answer(check);
    }
  }
  EXPECT_EQ(nominated, (std::vector<std::string>{Port(1), Port(2)}));
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(Port(2)));
}

TEST(AgentNominationTest, APairThatTakesOverFromASilentOneIsNominated) {  // RFC 8445 §8.1.1
  LoneAgent lone;
  lone.Describe();
  for (const int port : {1, 2}) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(port, static_cast<uint32_t>(1000 - port))));
  }
  bool is_dead = false;  // port 1, from its nomination on
  while (lone.now() < At(20s)) {
    lone.Advance(50ms);
    if (is_dead && lone.now() > At(11s)) lone.Deliver(Port(2), lone.Write(lone.Draft()));
    for (const auto& check : lone.TakeChecks()) {
      is_dead = is_dead || (check.Nominates() && check.remote.port == 1);
      if (!is_dead || check.remote.port == 2) lone.Answer(check);
    }
  }
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(Port(2)));
}

TEST(AgentNominationTest, WithoutConsentNominatingAnewEndsToo) {  // RFC 7675 §5.1
  LoneAgent lone({.check = {.max_transmissions = 2}});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  lone.Advance(31s);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST(AgentNominationTest, FailsWhenTheNominationIsNotAnswered) {  // RFC 8445 §7.2.5.3.4
  LoneAgent lone({.check = {.max_transmissions = 2}, .nomination = {.deadline = 0s}});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  lone.Advance(9s);
  EXPECT_EQ(lone.agent().state(), State::kFailed);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kNominationFailed);
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(Port(1))));
}

TEST(AgentNominationTest, FailsWhenThePeerRejectsTheNomination) {  // RFC 8445 §7.3.1.5
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  lone.Advance(5ms);
  lone.Deliver(Port(1), ErrorFor(lone.TakeChecks().at(0), 400, lone.peer().pwd));
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kNominationFailed);
}

TEST(AgentNominationTest, StopsCheckingOtherPairsOnceOneIsNominated) {  // RFC 8445 §8.1.2
  LoneAgent lone({.nomination = {.patience = 0ms}});
  lone.Describe();
  for (int port = 1; port <= 10; ++port) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(port, 1000)));
  }
  lone.Advance(50ms);
  auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 2u);
  lone.Answer(checks[0]);
  lone.Advance(5ms);
  const auto nomination = lone.TakeChecks().at(0);
  ASSERT_TRUE(nomination.Nominates());
  lone.Answer(nomination);
  ASSERT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().pair_stats().size(), 1u);
  lone.Advance(3900ms);
  EXPECT_TRUE(lone.TakeChecks().empty());
  // RFC 8445 §8.1.2: a response that was under way still counts, and requests are still answered.
  lone.Answer(checks[1]);
  EXPECT_TRUE(lone.agent().IsValidated(checks[1].local, checks[1].remote));
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, checks[0].remote);
  lone.Deliver(Port(7), lone.Write(lone.Draft()));
  EXPECT_TRUE(lone.TakeSent().at(0).Is(stun::MessageClass::kSuccessResponse));
}

TEST(AgentNominationTest, PairsNoCandidateThatComesAfterTheNomination) {  // RFC 8838 §13
  LoneAgent lone;
  lone.Connect();
  EXPECT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(77, 2000)));
  EXPECT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Host("10.0.0.1:5077")));
  lone.Advance(3s);
  EXPECT_TRUE(lone.TakeChecks().empty());
}

TEST(AgentNominationTest, SendsNoSecondNominationWhenThePairDies) {  // RFC 8445 §8.1.1
  LoneAgent lone;
  lone.Connect();
  lone.Deliver(Port(2), lone.Write(lone.Draft()));
  lone.Advance(50ms);
  for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  lone.Advance(29s);
  for (const auto& check : lone.TakeChecks()) EXPECT_FALSE(check.Nominates());
}

TEST(AgentNominationTest, AcceptsTheNominationOfAValidPairAtOnce) {  // RFC 8445 §7.3.1.5
  LoneAgent lone = Controlled({1, 2});
  EXPECT_EQ(lone.agent().state(), State::kConnected);
  PeerNominates(lone, 2);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 2);
  EXPECT_TRUE(lone.agent().selected_pair()->nominated);
}

TEST(AgentNominationTest, AcceptsANominationBeforeItsOwnCheckOnceThatSucceeds) {  // RFC 8445 §7.3.1.5
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  PeerNominates(lone, 1);
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  lone.Answer(checks[0]);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentNominationTest, CountsTheAnswerToAnEarlierCheckForTheNomination) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  lone.Advance(0ms);
  const auto early = lone.TakeChecks().at(0);
  PeerNominates(lone, 1);
  lone.Answer(early);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentNominationTest, UsesTheHighestOfSeveralNominatedPairs) {  // RFC 8445 §8.1.1
  LoneAgent lone = Controlled({1, 2, 3});
  PeerNominates(lone, 3);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 3);
  PeerNominates(lone, 1);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 1);
  PeerNominates(lone, 2);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 1);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentNominationTest, ToleratesAnAggressivePeer) {
  // Every check carries USE-CANDIDATE, and the pairs that do not work fail one after the other.
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  for (const int port : {4, 3, 2, 1}) {
    CheckDraft draft = lone.Draft();
    draft.use_candidate = true;
    draft.priority = static_cast<uint32_t>(port);
    lone.Deliver(Port(port), lone.Write(draft));
  }
  for (int i = 0; i < 20; ++i) {
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) {
      if (check.remote.port <= 2) lone.Answer(check);
    }
    for (const int port : {4, 3, 2, 1}) PeerNominates(lone, port);
  }
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 2);
  lone.Advance(8s);
  EXPECT_NE(lone.agent().state(), State::kFailed);
}

TEST(AgentNominationTest, ChecksAPairAgainThatWasValidLongAgo) {  // RFC 7675 §5.1
  LoneAgent lone = Controlled({1, 2});
  PeerNominates(lone, 2);
  for (int i = 0; i < 60; ++i) {
    lone.Advance(1s);
    for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  }
  PeerNominates(lone, 1);  // better, but its consent is a minute old
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 2);
  lone.Advance(50ms);
  for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 1);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentNominationTest, IgnoresANominationFromAPeerThatDoesNotControl) {
  LoneAgent lone;
  lone.Describe();
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  lone.Deliver(Port(1), lone.Write(draft));
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_EQ(lone.agent().state(), State::kConnected);
  EXPECT_FALSE(lone.agent().selected_pair()->nominated);
}

TEST(AgentNominationTest, MovesDataToABetterValidPairUntilTheNomination) {  // RFC 8445 §12.1
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(1, 1000)));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Remote(2, 500)));
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  lone.Answer(checks.at(1));
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 2);
  lone.Answer(checks.at(0));
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 1);
  PeerNominates(lone, 2);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address.port, 2);
  ASSERT_EQ(lone.log().selections.size(), 3u);
}

// Two sides that reach each other at server-reflexive addresses; z has a relay as well, whose packets are given another
// port on their way to a.
class RelaySeenFromElsewhere {
 public:
  explicit RelaySeenFromElsewhere(Role a) : pair({.a = {.role = a}, .z = {.role = Opposite(a)}}) {
    Add(Side::kA, "192.0.2.1:5000");
    Add(Side::kZ, kDirect);
    pair.AddSocket(Side::kZ, kRelay);
    EXPECT_TRUE(pair.z().AddLocalCandidate(pair.now(), Relayed(kRelay)));
    pair.filter = [](Side from, SentDatagram& packet) {
      if (from == Side::kZ && packet.local == Address(kRelay)) packet.local = Address(kSeen);
      if (from == Side::kA && packet.remote == Address(kSeen)) packet.remote = Address(kRelay);
      return true;
    };
  }
  void ExpectDirect() {
    ASSERT_TRUE(pair.RunUntilCompleted());
    EXPECT_EQ(pair.a().selected_pair()->remote.address, Address(kDirect));
    EXPECT_EQ(pair.z().selected_pair()->local.base, Address(kDirect));
  }

  static constexpr const char* kDirect = "203.0.113.9:6000";
  static constexpr const char* kRelay = "198.51.100.1:49152";
  static constexpr const char* kSeen = "198.51.100.1:7777";
  AgentPair pair;

 private:
  static Role Opposite(Role role) { return role == Role::kControlling ? Role::kControlled : Role::kControlling; }
  void Add(Side side, const char* address) {
    pair.AddSocket(side, address);
    EXPECT_TRUE(pair.agent(side).AddLocalCandidate(pair.now(), Reflexive(address, address)));
  }
};

// To both sides it is peer-reflexive, of a higher priority than what is direct (RFC 8445 §5.1.2.1, §7.1.1).
TEST(AgentNominationTest, ARelayThatIsSeenFromElsewhereIsStillTheLastResort) {  // RFC 8445 §8.1.1
  for (const Role role : {Role::kControlling, Role::kControlled}) {
    RelaySeenFromElsewhere sides(role);
    const auto as_before = sides.pair.filter;
    bool is_held = true;
    sides.pair.filter = [&](Side from, SentDatagram& packet) {
      const SocketAddress direct = Address(RelaySeenFromElsewhere::kDirect);
      const bool is_direct = packet.local == direct || packet.remote == direct;
      return as_before(from, packet) && !(is_held && is_direct);
    };
    sides.pair.ExchangeDescriptions();
    sides.pair.Trickle(Side::kA);
    sides.pair.Trickle(Side::kZ);
    sides.pair.RunFor(1s);
    ASSERT_EQ(sides.pair.a().state(), State::kConnected) << ToString(role);  // data flows, nothing is nominated
    EXPECT_EQ(sides.pair.a().selected_pair()->remote.address, Address(RelaySeenFromElsewhere::kSeen));
    EXPECT_EQ(sides.pair.z().selected_pair()->local.type, CandidateType::kPeerReflexive);
    is_held = false;
    sides.ExpectDirect();
  }
}

// It keeps the priority of its check, RFC 8838 §11; by that it would be no worse than what is direct.
TEST(AgentNominationTest, ARelayThatIsHeardBeforeItIsSignalledIsStillTheLastResort) {  // RFC 8445 §8.1.1
  RelaySeenFromElsewhere sides(Role::kControlling);
  sides.pair.filter = [](Side, SentDatagram&) { return true; };
  sides.pair.Describe(Side::kZ);
  sides.pair.Trickle(Side::kA);
  sides.pair.RunFor(1s);
  sides.pair.Describe(Side::kA);
  sides.pair.Trickle(Side::kZ);
  sides.ExpectDirect();
}

}  // namespace
}  // namespace jsp::ice
