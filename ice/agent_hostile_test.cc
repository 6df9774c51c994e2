// Forged, flooding and replaying peers (ATTACKS I1, I8, I10, I12, I14): dropped, counted, bounded; the session goes on.
#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
#include "stun/error_code.h"
namespace jsp::ice {
namespace {

using stun::MessageClass;

constexpr std::string_view kRemote = "192.0.2.9:9000";

LoneAgent Controlled() {
  LoneAgent lone({.role = Role::kControlled});
  lone.Describe();
  return lone;
}

TEST(AgentHostileTest, I1_DropsACheckWithAWrongUfragAndGoesOn) {
  LoneAgent lone = Controlled();
  lone.Connect();
  CheckDraft draft = lone.Draft();
  draft.username = "wrongufrag:" + lone.peer().ufrag;
  lone.Deliver(kRemote, lone.Write(draft));
  EXPECT_EQ(lone.Dropped(DropReason::kUnknownUfrag), 1u);
  draft.username = lone.agent().local_credentials().ufrag;  // no colon
  lone.Deliver(kRemote, lone.Write(draft));
  EXPECT_EQ(lone.Dropped(DropReason::kUnknownUfrag), 2u);
  EXPECT_TRUE(lone.TakeSent().empty());  // not even an error goes to a source that proved nothing
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentHostileTest, I1_DropsACheckWithBadIntegrityAndGoesOn) {
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  draft.pwd = "notthepasswordnotthepassword";
  lone.Deliver("203.0.113.66:6", lone.Write(draft));
  EXPECT_EQ(lone.Dropped(DropReason::kBadIntegrity), 1u);
  draft = lone.Draft();
  draft.integrity = false;
  lone.Deliver("203.0.113.66:6", lone.Write(draft));
  EXPECT_EQ(lone.Dropped(DropReason::kMissingAttribute), 1u);
  EXPECT_TRUE(lone.TakeSent().empty());
  EXPECT_TRUE(lone.agent().pair_stats().empty());
  EXPECT_FALSE(lone.agent().IsAuthenticated(Address(LoneAgent::kLocal), Address("203.0.113.66:6")));
  lone.Connect();
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentHostileTest, I1_TakesACheckForNoStunWithoutAGoodFingerprint) {  // RFC 8489 §7
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  draft.fingerprint = false;
  lone.Deliver(kRemote, lone.Write(draft));
  auto flipped = lone.Write(lone.Draft());
  flipped.back() ^= 0x01;
  lone.Deliver(kRemote, flipped);
  EXPECT_EQ(lone.Dropped(DropReason::kBadFingerprint), 2u);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentHostileTest, DropsACheckWithoutUsername) {
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  draft.username.clear();
  lone.Deliver(kRemote, lone.Write(draft));
  EXPECT_EQ(lone.Dropped(DropReason::kMissingAttribute), 1u);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentHostileTest, SurvivesEveryTruncationAndEveryFlippedOctetOfACheck) {
  LoneAgent lone = Controlled();
  const auto good = lone.Write(lone.Draft());
  for (size_t size = 0; size < good.size(); ++size) {
    lone.Deliver(kRemote, std::span(good).first(size));
  }
  for (size_t i = 0; i < good.size(); ++i) {
    auto flipped = good;
    flipped[i] ^= 0xff;
    lone.Deliver(kRemote, flipped);
  }
  EXPECT_EQ(lone.agent().metrics().checks_received, 0u);
  EXPECT_TRUE(lone.agent().pair_stats().empty());
  EXPECT_TRUE(lone.TakeSent().empty());
  lone.Deliver(kRemote, good);
  EXPECT_EQ(lone.agent().metrics().checks_received, 1u);
}

TEST(AgentHostileTest, AnswersAForkAndLearnsNothingFromIt) {  // RFC 8445 §7.3: only the first half of USERNAME counts
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  draft.username = lone.agent().local_credentials().ufrag + ":someoneelse";
  lone.Deliver(kRemote, lone.Write(draft));
  const auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].Is(MessageClass::kSuccessResponse));
  EXPECT_TRUE(lone.agent().pair_stats().empty());
}

TEST(AgentHostileTest, RefusesAnAuthenticatedCheckThatIsMalformed) {
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  draft.priority.reset();
  lone.Deliver(kRemote, lone.Write(draft));
  auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].View().FindError()->code, stun::error_code::kBadRequest);
  draft = lone.Draft();
  draft.extra = static_cast<stun::AttributeType>(0x7abc);
  lone.Deliver(kRemote, lone.Write(draft));
  sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].View().FindError()->code, stun::error_code::kUnknownAttribute);
  EXPECT_EQ(lone.Dropped(DropReason::kBadRequest), 2u);
  EXPECT_TRUE(lone.agent().pair_stats().empty());
}

