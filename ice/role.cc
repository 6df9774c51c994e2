#include "ice/role.h"
namespace jsp::ice {

const char* ToString(Role role) { return role == Role::kControlling ? "controlling" : "controlled"; }

RoleArbiter::RoleArbiter(Role role, Rng& rng) : own_{role, rng.Random<uint64_t>()} {}

RoleArbiter::Verdict RoleArbiter::HandleRequest(const std::optional<RoleAttribute>& theirs) {
  if (!theirs || theirs->role != own_.role) return Verdict::kNoConflict;
  // RFC 8445 §7.3.1.1: with "larger than or equal" the controlling agent stays and refuses, the controlled one
  // switches.
  const bool wins = own_.tie_breaker >= theirs->tie_breaker;
  const bool stays = wins == (own_.role == Role::kControlling);
  if (stays || IsExhausted()) return Verdict::kRefuse;
  own_.role = Opposite(own_.role);
  ++switches_;
  return Verdict::kSwitched;
}

bool RoleArbiter::HandleRoleConflict(const RoleAttribute& sent, Rng& rng) {
  // Several checks in flight may all come back with 487; only the first one speaks about the present role.
  if (sent != own_ || IsExhausted()) return false;
  own_.role = Opposite(own_.role);
  own_.tie_breaker = rng.Random<uint64_t>();  // RFC 8445 §7.2.5.1: "The agent MUST change the tiebreaker value."
  ++switches_;
  return true;
}

bool RoleArbiter::Become(Role role) {
  if (own_.role == role) return false;
  own_.role = role;
  return true;
}

}  // namespace jsp::ice
