// Connectivity checks on the wire: what they say, when they leave, and what answers do (RFC 8445 §6.1.4, §7.2, §7.3).
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
#include "stun/message_builder.h"
namespace jsp::ice {
namespace {

using stun::AttributeType;
using stun::IntegrityStatus;
using stun::MessageClass;

constexpr std::string_view kRemote = "192.0.2.9:9000";

LoneAgent Checking(const Options& options = {}) {
  LoneAgent lone(options);
  lone.Describe();
  EXPECT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  return lone;
}

TEST(AgentCheckTest, WritesACheckAsRfc8445Says) {
  LoneAgent lone = Checking();
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  const auto view = checks[0].View();
  // RFC 8445 §7.2.2: "remote ufrag : local ufrag", keyed with the remote password.
  EXPECT_EQ(view.FindText(AttributeType::kUsername), lone.peer().ufrag + ":" + lone.agent().local_credentials().ufrag);
  EXPECT_EQ(view.VerifyIntegrity(crypto::HmacSha1Key(crypto::AsBytes(lone.peer().pwd))), IntegrityStatus::kValid);
  EXPECT_EQ(view.VerifyFingerprint(), IntegrityStatus::kValid);                            // RFC 8445 §7.2.4
  EXPECT_EQ(view.FindU32(AttributeType::kPriority), (110u << 24) | (65535u << 8) | 255u);  // RFC 8445 §7.1.1
  EXPECT_TRUE(view.FindU64(AttributeType::kIceControlling));                               // RFC 8445 §7.1.3
  EXPECT_FALSE(view.Has(AttributeType::kIceControlled));
  EXPECT_FALSE(view.Has(AttributeType::kUseCandidate));
  EXPECT_EQ(checks[0].local, Address(LoneAgent::kLocal));
  EXPECT_EQ(checks[0].remote, Address(kRemote));
}

TEST(AgentCheckTest, NeverNominatesWhileControlled) {  // RFC 8445 §7.1.2
  LoneAgent lone({.role = Role::kControlled});
  lone.Connect();
  lone.Advance(30s);
  for (const auto& check : lone.TakeChecks()) {
    EXPECT_FALSE(check.Nominates());
    EXPECT_TRUE(check.View().FindU64(AttributeType::kIceControlled));
    EXPECT_FALSE(check.View().Has(AttributeType::kIceControlling));
  }
}

TEST(AgentCheckTest, KeepsOneTieBreakerForTheSession) {  // RFC 8445 §16.1
  LoneAgent lone = Checking();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:9001")));
  lone.Advance(3s);
  std::set<uint64_t> tie_breakers;
  for (const auto& check : lone.TakeChecks()) {
    tie_breakers.insert(*check.View().FindU64(AttributeType::kIceControlling));
  }
  EXPECT_EQ(tie_breakers.size(), 1u);
}

TEST(AgentCheckTest, RetransmitsTheSameMessageAndGivesUpAfterTheLast) {  // RFC 8445 §14.3, RFC 8489 §6.2.1
  LoneAgent lone = Checking();
  lone.Advance(39s);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 7u);
  const std::array<Duration, 7> offsets{0ms, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms};
  for (size_t i = 0; i < checks.size(); ++i) {
    EXPECT_EQ(checks[i].at - checks[0].at, offsets[i]);
    EXPECT_EQ(checks[i].bytes, checks[0].bytes);
  }
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "in-progress");
  lone.Advance(500ms);  // RFC 8445 §7.2.5.2.3
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "failed");
}

TEST(AgentCheckTest, NeverGoesBelowAnRtoOf500Milliseconds) {  // RFC 8445 §14.3
  LoneAgent lone = Checking({.check = {.rto_min = 20ms}});
  lone.Advance(499ms);
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
  lone.Advance(1ms);
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
}

TEST(AgentCheckTest, StretchesTheRtoWithTheNumberOfChecks) {  // RFC 8445 §14.3
  LoneAgent lone;
  lone.Describe();
  for (int port = 1; port <= 20; ++port) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:" + std::to_string(port))));
  }
  lone.Advance(5s);
  std::map<SocketAddress, std::vector<Timestamp>> times;
  for (const auto& check : lone.TakeChecks()) times[check.remote].push_back(check.at);
  const auto& last = times[Address("192.0.2.9:20")];
  ASSERT_GE(last.size(), 2u);
  EXPECT_EQ(last[1] - last[0], 1000ms);  // 50 ms × 20 waiting or in progress
}

