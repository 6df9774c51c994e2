#include "ice/role.h"

#include <gtest/gtest.h>
namespace jsp::ice {
namespace {

using Verdict = RoleArbiter::Verdict;

class RoleArbiterTest : public testing::Test {
 protected:
  Rng rng_ = Rng::FromNumber(1);
};

TEST_F(RoleArbiterTest, DrawsATieBreaker) {
  RoleArbiter a(Role::kControlling, rng_);
  RoleArbiter b(Role::kControlling, rng_);
  EXPECT_NE(a.attribute().tie_breaker, b.attribute().tie_breaker);
}

TEST_F(RoleArbiterTest, ResolvesConflictsByTheTable) {  // RFC 8445 §7.3.1.1
  struct Case {
    Role own;
    int theirs;  // their tie-breaker: below, equal, above
    Verdict verdict;
  };
  for (const Case& c :
       {Case{Role::kControlling, -1, Verdict::kRefuse}, Case{Role::kControlling, 0, Verdict::kRefuse},
        Case{Role::kControlling, 1, Verdict::kSwitched}, Case{Role::kControlled, -1, Verdict::kSwitched},
        Case{Role::kControlled, 0, Verdict::kSwitched}, Case{Role::kControlled, 1, Verdict::kRefuse}}) {
    RoleArbiter arbiter(c.own, rng_);
    const RoleAttribute before = arbiter.attribute();
    const uint64_t theirs = before.tie_breaker + static_cast<uint64_t>(c.theirs);
    EXPECT_EQ(arbiter.HandleRequest(RoleAttribute{c.own, theirs}), c.verdict);
    EXPECT_EQ(arbiter.role(), c.verdict == Verdict::kSwitched ? Opposite(c.own) : c.own);
    EXPECT_EQ(arbiter.attribute().tie_breaker, before.tie_breaker);  // RFC 8445 §16.1: only a 487 changes it
  }
}

TEST_F(RoleArbiterTest, SeesNoConflictInOppositeRoles) {
  RoleArbiter arbiter(Role::kControlling, rng_);
  EXPECT_EQ(arbiter.HandleRequest(RoleAttribute{Role::kControlled, UINT64_MAX}), Verdict::kNoConflict);
  EXPECT_EQ(arbiter.HandleRequest(std::nullopt), Verdict::kNoConflict);
}

TEST_F(RoleArbiterTest, SwitchesOnA487ToItsPresentAttributeOnly) {  // RFC 8445 §7.2.5.1
  RoleArbiter arbiter(Role::kControlling, rng_);
  const RoleAttribute sent = arbiter.attribute();
  EXPECT_TRUE(arbiter.HandleRoleConflict(sent, rng_));
  EXPECT_EQ(arbiter.role(), Role::kControlled);
  EXPECT_NE(arbiter.attribute().tie_breaker, sent.tie_breaker);
  EXPECT_FALSE(arbiter.HandleRoleConflict(sent, rng_));
  EXPECT_EQ(arbiter.role(), Role::kControlled);
}

TEST_F(RoleArbiterTest, I13_StopsAtTheLimit) {
  RoleArbiter arbiter(Role::kControlling, rng_);
  uint32_t switches = 0;
  for (int i = 0; i < 100; ++i) switches += arbiter.HandleRoleConflict(arbiter.attribute(), rng_) ? 1 : 0;
  EXPECT_EQ(switches, kMaxRoleSwitches);
  EXPECT_TRUE(arbiter.IsExhausted());
  const RoleAttribute winning{arbiter.role(), arbiter.role() == Role::kControlling ? UINT64_MAX : 0};
  EXPECT_EQ(arbiter.HandleRequest(winning), Verdict::kRefuse);
}

TEST_F(RoleArbiterTest, BecomesWhatItIsTold) {
  RoleArbiter arbiter(Role::kControlled, rng_);
  EXPECT_FALSE(arbiter.Become(Role::kControlled));
  EXPECT_TRUE(arbiter.Become(Role::kControlling));
  EXPECT_EQ(arbiter.role(), Role::kControlling);
  EXPECT_STREQ(ToString(arbiter.role()), "controlling");
  EXPECT_STREQ(ToString(Role::kControlled), "controlled");
}

}  // namespace
}  // namespace jsp::ice
