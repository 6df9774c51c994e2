// Who controls: roles, conflicts and their repair (RFC 8445 §6.1.1, §7.2.5.1, §7.3.1.1).
#include <gtest/gtest.h>

#include <string>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;
using stun::AttributeType;
using stun::MessageClass;

constexpr std::string_view kRemote = "192.0.2.9:9000";
constexpr uint64_t kLowest = 0;
constexpr uint64_t kHighest = UINT64_MAX;

LoneAgent Make(Role role) {
  LoneAgent lone({.role = role});
  lone.Describe();
  return lone;
}

// What the agent answers to a check that claims `theirs`.
stun::MessageClass Claim(LoneAgent& lone, RoleAttribute theirs) {
  CheckDraft draft = lone.Draft();
  draft.role = theirs;
  lone.TakeSent();
  lone.Deliver(kRemote, lone.Write(draft));
  return lone.TakeSent().at(0).View().message_class();
}

TEST(AgentRoleTest, RefusesAControllingPeerWithALowerTieBreaker) {  // RFC 8445 §7.3.1.1
  LoneAgent lone = Make(Role::kControlling);
  CheckDraft draft = lone.Draft();
  draft.role = RoleAttribute{Role::kControlling, kLowest};
  lone.Deliver(kRemote, lone.Write(draft));
  const auto sent = lone.TakeSent();
  ASSERT_EQ(sent.size(), 1u);                        // the refusal, and no triggered check
  EXPECT_EQ(sent[0].View().FindError()->code, 487);  // RFC 8445 §16.2
  EXPECT_EQ(sent[0].View().VerifyIntegrity(crypto::HmacSha1Key(crypto::AsBytes(lone.agent().local_credentials().pwd))),
            stun::IntegrityStatus::kValid);
  EXPECT_EQ(lone.agent().role(), Role::kControlling);
  EXPECT_EQ(lone.agent().metrics().role_conflicts, 1u);
}

TEST(AgentRoleTest, YieldsToAControllingPeerWithAHigherTieBreaker) {
  LoneAgent lone = Make(Role::kControlling);
  EXPECT_EQ(Claim(lone, {Role::kControlling, kHighest}), MessageClass::kSuccessResponse);
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  ASSERT_EQ(lone.log().roles.size(), 1u);
  EXPECT_EQ(lone.log().roles[0].role, Role::kControlled);
}

TEST(AgentRoleTest, TakesControlFromAControlledPeerWithALowerTieBreaker) {
  LoneAgent lone = Make(Role::kControlled);
  EXPECT_EQ(Claim(lone, {Role::kControlled, kLowest}), MessageClass::kSuccessResponse);
  EXPECT_EQ(lone.agent().role(), Role::kControlling);
}

TEST(AgentRoleTest, RefusesAControlledPeerWithAHigherTieBreaker) {
  LoneAgent lone = Make(Role::kControlled);
  EXPECT_EQ(Claim(lone, {Role::kControlled, kHighest}), MessageClass::kErrorResponse);
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
}

TEST(AgentRoleTest, SeesNoConflictInOppositeRolesOrSilence) {
  LoneAgent lone = Make(Role::kControlling);
  EXPECT_EQ(Claim(lone, {Role::kControlled, kHighest}), MessageClass::kSuccessResponse);
  CheckDraft draft = lone.Draft();
  draft.role.reset();
  lone.Deliver(kRemote, lone.Write(draft));
  EXPECT_TRUE(lone.TakeSent().at(0).Is(MessageClass::kSuccessResponse));
  EXPECT_EQ(lone.agent().metrics().role_conflicts, 0u);
}

TEST(AgentRoleTest, SwitchesOn487AndChecksAgainWithANewTieBreaker) {  // RFC 8445 §7.2.5.1
  LoneAgent lone = Make(Role::kControlling);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  const auto first = lone.TakeChecks().at(0);
  lone.Deliver(kRemote, ErrorFor(first, 487, lone.peer().pwd));
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  lone.Advance(50ms);
  const auto second = lone.TakeChecks().at(0);
  ASSERT_TRUE(second.View().FindU64(AttributeType::kIceControlled));
  EXPECT_NE(second.View().FindU64(AttributeType::kIceControlled), first.View().FindU64(AttributeType::kIceControlling));
  EXPECT_EQ(second.remote, first.remote);
}

TEST(AgentRoleTest, I13_IgnoresAForged487) {
  LoneAgent lone = Make(Role::kControlling);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  lone.Deliver(kRemote, ErrorFor(lone.TakeChecks().at(0), 487, "notthepeerspasswordatall"));
  EXPECT_EQ(lone.agent().role(), Role::kControlling);
  EXPECT_EQ(lone.agent().metrics().role_conflicts, 0u);
  EXPECT_EQ(lone.Dropped(DropReason::kBadIntegrity), 1u);
}

TEST(AgentRoleTest, I13_SwitchesOnceForSeveral487InFlight) {
  LoneAgent lone = Make(Role::kControlling);
  for (const char* remote : {"192.0.2.9:1", "192.0.2.9:2", "192.0.2.9:3"}) {
    ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(remote)));
  }
  lone.Advance(100ms);
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 3u);
  for (const auto& check : checks) {
    lone.Deliver(check.remote.ToString(), ErrorFor(check, 487, lone.peer().pwd));
  }
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  EXPECT_EQ(lone.log().roles.size(), 1u);
}