TEST(AgentCheckTest, I9_PacesChecksWhateverThePeerTrickles) {  // RFC 8445 §14.2, §19.5.1
  LoneAgent lone;
  lone.Describe();
  for (int port = 1; port <= 200; ++port) {
    (void)lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.66:" + std::to_string(port)));
  }
  lone.Advance(120s);
  std::map<stun::TransactionId, Timestamp, decltype([](const auto& a, const auto& b) { return a.octets < b.octets; })>
      begun;
  size_t sent = 0;
  for (const auto& check : lone.TakeChecks()) {
    ++sent;
    begun.try_emplace(check.View().transaction_id(), check.at);
  }
  EXPECT_LE(begun.size(), 100u);  // RFC 8445 §6.1.2.5
  EXPECT_LE(sent, 700u);
  std::vector<Timestamp> times;
  for (const auto& [id, at] : begun) times.push_back(at);
  std::ranges::sort(times);
  for (size_t i = 1; i < times.size(); ++i) ASSERT_GE(times[i] - times[i - 1], 50ms);
}

TEST(AgentCheckTest, I9_NeverPacesFasterThanFiveMilliseconds) {  // RFC 8445 §14.2
  LoneAgent lone({.pacing_interval = 0ms});
  lone.Describe(0ms);
  for (int port = 1; port <= 20; ++port) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:" + std::to_string(port))));
  }
  lone.Advance(99ms);
  const auto checks = lone.TakeChecks();
  EXPECT_EQ(checks.size(), 20u);
  for (size_t i = 1; i < checks.size(); ++i) EXPECT_EQ(checks[i].at - checks[i - 1].at, 5ms);
}

TEST(AgentCheckTest, PacesByTheSlowerOfBothSides) {  // RFC 8445 §14.2, RFC 8839 §5.5
  struct Case {
    Duration ours, theirs, used;
  };
  for (const Case& c :
       {Case{50ms, 100ms, 100ms}, {100ms, 50ms, 100ms}, {20ms, kDefaultPacingInterval, 50ms}, {20ms, 30ms, 30ms}}) {
    LoneAgent lone({.pacing_interval = c.ours});
    lone.Describe(c.theirs);
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:1")));
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:2")));
    lone.Advance(200ms);
    const auto checks = lone.TakeChecks();
    ASSERT_EQ(checks.size(), 2u);
    EXPECT_EQ(checks[1].at - checks[0].at, c.used);
  }
}

TEST(AgentCheckTest, ChecksTheBestPairFirst) {  // RFC 8445 §6.1.4.2
  LoneAgent lone;
  for (const uint32_t priority : {100u, 300u, 200u}) {
    Candidate candidate = Host("192.0.2.9:" + std::to_string(priority));
    candidate.priority = priority;
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), candidate));
  }
  lone.Describe();
  lone.Advance(150ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 3u);
  EXPECT_EQ(checks[0].remote.port, 300);
  EXPECT_EQ(checks[1].remote.port, 200);
  EXPECT_EQ(checks[2].remote.port, 100);
}

TEST(AgentCheckTest, ChecksOnePairOfAFoundationUntilItSucceeds) {  // RFC 8445 §6.1.2.6, §7.2.5.3.3
  LoneAgent lone;
  for (const int port : {1, 2, 3}) {
    Candidate candidate = Host("192.0.2.9:" + std::to_string(port));
    candidate.priority = static_cast<uint32_t>(1000 - port);
    candidate.foundation = "same";
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), candidate));
  }
  lone.Describe();
  lone.Advance(300ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].remote.port, 1);
  EXPECT_STREQ(lone.agent().pair_stats()[1].state, "frozen");
  lone.AnswerAs(checks[0], "192.0.2.9:1", checks[0].local);
  EXPECT_STRNE(lone.agent().pair_stats()[1].state, "frozen");
}

TEST(AgentCheckTest, ThawsAFoundationWhoseCheckFailed) {  // RFC 8445 §6.1.4.2 step 2
  LoneAgent lone({.check = {.max_transmissions = 1}});
  for (const int port : {1, 2}) {
    Candidate candidate = Host("192.0.2.9:" + std::to_string(port));
    candidate.priority = static_cast<uint32_t>(1000 - port);
    candidate.foundation = "same";
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), candidate));
  }
  lone.Describe();
  lone.Advance(7999ms);
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
  lone.Advance(1ms);  // 16 × 500 ms
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].remote.port, 2);
}