TEST(AgentHostileTest, IgnoresAttributesThatNeedNotBeUnderstood) {  // RFC 8489 §6.3
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  for (const int extra : {0xbeef, 0xc057, static_cast<int>(stun::AttributeType::kLifetime)}) {
    draft.extra = static_cast<stun::AttributeType>(extra);
    lone.Deliver(kRemote, lone.Write(draft));
    const auto sent = lone.TakeSent();
    ASSERT_FALSE(sent.empty());
    EXPECT_TRUE(sent[0].Is(MessageClass::kSuccessResponse));
  }
}

TEST(AgentHostileTest, DropsChecksOnSocketsThatAreNoCandidates) {
  LoneAgent lone = Controlled();
  lone.Deliver(kRemote, lone.Write(lone.Draft()), "10.0.0.1:5999");
  EXPECT_EQ(lone.Dropped(DropReason::kUnknownLocalAddress), 1u);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentHostileTest, I10_RefusesAddressesThatAreNobodys) {
  LoneAgent lone;
  lone.Describe();
  for (const char* address : {"0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "255.255.255.255:1", "192.0.2.9:0",
                              "[fec0::1]:1", "[::192.0.2.1]:1"}) {
    EXPECT_EQ(lone.agent().AddRemoteCandidate(lone.now(), Host(address)).error(), AddCandidateError::kBadAddress)
        << address;
    EXPECT_EQ(lone.agent().AddLocalCandidate(lone.now(), Host(address)).error(), AddCandidateError::kBadAddress)
        << address;
    lone.Deliver(address, lone.Write(lone.Draft()));  // nor does a check come from there
  }
  EXPECT_EQ(lone.Dropped(DropReason::kWrongAddress), 8u);
  EXPECT_TRUE(lone.agent().pair_stats().empty());
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentHostileTest, I10_DoesNotCheckLoopbackOrMetadataServicesForAPeer) {
  LoneAgent lone;
  lone.Describe();
  for (const char* address : {"127.0.0.1:80", "[::1]:80", "169.254.169.254:80"}) {
    (void)lone.agent().AddRemoteCandidate(lone.now(), Host(address));
  }
  EXPECT_EQ(lone.Dropped(DropReason::kFiltered), 1u) << "the link-local one; the others pair with none of ours";
  lone.Advance(10s);
  EXPECT_TRUE(lone.TakeSent().empty());
}

TEST(AgentHostileTest, I8_BoundsTenThousandTrickledCandidates) {
  LoneAgent lone;
  lone.Describe();
  size_t taken = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string address = "198.51." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":4000";
    taken += lone.agent().AddRemoteCandidate(lone.now(), Host(address)) ? 1 : 0;
  }
  EXPECT_EQ(taken, 256u);
  EXPECT_EQ(lone.Dropped(DropReason::kTooManyCandidates), 10000u - 256u);
  EXPECT_EQ(lone.agent().pair_stats().size(), 100u);
  EXPECT_EQ(lone.Dropped(DropReason::kTooManyPairs), 156u);
}

TEST(AgentHostileTest, I8_PrunesTheLowestPairsAndConnectsOnTheBest) {
  LoneAgent lone;
  lone.Describe();
  for (int i = 0; i < 200; ++i) {
    Candidate candidate = Host("198.51.100.1:" + std::to_string(1000 + i));
    candidate.priority = static_cast<uint32_t>(1000 + i);
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), candidate));
  }
  const auto stats = lone.agent().pair_stats();
  ASSERT_EQ(stats.size(), 100u);
  EXPECT_EQ(stats[0].remote.priority, 1199u);
  EXPECT_EQ(stats[98].remote.priority, 1101u);  // the last one is the very first, whose check is under way
  EXPECT_EQ(stats[99].remote.priority, 1000u);
}

TEST(AgentHostileTest, I8_BoundsAPeerThatChecksFromManyPorts) {
  LoneAgent lone = Controlled();
  for (int port = 1; port <= 5000; ++port) {
    CheckDraft draft = lone.Draft();
    draft.priority = static_cast<uint32_t>(port);
    lone.Deliver("192.0.2.9:" + std::to_string(port), lone.Write(draft));
  }
  EXPECT_LE(lone.agent().pair_stats().size(), 100u);
  lone.TakeSent();
  lone.Advance(60s);
  size_t checks = lone.TakeChecks().size();
  EXPECT_LE(checks, 100u * 7u);
  // And yet the peer connects once it behaves.
  lone.Connect("192.0.2.9:9000");
}

TEST(AgentHostileTest, I8_MakesRoomForAPeerThatKeepsMoving) {
  LoneAgent lone({.role = Role::kControlled, .max_remote_candidates = 8, .max_pairs = 4});
  lone.Connect();
  for (int port = 1; port <= 100; ++port) {
    const std::string source = "192.0.2.9:" + std::to_string(port);
    lone.Deliver(source, lone.Write(lone.Draft()));
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) lone.Answer(check);
    EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(source)));
    EXPECT_LE(lone.agent().pair_stats().size(), 4u);
  }
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(kRemote));  // the one in use never goes
}