TEST(AgentRoleTest, I13_APeerThatAlwaysAnswers487GetsNowhereAndStops) {
  LoneAgent lone({.check = {.max_transmissions = 1}});
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.agent().EndOfRemoteCandidates(lone.now());
  lone.agent().EndOfLocalCandidates(lone.now());
  size_t checks = 0;
  for (int i = 0; i < 1200; ++i) {
    lone.Advance(50ms);
    for (const auto& check : lone.TakeChecks()) {
      ++checks;
      lone.Deliver(kRemote, ErrorFor(check, 487, lone.peer().pwd));
    }
  }
  EXPECT_LE(checks, kMaxRoleSwitches + 1);
  EXPECT_LE(lone.log().roles.size(), kMaxRoleSwitches);
  EXPECT_EQ(lone.agent().state(), State::kFailed);
}

TEST(AgentRoleTest, I13_APeerThatKeepsClaimingOurRoleFlapsNoMoreThanTheLimit) {
  LoneAgent lone = Make(Role::kControlling);
  for (int i = 0; i < 500; ++i) {
    const Role ours = lone.agent().role();
    Claim(lone, {ours, ours == Role::kControlling ? kHighest : kLowest});
  }
  EXPECT_EQ(lone.log().roles.size(), kMaxRoleSwitches);
}

TEST(AgentRoleTest, I13_ConnectsWhenBothSidesBeginInTheSameRole) {
  for (const Role role : {Role::kControlling, Role::kControlled}) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE(std::string(ToString(role)) + ", seed " + std::to_string(seed));
      AgentPair pair({.a = {}, .z = {}, .jitter = 25ms, .loss = 0.1, .seed = seed});
      pair.a().SetRole(role);
      pair.z().SetRole(role);
      pair.Start();
      ASSERT_TRUE(pair.RunUntilCompleted());
      EXPECT_NE(pair.a().role(), pair.z().role());
      EXPECT_LE(pair.log(Side::kA).roles.size() + pair.log(Side::kZ).roles.size(), 4u);
    }
  }
}

TEST(AgentRoleTest, I13_ConnectsAfterEqualTieBreakersMadeBothSwitch) {
  // Both refuse each other with equal tie-breakers; each then draws a new one.
  LoneAgent lone = Make(Role::kControlling);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  const auto check = lone.TakeChecks().at(0);
  const uint64_t equal = *check.View().FindU64(AttributeType::kIceControlling);
  EXPECT_EQ(Claim(lone, {Role::kControlling, equal}), MessageClass::kErrorResponse);
  lone.Deliver(kRemote, ErrorFor(check, 487, lone.peer().pwd));
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  // The peer has become controlled as well; its new tie-breaker is higher, so it is refused and takes control.
  EXPECT_EQ(Claim(lone, {Role::kControlled, kHighest}), MessageClass::kErrorResponse);
  EXPECT_EQ(Claim(lone, {Role::kControlling, kHighest}), MessageClass::kSuccessResponse);
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
}

TEST(AgentRoleTest, RecomputesPrioritiesWhenItsRoleChanges) {  // RFC 8445 §7.3.1.1
  LoneAgent lone = Make(Role::kControlling);
  Candidate remote = Host(kRemote);
  remote.priority = 77;
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), remote));
  EXPECT_EQ(lone.agent().pair_stats()[0].priority, PairPriority(Role::kControlling, 2130706431, 77));
  Claim(lone, {Role::kControlling, kHighest});
  EXPECT_EQ(lone.agent().pair_stats()[0].priority, PairPriority(Role::kControlled, 2130706431, 77));
}

TEST(AgentRoleTest, NominatesAfterItBecameControlling) {
  LoneAgent lone = Make(Role::kControlled);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  lone.Advance(0ms);
  lone.Answer(lone.TakeChecks().at(0));
  EXPECT_EQ(lone.agent().state(), State::kConnected);
  lone.Advance(1s);
  EXPECT_TRUE(lone.TakeChecks().empty());
  CheckDraft draft = lone.Draft();
  draft.role = RoleAttribute{Role::kControlled, kLowest};
  lone.Deliver(kRemote, lone.Write(draft));
  const auto checks = lone.TakeChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_TRUE(checks[0].Nominates());
  lone.Answer(checks[0]);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentRoleTest, ControlsALitePeerWhoeverOffered) {  // RFC 8445 §6.1.1
  LoneAgent lone({.role = Role::kControlled});
  ASSERT_TRUE(lone.agent().SetRemoteDescription(lone.now(), {lone.peer(), true, true}));
  EXPECT_EQ(lone.agent().role(), Role::kControlling);
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host(kRemote)));
  // A lite peer only answers.
  bool nominated = false;
  for (int i = 0; i < 10; ++i) {
    lone.Advance(20ms);
    for (const auto& check : lone.TakeChecks()) {
      nominated = nominated || check.Nominates();
      lone.Answer(check);
    }
  }
  EXPECT_TRUE(nominated);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

TEST(AgentRoleTest, ResolvesAConflictBeforeTheRemoteDescription) {
  LoneAgent lone;
  CheckDraft draft = lone.Draft();
  draft.role = RoleAttribute{Role::kControlling, kHighest};
  lone.Deliver(kRemote, lone.Write(draft));
  EXPECT_EQ(lone.agent().role(), Role::kControlled);
  EXPECT_TRUE(lone.TakeSent().at(0).Is(MessageClass::kSuccessResponse));
  lone.Describe();
  const auto check = lone.TakeChecks().at(0);
  EXPECT_TRUE(check.View().FindU64(AttributeType::kIceControlled));
}

}  // namespace
}  // namespace jsp::ice