TEST(AgentCheckTest, SendsReflexiveChecksFromTheBaseOnce) {  // RFC 8445 §6.1.2.4
  LoneAgent lone;
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Reflexive("203.0.113.5:777", LoneAgent::kLocal)));
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(400ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].local, Address(LoneAgent::kLocal));
}

TEST(AgentCheckTest, SendsFromTheBaseOfAReflexiveCandidateWhoseHostIsHidden) {
  Rng rng = Rng::FromNumber(3);
  Agent agent({}, rng, At(0s));
  ASSERT_TRUE(agent.AddLocalCandidate(At(0s), Reflexive("203.0.113.5:777", "10.0.0.7:7000")));
  ASSERT_TRUE(agent.SetRemoteDescription(At(0s), {Credentials::Random(rng), false, true}));
  ASSERT_TRUE(agent.AddRemoteCandidate(At(0s), Host(kRemote)));
  std::array<uint8_t, 1500> out;
  const auto sent = agent.PollTransmit(At(0s), out);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->local, Address("10.0.0.7:7000"));
  EXPECT_EQ(agent.pair_stats()[0].local.type, CandidateType::kServerReflexive);
}

TEST(AgentCheckTest, AnswersWithItsOwnPasswordAndTheMappedAddress) {  // RFC 8445 §7.3
  LoneAgent lone;
  lone.Describe();
  const auto request = lone.Write(lone.Draft());
  EXPECT_TRUE(lone.Deliver(kRemote, request));
  const auto sent = lone.TakeSent();
  ASSERT_GE(sent.size(), 1u);
  const auto view = sent[0].View();
  EXPECT_EQ(view.message_class(), MessageClass::kSuccessResponse);
  EXPECT_EQ(view.transaction_id(), stun::MessageView::Parse(request)->transaction_id());
  EXPECT_EQ(view.FindAddress(AttributeType::kXorMappedAddress), Address(kRemote));
  EXPECT_EQ(view.VerifyFingerprint(), IntegrityStatus::kValid);
  const crypto::HmacSha1Key own(crypto::AsBytes(lone.agent().local_credentials().pwd));
  EXPECT_EQ(view.VerifyIntegrity(own), IntegrityStatus::kValid);
  EXPECT_FALSE(view.Has(AttributeType::kUsername));
  EXPECT_EQ(sent[0].local, Address(LoneAgent::kLocal));
  EXPECT_EQ(sent[0].remote, Address(kRemote));
}

TEST(AgentCheckTest, RevealsAPeerReflexiveRemoteCandidate) {  // RFC 8445 §7.3.1.3
  LoneAgent lone;
  lone.Describe();
  CheckDraft draft = lone.Draft();
  draft.priority = 12345;
  lone.Deliver("198.51.100.7:4444", lone.Write(draft));
  ASSERT_EQ(lone.log().discoveries.size(), 1u);
  const Candidate& learnt = lone.log().discoveries[0].candidate;
  EXPECT_FALSE(lone.log().discoveries[0].is_local);
  EXPECT_EQ(learnt.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(learnt.priority, 12345u);
  EXPECT_EQ(learnt.address, Address("198.51.100.7:4444"));
  const auto checks = lone.TakeChecks();  // RFC 8445 §7.3.1.4: and triggers a check back, at once
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].remote, Address("198.51.100.7:4444"));
  lone.Answer(checks[0]);
  EXPECT_EQ(lone.agent().selected_pair()->remote.type, CandidateType::kPeerReflexive);
}

TEST(AgentCheckTest, DiscoversItsOwnPeerReflexiveCandidate) {  // RFC 8445 §7.2.5.3.1
  LoneAgent lone = Checking();
  const auto check = lone.TakeChecks().at(0);
  lone.AnswerAs(check, kRemote, Address("203.0.113.99:1234"));
  ASSERT_EQ(lone.log().discoveries.size(), 1u);
  EXPECT_TRUE(lone.log().discoveries[0].is_local);
  const Candidate& own = lone.agent().selected_pair()->local;
  EXPECT_EQ(own.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(own.address, Address("203.0.113.99:1234"));
  EXPECT_EQ(own.base, Address(LoneAgent::kLocal));
  EXPECT_EQ(own.priority, *check.View().FindU32(AttributeType::kPriority));
  EXPECT_EQ(lone.agent().local_candidates().size(), 1u);  // it is not signalled
}

TEST(AgentCheckTest, RecognisesItsServerReflexiveCandidateInAnAnswer) {  // RFC 8445 §7.2.5.3.2
  LoneAgent lone;
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Reflexive("203.0.113.5:777", LoneAgent::kLocal)));
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  lone.AnswerAs(lone.TakeChecks().at(0), kRemote, Address("203.0.113.5:777"));
  EXPECT_TRUE(lone.log().discoveries.empty());
  EXPECT_EQ(lone.agent().selected_pair()->local.type, CandidateType::kServerReflexive);
}

