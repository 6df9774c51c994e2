// After the connection: consent (RFC 7675), keepalives (RFC 8445 §11), silence and recovery.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;
using stun::AttributeType;
using stun::MessageClass;

constexpr std::string_view kRemote = "192.0.2.9:9000";

TEST(AgentConsentTest, AllowsNoDataBeforeACheckSucceeded) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Deliver(kRemote, lone.Write(lone.Draft()));  // the peer can reach us; that is not consent to send
  lone.Advance(20s);
  EXPECT_FALSE(lone.agent().selected_pair());
}

TEST(AgentConsentTest, AsksEveryFourToSixSecondsWithNewTransactionsAndNoRetransmission) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  std::vector<Timestamp> times{lone.now()};
  std::set<std::array<uint8_t, 12>> ids;
  for (int i = 0; i < 6000; ++i) {
    lone.Advance(100ms);
    for (const auto& check : lone.TakeChecks()) {
      times.push_back(check.at);
      ids.insert(check.View().transaction_id().octets);
      EXPECT_EQ(check.View().VerifyIntegrity(crypto::HmacSha1Key(crypto::AsBytes(lone.peer().pwd))),
                stun::IntegrityStatus::kValid);
      EXPECT_FALSE(check.Nominates());
      lone.Answer(check);
    }
  }
  ASSERT_GE(times.size(), 100u);
  EXPECT_EQ(ids.size(), times.size() - 1);
  Duration shortest = 100s;
  Duration longest = 0s;
  for (size_t i = 2; i < times.size(); ++i) {
    shortest = std::min(shortest, times[i] - times[i - 1]);
    longest = std::max(longest, times[i] - times[i - 1]);
  }
  EXPECT_GE(shortest, 4s);
  EXPECT_LT(shortest, 4200ms);
  EXPECT_LE(longest, 6s);
  EXPECT_GT(longest, 5800ms);
}

TEST(AgentConsentTest, NeverAsksMoreOftenThanEveryFourSeconds) {  // RFC 7675 §5.1
  LoneAgent lone({.consent_interval = 1s});
  lone.Connect();
  lone.Advance(3950ms);  // from the first valid pair, some milliseconds before the nomination
  EXPECT_TRUE(lone.TakeChecks().empty());
  lone.Advance(50ms);
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
}

// An idle session is woken twice by what both sides ask, and its longer request leaves first: with the shorter answer
// it makes one segmented send.
TEST(AgentConsentTest, AsksAlongWithTheAnswerThatThePeersRequestGets) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  lone.TakeSent();
  lone.Advance(3900ms);
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  ASSERT_EQ(lone.TakeSent().size(), 1u) << "the answer";
  lone.Advance(150ms);
  ASSERT_TRUE(lone.TakeSent().empty()) << "the seed drew the shortest interval; take another";
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  const auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(sent[0].Is(MessageClass::kRequest));
  EXPECT_TRUE(sent[1].Is(MessageClass::kSuccessResponse));
  EXPECT_GT(sent[0].bytes.size(), sent[1].bytes.size());
}

// Two sides of this kind: who draws the shorter interval asks, the other one follows at once.
TEST(AgentConsentTest, TwoSidesThatFollowEachOtherAskTogether) {
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(5s);
  pair.sent(Side::kA).clear();
  pair.sent(Side::kZ).clear();
  pair.RunFor(500s);
  std::map<Side, std::vector<Timestamp>> asked;
  for (const Side side : {Side::kA, Side::kZ}) {
    for (const auto& sent : pair.sent(side)) {
      if (!sent.IsCheck()) continue;
      if (!asked[side].empty()) {
        EXPECT_GE(sent.at - asked[side].back(), 4s);
      }
      asked[side].push_back(sent.at);
    }
    EXPECT_GE(asked[side].size(), 500u / 6);
  }
  size_t alone = 0;
  for (const Timestamp at : asked[Side::kA]) {
    const auto is_near = [&](Timestamp other) { return other - at <= 10ms && at - other <= 10ms; };
    alone += std::ranges::none_of(asked[Side::kZ], is_near) ? 1 : 0;
  }
  EXPECT_LE(alone, asked[Side::kA].size() / 20);
}

