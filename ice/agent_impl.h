#pragma once
#include <algorithm>
#include <optional>

#include "base/event_queue.h"
#include "ice/agent.h"
#include "ice/binding_responder.h"
#include "ice/check_runner.h"
#include "ice/pairing.h"
#include "ice/role.h"
#include "ice/selection.h"
#include "ice/session_state.h"
#include "ice/spare_pairs.h"
#include "stun/message_view.h"
namespace jsp::ice {

// The wiring: which part hears of what. The rules are in the parts.
struct Agent::Impl {
  Impl(const Options& given, Rng& random, Timestamp at) : Impl(Kept{}, Sanitized(given), random, at) {}

  // The options that count beyond the beginning; the parts keep those of theirs.
  struct Kept {
    Implementation implementation = Implementation::kFull;
    bool renomination = false;
    Duration pacing_interval{};
  };
  Impl(Kept, const Options& options, Rng& random, Timestamp at)
      : kept{options.implementation, options.mobility.renomination, options.pacing_interval},
        rng(random),
        session(options, events),
        pairing(options, metrics),
        runner(options, pairing, metrics, random),
        responder(Credentials::Random(random), options.max_early_checks, metrics),
        role(options.role, random),
        selection(options, pairing, session, events, random),
        spares(options, pairing),
        now(at) {}

  void Tick(Timestamp at) { now = std::max(now, at); }
  void Advance(Consent::Cause cause = Consent::Cause::kInput);
  void End(State state, StateReason reason);
  void Drop(DropReason reason) { ++metrics.dropped[static_cast<size_t>(reason)]; }

  const CandidatePair* FindLive(const AddressPair& path) const {
    return session.IsOver() ? nullptr : pairing.checklist().Find(path);
  }

  std::optional<Transmit> PollAnswer(std::span<uint8_t> out);
  std::optional<Transmit> PollCheck(std::span<uint8_t> out);
  void HandleRequest(const AddressPair& path, const stun::MessageView& message);
  bool HandleResponse(const AddressPair& path, const stun::MessageView& message);
  void HandleSuccess(const CheckTransaction& done, const SocketAddress& mapped);
  void HandleError(const CheckPlan& plan, uint16_t code);
  void HandleFailure(const CheckPlan& plan);
  void HandleConsent(Consent::Action action);
  void HandleNominated(CandidatePair& pair);

  bool ResolveRole(const std::optional<RoleAttribute>& theirs);
  void ApplyRole();
  void AcceptCheck(const EarlyCheck& check);
  void AcceptAsLite(CandidatePair& pair, const EarlyCheck& check);
  void Renominate();
  void MaybeDoubtSelected(const CandidatePair& rival);
  void CheckTowardsLastRemote();
  void CheckWhatWorked();
  void MaybeDropSpares();
  bool IsLite() const { return kept.implementation == Implementation::kLite; }

  Kept kept;
  Rng& rng;
  Metrics metrics;
  EventQueue<Event> events;
  SessionState session;
  Pairing pairing;
  CheckRunner runner;
  BindingResponder responder;
  RoleArbiter role;
  Selection selection;
  SparePairs spares;
  Timestamp now;
  bool may_move = false;  // both sides said renomination
  // Where the peer was when the last selected pair went with its interface; until another one is selected.
  std::optional<SocketAddress> last_remote;
  uint32_t nomination_count = 0;  // ours as controlling, the peer's latest as controlled
};

}  // namespace jsp::ice