TEST(AgentCheckTest, ForcesPeerReflexiveCandidatesThroughNats) {
  AgentPair pair;
  pair.AddHost(AgentPair::Side::kA, "10.0.0.1:5000");
  pair.AddNat(AgentPair::Side::kA, AgentPair::NatKind::kSymmetric, "203.0.113.1");
  pair.AddHost(AgentPair::Side::kZ, "192.0.2.2:6000");
  pair.ExchangeDescriptions();
  pair.Trickle(AgentPair::Side::kA);
  pair.Trickle(AgentPair::Side::kZ);
  ASSERT_TRUE(pair.RunUntilCompleted(5s));
  EXPECT_EQ(pair.a().selected_pair()->local.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(pair.z().selected_pair()->remote.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(pair.a().selected_pair()->local.address, pair.z().selected_pair()->remote.address);
}

TEST(AgentCheckTest, TriggersChecksInOrderOfArrivalBeforeOrdinaryOnes) {  // RFC 8445 §6.1.4.2 step 1
  LoneAgent lone;
  lone.Describe();
  for (int port = 1; port <= 5; ++port) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:" + std::to_string(port))));
  }
  lone.Advance(0ms);
  lone.TakeSent();
  CheckDraft draft = lone.Draft();
  draft.priority = 1;
  lone.Deliver("192.0.2.9:777", lone.Write(draft));
  lone.Deliver("192.0.2.9:778", lone.Write(draft));
  lone.TakeSent();
  lone.Advance(150ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 3u);
  EXPECT_EQ(checks[0].remote.port, 777);
  EXPECT_EQ(checks[1].remote.port, 778);
  EXPECT_LT(checks[2].remote.port, 6);
}

TEST(AgentCheckTest, CancelsACheckInProgressWhenThePeerChecksThePair) {  // RFC 8445 §7.3.1.4
  LoneAgent lone = Checking();
  const auto first = lone.TakeChecks().at(0);
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "waiting");
  lone.Advance(400ms);
  const auto second = lone.TakeChecks();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(second[0].View().transaction_id(), first.View().transaction_id());
  lone.Advance(499ms);  // the first one would have been retransmitted by now
  for (const auto& check : lone.TakeChecks()) {
    EXPECT_EQ(check.View().transaction_id(), second[0].View().transaction_id());
  }
  lone.Answer(first);  // its answer still counts
  EXPECT_TRUE(lone.agent().selected_pair());
}

TEST(AgentCheckTest, SendsTheFirstCheckAtOnceWhenThePeersArrivesBeforeItLeft) {  // RFC 8445 §7.3.1.4
  LoneAgent lone;
  // The owner did not poll between its description, which begins a check, and the peer's check.
  ASSERT_TRUE(lone.agent().SetRemoteDescription(lone.now(), {lone.peer(), false, true}));
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].remote, Address(kRemote));
  lone.Advance(60ms);  // no second one in the next slot of Ta
  EXPECT_TRUE(lone.TakeChecks().empty());
  lone.Answer(checks[0]);
  EXPECT_TRUE(lone.agent().selected_pair());
}

TEST(AgentCheckTest, ChecksAFailedPairAgainWhenThePeerDoes) {  // RFC 8445 §7.3.1.4
  LoneAgent lone = Checking({.check = {.max_transmissions = 1}});
  lone.Advance(9s);
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "failed");
  lone.TakeSent();
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  EXPECT_EQ(lone.TakeChecks().size(), 1u);
}

TEST(AgentCheckTest, TriggersNoCheckOfAValidPair) {  // RFC 8445 §7.3.1.4
  LoneAgent lone;
  lone.Connect();
  lone.Deliver(kRemote, lone.Write(lone.Draft()));
  lone.Advance(1s);
  EXPECT_TRUE(lone.TakeChecks().empty());
}