TEST(AgentConsentTest, I11_EndsAllSendingWhenConsentExpires) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  const Timestamp granted = lone.now();
  lone.Advance(29900ms);
  EXPECT_TRUE(lone.agent().selected_pair());
  lone.Advance(200ms);
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_EQ(lone.agent().state(), State::kFailed);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kConsentExpired);
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(kRemote)));
  for (const auto& datagram : lone.TakeSent()) EXPECT_LE(datagram.at, granted + 30s);
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  lone.Advance(600s);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentConsentTest, I11_ReceivedChecksAreNotConsent) {
  LoneAgent lone;
  lone.Connect();
  for (int i = 0; i < 31; ++i) {
    lone.Deliver(kRemote, lone.Write(lone.Draft()));
    lone.Advance(1s);
  }
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST(AgentConsentTest, I11_ForgedOrWrongAnswersDoNotRenew) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  for (int i = 0; i < 31; ++i) {
    lone.Advance(1s);
    for (const auto& check : lone.TakeChecks()) {
      lone.Deliver(kRemote, SuccessFor(check, check.local, "forgedforgedforgedforged"));
      lone.AnswerAs(check, "192.0.2.9:9999", check.local);
      lone.Deliver(kRemote, ErrorFor(check, 500, lone.peer().pwd));
    }
  }
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST(AgentConsentTest, I11_ALateAnswerRevivesNothing) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  lone.Advance(29s);
  const auto checks = lone.TakeChecks();
  ASSERT_FALSE(checks.empty());
  lone.Advance(2s);
  for (const auto& check : checks) lone.Answer(check);
  EXPECT_EQ(lone.agent().state(), State::kFailed);
  EXPECT_FALSE(lone.agent().selected_pair());
}

// The answer has waited in the owner's buffer, behind other things.
TEST(AgentConsentTest, AnOwnerThatWasHeldUpHearsTheAnswerBeforeConsentIsGone) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  lone.Advance(7s);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  lone.HoldUp(24s);
  EXPECT_FALSE(lone.agent().HasConsent(lone.now()));
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  EXPECT_TRUE(lone.agent().selected_pair());
  EXPECT_FALSE(lone.agent().HasConsent(lone.now())) << "a check of the peer's is no consent";
  lone.Answer(checks[0]);
  EXPECT_TRUE(lone.agent().HasConsent(lone.now()));
  lone.Advance(1s);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  lone.TakeSent();
  lone.HoldUp(60s);
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  for (const auto& sent : lone.TakeSent()) EXPECT_FALSE(sent.IsCheck()) << "the credentials are not used again";
  lone.Advance(0s);
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST(AgentConsentTest, AnAnswerToAnOlderRequestRenews) {  // RFC 7675 §5.1
  LoneAgent lone;
  lone.Connect();
  std::vector<SentDatagram> late;
  for (int i = 0; i < 120; ++i) {
    lone.Advance(1s);
    for (const auto& check : late) {
      if (lone.now() - check.at == 12s) lone.Answer(check);
    }
    for (auto& check : lone.TakeChecks()) {
      check.at = lone.now();
      late.push_back(std::move(check));
    }
  }
  EXPECT_TRUE(lone.agent().selected_pair());
}

