#include "ice/check_runner.h"

#include "ice/priority.h"
namespace jsp::ice {

CheckRunner::CheckRunner(const Options& options, Pairing& pairing, Metrics& metrics, Rng& rng)
    : pacing_interval_(options.pacing_interval),
      options_(options.check),
      pairing_(pairing),
      rng_(rng),
      scheduler_(options),
      transactions_(options, metrics) {}

void CheckRunner::SetPacing(Duration pacing_interval) {
  pacing_interval_ = pacing_interval;
  scheduler_.SetPacing(pacing_interval);
}

// RFC 8445 §7.3.1.4: a check in progress is cancelled for another one, because it may have left before the peer opened
// its NAT. One that has not left yet is that other one; to cancel it would cost a slot of Ta with nothing sent in it.
void CheckRunner::Trigger(CandidatePair& pair) {
  if (pair.state == PairState::kInProgress && transactions_.IsQueued(pair.addresses)) return;
  if (pair.state == PairState::kInProgress) transactions_.Cancel(pair.addresses);
  if (pair.state != PairState::kSucceeded) pairing_.checklist().SetState(pair, PairState::kWaiting);
  scheduler_.EnqueueTriggered(pair.addresses, pairing_.checklist());
}

void CheckRunner::Run(Timestamp now, const RoleAttribute& role) {
  Checklist& checklist = pairing_.checklist();
  if (const auto due = scheduler_.Next(now, checklist)) {
    StartCheck(now, *checklist.Find(due->pair), due->nominates ? CheckPurpose::kNomination : CheckPurpose::kCheck,
               role);
  } else if (CandidatePair* again = FindRepeat(); again != nullptr && now >= RepeatAt(*again)) {
    ++again->checks.repeats;
    transactions_.Cancel(again->addresses);  // its answer still counts
    StartCheck(now, *again, CheckPurpose::kCheck, role);
    scheduler_.TakeSlot(now);
  }
  checklist.ThawWhenIdle();
}

void CheckRunner::StartCheck(Timestamp now, CandidatePair& pair, CheckPurpose purpose, const RoleAttribute& role) {
  if (pair.state != PairState::kSucceeded) pairing_.checklist().SetState(pair, PairState::kInProgress);
  ++pair.checks.requests_sent;
  pair.checks.last_at = now;
  CheckPlan plan = PlanFor(pair, purpose, role);
  if (purpose == CheckPurpose::kNomination) plan.nomination = nomination_count_;
  transactions_.Start(now, plan, rng_);
}

// RFC 8445 §14.3 keeps an RTO at 500 ms or more, so one lost packet would cost half a second; a slot of Ta that nothing
// else needs is spent on another try instead (RFC 8445 §14.2 paces new transactions, of whatever pair).
bool CheckRunner::MayRepeat() const {
  const Checklist& checklist = pairing_.checklist();
  return options_.repeats > 0 && checklist.Count(PairState::kSucceeded) == 0 &&
         checklist.Count(PairState::kWaiting) == 0 && scheduler_.triggered() == 0;
}

CandidatePair* CheckRunner::FindRepeat() const {
  CandidatePair* first = nullptr;
  if (!MayRepeat()) return first;
  pairing_.checklist().ForEach([&](CandidatePair& pair) {
    if (pair.state != PairState::kInProgress || pair.checks.repeats >= options_.repeats) return;
    const bool is_earlier = first == nullptr || pair.checks.last_at < first->checks.last_at ||
                            (pair.checks.last_at == first->checks.last_at && IsPreferred(pair, *first));
    if (is_earlier) first = &pair;
  });
  return first;
}

Timestamp CheckRunner::RepeatAt(const CandidatePair& pair) const {
  return std::max(pair.checks.last_at + options_.repeat_after, scheduler_.NextSlot());
}

Timestamp CheckRunner::NextTimeout() const {
  const Timestamp next = std::min(transactions_.NextTimeout(), scheduler_.NextTimeout(pairing_.checklist()));
  const CandidatePair* again = FindRepeat();
  return again == nullptr ? next : std::min(next, RepeatAt(*again));
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
          .rto = std::max(options_.rto_min, paced),
          .protocol = local.protocol};
}

size_t CheckRunner::WriteProbe(const Candidate& local, const RoleAttribute& role, std::span<uint8_t> out) const {
  const CheckPlan plan{.pair = {}, .role = role, .priority = PeerReflexivePriority(local.priority, local.protocol)};
  return transactions_.WriteOnce(plan, rng_, out);
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
