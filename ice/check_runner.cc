#include "ice/check_runner.h"

#include "ice/priority.h"
namespace jsp::ice {

CheckRunner::CheckRunner(const Options& options, Pairing& pairing, Metrics& metrics, Rng& rng)
    : pacing_interval_(options.pacing_interval),
      rto_min_(options.check_rto_min),
      pairing_(pairing),
      rng_(rng),
      scheduler_(options),
      transactions_(options, metrics) {}

void CheckRunner::SetPacing(Duration pacing_interval) {
  pacing_interval_ = pacing_interval;
  scheduler_.SetPacing(pacing_interval);
}

void CheckRunner::Trigger(CandidatePair& pair) {
  if (pair.state == PairState::kInProgress) transactions_.Cancel(pair.addresses);
  if (pair.state != PairState::kSucceeded) pairing_.checklist().SetState(pair, PairState::kWaiting);
  scheduler_.EnqueueTriggered(pair.addresses, pairing_.checklist());
}

void CheckRunner::Run(Timestamp now, const RoleAttribute& role) {
  Checklist& checklist = pairing_.checklist();
  if (const auto due = scheduler_.Next(now, checklist)) {
    CandidatePair& pair = *checklist.Find(due->pair);
    if (pair.state != PairState::kSucceeded) checklist.SetState(pair, PairState::kInProgress);
    ++pair.requests_sent;
    const auto purpose = due->nominates ? CheckPurpose::kNomination : CheckPurpose::kCheck;
    transactions_.Start(now, PlanFor(pair, purpose, role), rng_);
  }
  checklist.ThawWhenIdle();
}

void CheckRunner::StartConsent(Timestamp now, const AddressPair& path, const RoleAttribute& role) {
  const CandidatePair* pair = pairing_.checklist().Find(path);
  if (pair != nullptr) transactions_.Start(now, PlanFor(*pair, CheckPurpose::kConsent, role), rng_);
}

CheckPlan CheckRunner::PlanFor(const CandidatePair& pair, CheckPurpose purpose, const RoleAttribute& role) const {
  // RFC 8445 §14.3: RTO = MAX (500ms, Ta * (Num-Waiting + Num-In-Progress))
  const Duration paced = pacing_interval_ * static_cast<int64_t>(pairing_.checklist().PendingChecks());
  const Candidate& local = pairing_.local().Get(pair.local);
  return {.pair = pair.addresses,
          .purpose = purpose,
          .role = role,
          .priority = PeerReflexivePriority(local.priority, local.protocol),
          .rto = std::max(rto_min_, paced),
          .protocol = local.protocol};
}

void CheckRunner::Settle(const AddressPair& path) {
  scheduler_.Remove(path);
  transactions_.Cancel(path);
}

void CheckRunner::Fail(const AddressPair& path) {
  Checklist& checklist = pairing_.checklist();
  CandidatePair* pair = checklist.Find(path);
  // A pair that waits for its next check has outlived the one that failed.
  const bool was_checked =
      pair != nullptr && (pair->state == PairState::kInProgress || pair->state == PairState::kSucceeded);
  if (!was_checked || pair->is_selected) return;
  checklist.Fail(*pair);
  if (pairing_.IsCompleted()) checklist.Erase(path);
}

void CheckRunner::Conclude() {
  scheduler_.Clear();
  transactions_.CancelAll();
}

void CheckRunner::Clear() {
  scheduler_.Clear();
  transactions_.Clear();
}

}  // namespace jsp::ice