TEST(AgentConsentTest, AnAuthenticated403RevokesAtOnce) {  // RFC 7675 §5.2
  LoneAgent lone;
  lone.Connect();
  lone.Advance(6s);
  const auto check = lone.TakeChecks().at(0);
  lone.Deliver(kRemote, ErrorFor(check, 403, "notthepeersnotthepeers"));
  EXPECT_TRUE(lone.agent().selected_pair());
  lone.Deliver(kRemote, ErrorFor(check, 403, lone.peer().pwd));
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_EQ(lone.log().ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST(AgentConsentTest, TellsSilenceAndRecovery) {
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(20s);
  pair.filter = [](Side, SentDatagram&) { return false; };
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kDisconnected; }, 16s));
  EXPECT_EQ(pair.log(Side::kA).ReasonOf(State::kDisconnected), StateReason::kNoTrafficFromPeer);
  EXPECT_TRUE(pair.a().selected_pair());  // sending goes on until consent expires
  pair.filter = [](Side, SentDatagram&) { return true; };
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kCompleted; }, 7s));
  EXPECT_EQ(pair.log(Side::kA).ReasonOf(State::kCompleted), StateReason::kTrafficResumed);
  pair.RunFor(60s);
  EXPECT_EQ(pair.a().state(), State::kCompleted);
}

TEST(AgentConsentTest, APathThatCarriesNothingOfOursIsToldBeforeConsentExpires) {  // RFC 7675 §5.1
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntilCompleted());
  pair.RunFor(20s);
  pair.filter = [](Side from, SentDatagram& packet) { return from == Side::kA || packet.IsCheck(); };
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kDisconnected; }, 20s));
  EXPECT_EQ(pair.log(Side::kA).ReasonOf(State::kDisconnected), StateReason::kConsentUnanswered);
  pair.RunFor(4s);
  EXPECT_EQ(pair.a().state(), State::kDisconnected) << "the peer's checks, which come all the time, are no answer";
  pair.filter = [](Side, SentDatagram&) { return true; };
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kCompleted; }, 6s));
  EXPECT_EQ(pair.log(Side::kA).ReasonOf(State::kCompleted), StateReason::kTrafficResumed);
}

TEST(AgentConsentTest, ACheckThatIsSentAgainOutlivesTheLossOfAllConsentRequests) {  // RFC 8489 §6.2.1
  LoneAgent lone;
  lone.Connect();
  lone.Advance(14900ms);
  EXPECT_LE(lone.TakeChecks().size(), 3u);
  lone.Advance(14s);
  const auto checks = lone.TakeChecks();
  std::map<std::array<uint8_t, 12>, int> times;
  for (const auto& check : checks) ++times[check.View().transaction_id().octets];
  EXPECT_EQ(std::ranges::count_if(times, [](const auto& entry) { return entry.second >= 5; }), 1) << "one of them";
  lone.Answer(checks.back());
  lone.Advance(10s);
  EXPECT_NE(lone.agent().state(), State::kFailed);
}

TEST(AgentConsentTest, AMovableSessionLeavesAPathThatCarriesNothingOfOurs) {
  AgentPair::Config config;
  config.z.role = Role::kControlled;
  config.renomination = true;
  for (const Side side : {Side::kA, Side::kZ}) {
    AgentPair pair(config);
    pair.AddHost(side, "192.0.2.9:5000");
    pair.Start();
    ASSERT_TRUE(pair.RunUntilCompleted());
    pair.RunFor(20s);
    const SocketAddress before = pair.agent(side).selected_pair()->local.base;
    pair.filter = [&](Side from, SentDatagram& packet) {
      return from == side || packet.IsCheck() || packet.remote != before;
    };
    pair.RunFor(60s);
    EXPECT_FALSE(pair.log(side).Saw(State::kFailed));
    ASSERT_TRUE(pair.agent(side).selected_pair());
    EXPECT_NE(pair.agent(side).selected_pair()->local.base, before);
    EXPECT_EQ(pair.agent(side).state(), State::kCompleted);
  }
}

TEST(AgentConsentTest, TellsSilenceOfAPairThatWasNotNominated) {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  lone.Advance(10s);
  EXPECT_EQ(lone.agent().state(), State::kDisconnected);
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  EXPECT_EQ(lone.agent().state(), State::kConnected);
}