TEST(AgentHostileTest, I8_BoundsMappedAddressesThatAPeerInvents) {
  LoneAgent lone({.max_local_candidates = 3});
  lone.Describe();
  for (int port = 1; port <= 10; ++port) {
    const std::string remote = "192.0.2.9:" + std::to_string(port);
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(remote)));
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) {
      lone.AnswerAs(check, check.remote.ToString(), Address("203.0.113.1:" + std::to_string(check.remote.port)));
    }
    if (lone.agent().state() == State::kCompleted) break;
  }
  EXPECT_LE(lone.log().discoveries.size(), 3u);
}

TEST(AgentHostileTest, BoundsAnswersThatNobodyPolls) {
  Rng rng = Rng::FromNumber(1);
  Agent agent({}, rng, At(0s));
  ASSERT_TRUE(agent.AddLocalCandidate(At(0s), Host("10.0.0.1:5000")));
  CheckDraft draft;
  draft.username = agent.local_credentials().ufrag + ":peer";
  draft.pwd = agent.local_credentials().pwd;
  for (int i = 0; i < 1000; ++i) {
    agent.HandleDatagram(At(0s), Address("10.0.0.1:5000"), Address(kRemote), WriteDraft(draft, rng));
  }
  std::array<uint8_t, 1500> out;
  int answers = 0;
  while (agent.PollTransmit(At(0s), out)) ++answers;
  EXPECT_EQ(answers, 64);
  EXPECT_EQ(agent.metrics().dropped[static_cast<size_t>(DropReason::kQueueFull)], 1000u - 64u);
}

TEST(AgentHostileTest, BoundsTheTransactionsOfAPairThatIsCheckedAgainAndAgain) {
  LoneAgent lone = Controlled();
  // Each check of the peer cancels ours and triggers another; only the last few are remembered.
  std::vector<SentDatagram> checks;
  for (int i = 0; i < 50; ++i) {
    lone.Deliver(kRemote, lone.Write(lone.Draft()));
    lone.Advance(50ms);
    for (auto& check : lone.TakeChecks()) checks.push_back(std::move(check));
  }
  ASSERT_GE(checks.size(), 40u);
  EXPECT_FALSE(lone.Deliver(kRemote, SuccessFor(checks[0], checks[0].local, lone.peer().pwd)));
  EXPECT_FALSE(lone.agent().selected_pair());
  lone.Answer(checks.back());
  EXPECT_TRUE(lone.agent().selected_pair());
}

TEST(AgentHostileTest, I12_AReplayedCheckFromANewAddressMovesNothing) {
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  draft.use_candidate = true;
  const auto recorded = lone.Write(draft);
  lone.Connect();
  ASSERT_EQ(lone.agent().selected_pair()->remote.address, Address(kRemote));
  lone.Deliver("203.0.113.66:666", recorded);
  lone.Advance(50ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);  // only a triggered check, which the attacker cannot answer
  EXPECT_EQ(checks[0].remote, Address("203.0.113.66:666"));
  lone.Deliver("203.0.113.66:666", SuccessFor(checks[0], checks[0].local, "attackerspasswordattacker"));
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(kRemote));
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("203.0.113.66:666")));
  lone.Advance(50s);
  lone.TakeSent();
  EXPECT_NE(lone.agent().state(), State::kNew);
}

TEST(AgentHostileTest, I12_AReplayedAnswerFromANewAddressMovesNothing) {
  LoneAgent lone;
  lone.Connect();
  lone.Advance(6s);
  const auto consent = lone.TakeChecks();
  ASSERT_EQ(consent.size(), 1u);
  lone.AnswerAs(consent[0], "203.0.113.66:666", consent[0].local);
  EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(kRemote));
  EXPECT_FALSE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address("203.0.113.66:666")));
  EXPECT_EQ(lone.Dropped(DropReason::kWrongAddress), 1u);
}

TEST(AgentHostileTest, I14_IgnoresChecksOfAnEarlierGenerationWithoutGrowing) {
  LoneAgent lone = Controlled();
  CheckDraft draft = lone.Draft();
  Rng rng = Rng::FromNumber(77);
  const Credentials earlier = Credentials::Random(rng);
  draft.username = earlier.ufrag + ":" + lone.peer().ufrag;
  draft.pwd = earlier.pwd;
  for (int port = 1; port <= 1000; ++port) lone.Deliver("192.0.2.9:" + std::to_string(port), lone.Write(draft));
  EXPECT_EQ(lone.Dropped(DropReason::kUnknownUfrag), 1000u);
  EXPECT_TRUE(lone.agent().pair_stats().empty());
  EXPECT_TRUE(lone.TakeSent().empty());
  EXPECT_TRUE(lone.log().discoveries.empty());
}

TEST(AgentHostileTest, IgnoresIndicationsWhateverTheyCarry) {
  LoneAgent lone = Controlled();
  lone.Connect();
  auto indication = lone.Write(lone.Draft());
  indication[1] = 0x11;  // Binding indication; the integrity no longer holds, and need not
  EXPECT_TRUE(lone.Deliver("203.0.113.66:6", indication));
  EXPECT_TRUE(lone.TakeSent().empty());
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

}  // namespace
}  // namespace jsp::ice
