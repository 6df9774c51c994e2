#pragma once
#include <cstdint>
#include <optional>

#include "base/rng.h"
#include "ice/options.h"
namespace jsp::ice {

// Role switches by which a conflict may be repaired in one session. A real one needs one or two; a peer that keeps
// contradicting itself gets no further (ATTACKS I13).
constexpr uint32_t kMaxRoleSwitches = 16;

// ICE-CONTROLLING or ICE-CONTROLLED with its tie-breaker (RFC 8445 §7.1.3, §16.1).
struct RoleAttribute {
  Role role = Role::kControlling;
  uint64_t tie_breaker = 0;
  bool operator==(const RoleAttribute&) const = default;
};

constexpr Role Opposite(Role role) { return role == Role::kControlling ? Role::kControlled : Role::kControlling; }
const char* ToString(Role role);  // "controlling", "controlled"

// The agent's role and tie-breaker, and the repair of role conflicts (RFC 8445 §7.2.5.1, §7.3.1.1). Does not know
// pairs: the agent recomputes priorities when a call reports a switch.
class RoleArbiter {
 public:
  RoleArbiter(Role role, Rng& rng);

  enum class Verdict : uint8_t { kNoConflict, kSwitched, kRefuse };
  // What a verified request says about the peer. kRefuse: answer 487 and keep the role.
  Verdict HandleRequest(const std::optional<RoleAttribute>& theirs);
  // A verified 487 to a request that said `sent`; true when the role was switched by it. False when it had switched
  // already, or when the limit is reached: then `IsExhausted()`.
  bool HandleRoleConflict(const RoleAttribute& sent, Rng& rng);
  // The peer is lite (RFC 8445 §6.1.1) or the owner decides; true when this changed the role.
  bool Become(Role role);

  Role role() const { return own_.role; }
  const RoleAttribute& attribute() const { return own_; }
  bool IsExhausted() const { return switches_ >= kMaxRoleSwitches; }

 private:
  RoleAttribute own_;
  uint32_t switches_ = 0;
};

}  // namespace jsp::ice