TEST(AgentConsentTest, I20_FollowsAPeerWhoseMappingMoved) {
  AgentPair pair;
  pair.AddHost(Side::kA, "10.0.0.1:5000");
  pair.AddNat(Side::kA, AgentPair::NatKind::kCone, "203.0.113.1");
  pair.AddHost(Side::kZ, "192.0.2.2:6000");
  pair.ExchangeDescriptions();
  pair.Trickle(Side::kA);
  pair.Trickle(Side::kZ);
  ASSERT_TRUE(pair.RunUntilCompleted());
  const SocketAddress before = pair.z().selected_pair()->remote.address;
  pair.RebindNat(Side::kA);
  pair.RunFor(25s);
  ASSERT_TRUE(pair.z().selected_pair());
  EXPECT_NE(pair.z().selected_pair()->remote.address, before);
  EXPECT_EQ(pair.z().state(), State::kCompleted);
  EXPECT_EQ(pair.a().state(), State::kCompleted);
  pair.RunFor(120s);
  EXPECT_EQ(pair.z().state(), State::kCompleted);
}

TEST(AgentConsentTest, DoesNotMoveToAnotherPairWhileTheSelectedOneLives) {
  LoneAgent lone;
  lone.Connect();
  for (int i = 0; i < 30; ++i) {
    lone.Deliver("192.0.2.9:1", lone.Write(lone.Draft()));
    lone.Advance(1s);
    for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  }
  EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("192.0.2.9:1")));
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(kRemote));
}

TEST(AgentConsentTest, AnswersAPeerThatChecksInsteadOfSendingIndications) {  // RFC 8445 §11, §8.3.1
  LoneAgent lone;
  lone.Connect();
  for (const Duration pause : {2s, 3s}) {
    lone.Advance(pause);
    lone.TakeSent();
    lone.Deliver(kRemote, lone.Write(lone.Draft()));
    EXPECT_TRUE(lone.TakeSent().back().Is(MessageClass::kSuccessResponse));
  }
}

TEST(AgentConsentTest, SendsAnIndicationOnlyWhenNothingElseWasSent) {  // RFC 8445 §11
  LoneAgent lone({.consent_interval = 0s});
  lone.Connect();
  lone.Advance(14900ms);
  EXPECT_TRUE(lone.TakeSent().empty());
  lone.Advance(100ms);
  const auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 1u);
  const auto view = sent[0].View();
  EXPECT_EQ(view.message_class(), MessageClass::kIndication);
  EXPECT_EQ(view.VerifyFingerprint(), stun::IntegrityStatus::kValid);
  EXPECT_EQ(view.datagram().size(), 28u);  // FINGERPRINT and nothing else
  EXPECT_EQ(sent[0].remote, Address(kRemote));
  lone.Advance(10s);
  lone.agent().HandleDataSent(lone.now());
  lone.Advance(14s);
  EXPECT_TRUE(lone.TakeSent().empty());
  lone.Advance(1s);
  EXPECT_EQ(lone.TakeSent().size(), 1u);
  EXPECT_EQ(lone.agent().metrics().keepalives_sent, 2u);
}

TEST(AgentConsentTest, KeepsASessionWithoutConsentOpen) {
  LoneAgent lone({.consent_interval = 0s});
  lone.Connect();
  lone.Advance(600s);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
  EXPECT_EQ(lone.agent().metrics().consent_requests_sent, 0u);
}

TEST(AgentConsentTest, SendsNoIndicationWhileConsentIsAsked) {
  LoneAgent lone;
  lone.Connect();
  for (int i = 0; i < 120; ++i) {
    lone.Advance(1s);
    for (const auto& datagram : lone.TakeSent()) {
      EXPECT_TRUE(datagram.IsCheck());
      lone.Answer(datagram);
    }
  }
  EXPECT_EQ(lone.agent().metrics().keepalives_sent, 0u);
}

TEST(AgentConsentTest, NeverKeepsAliveMoreOftenThanEveryFifteenSeconds) {  // RFC 8445 §11
  LoneAgent lone({.consent_interval = 0s, .keepalive_interval = 1s});
  lone.Connect();
  lone.Advance(60s);
  EXPECT_LE(lone.TakeSent().size(), 4u);
}

}  // namespace
}  // namespace jsp::ice