TEST(AgentCheckTest, S7_FailsAPairWhoseAnswerComesFromAnotherAddress) {  // RFC 8445 §7.2.5.2.1
  LoneAgent lone = Checking();
  lone.AnswerAs(lone.TakeChecks().at(0), "192.0.2.9:9999", Address(LoneAgent::kLocal));
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "failed");
  EXPECT_EQ(lone.Dropped(DropReason::kWrongAddress), 1u);
}

TEST(AgentCheckTest, S7_FailsAPairWhoseAnswerArrivesAtAnotherSocket) {
  LoneAgent lone;
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Host("10.0.0.1:5001")));
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  const auto check = lone.TakeChecks().at(0);
  const char* other = check.local.port == 5000 ? "10.0.0.1:5001" : "10.0.0.1:5000";
  lone.Deliver(kRemote, SuccessFor(check, check.local, lone.peer().pwd), other);
  EXPECT_FALSE(lone.agent().selected_pair());
}

TEST(AgentCheckTest, I18_IgnoresAStrangerWithThePrivateAddressOfThePeer) {
  // Identical LANs on both sides: somebody else owns the peer's host address here, and answers.
  LoneAgent lone = Checking();
  const auto check = lone.TakeChecks().at(0);
  lone.Deliver(kRemote, SuccessFor(check, check.local, "astrangerspasswordofsomelength"));
  EXPECT_FALSE(lone.agent().selected_pair());
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "in-progress");
  EXPECT_EQ(lone.Dropped(DropReason::kBadIntegrity), 1u);
  lone.Answer(check);  // the true one may still come
  EXPECT_TRUE(lone.agent().selected_pair());
}

TEST(AgentCheckTest, IgnoresAnAnswerWithoutIntegrityOrAddress) {
  LoneAgent lone = Checking();
  const auto check = lone.TakeChecks().at(0);
  std::array<uint8_t, 200> out;
  const crypto::HmacSha1Key key(crypto::AsBytes(lone.peer().pwd));
  stun::MessageBuilder bare(out, {stun::Method::kBinding, MessageClass::kSuccessResponse},
                            check.View().transaction_id());
  bare.AddAddress(AttributeType::kXorMappedAddress, check.local).AddFingerprint();
  lone.Deliver(kRemote, bare.Finish());
  EXPECT_EQ(lone.Dropped(DropReason::kBadIntegrity), 1u);
  stun::MessageBuilder empty(out, {stun::Method::kBinding, MessageClass::kSuccessResponse},
                             check.View().transaction_id());
  empty.AddIntegrity(key).AddFingerprint();
  lone.Deliver(kRemote, empty.Finish());
  EXPECT_EQ(lone.Dropped(DropReason::kMissingAttribute), 1u);
  auto flipped = SuccessFor(check, check.local, lone.peer().pwd);
  flipped.back() ^= 1;
  lone.Deliver(kRemote, flipped);
  EXPECT_EQ(lone.Dropped(DropReason::kBadFingerprint), 1u);
  EXPECT_FALSE(lone.agent().selected_pair());
}

TEST(AgentCheckTest, FailsAPairOnAnUnrecoverableError) {  // RFC 8445 §7.2.5.2.4
  LoneAgent lone = Checking();
  lone.Deliver(kRemote, ErrorFor(lone.TakeChecks().at(0), 400, lone.peer().pwd));
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "failed");
}

TEST(AgentCheckTest, IgnoresAnUnauthenticatedError) {
  LoneAgent lone = Checking();
  lone.Deliver(kRemote, ErrorFor(lone.TakeChecks().at(0), 400, "wrongpasswordwrongpassword"));
  EXPECT_STREQ(lone.agent().pair_stats()[0].state, "in-progress");
}

TEST(AgentCheckTest, AnswersOnARelayedCandidateFromIt) {  // RFC 8445 §7.3.1.2
  LoneAgent lone;
  ASSERT_TRUE(lone.agent().AddLocalCandidate(lone.now(), Relayed("203.0.113.200:49152")));
  lone.Describe();
  lone.Deliver(kRemote, lone.Write(lone.Draft()), "203.0.113.200:49152");
  const auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 2u);  // the answer and the triggered check
  for (const auto& datagram : sent) EXPECT_EQ(datagram.local, Address("203.0.113.200:49152"));
  lone.AnswerAs(sent[1], kRemote, Address("203.0.113.200:49152"));
  EXPECT_EQ(lone.agent().selected_pair()->local.type, CandidateType::kRelayed);
}

}  // namespace
}  // namespace jsp::ice
