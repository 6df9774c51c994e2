#pragma once
#include <algorithm>
#include <optional>

#include "base/rng.h"
#include "ice/check_scheduler.h"
#include "ice/connectivity_check.h"
#include "ice/metrics.h"
#include "ice/options.h"
#include "ice/pairing.h"
#include "ice/role.h"
namespace jsp::ice {

// Keeps the scheduler, the transactions and the pairs' states in step: what is due is started, what has ended leaves no
// trace in the other two. Owns scheduler and transactions. The agent calls it; what an outcome means is decided there.
class CheckRunner {
 public:
  CheckRunner(const Options& options, Pairing& pairing, Metrics& metrics, Rng& rng);

  // RFC 8445 §14.2: the Ta that both sides agree on.
  void SetPacing(Duration pacing_interval);
  // RFC 8445 §7.3.1.4: a check was received on `pair`.
  void Trigger(CandidatePair& pair);
  void Nominate(const AddressPair& path) { scheduler_.EnqueueNomination(path); }
  // The same of another pair than before; `count` tells the peer which nomination is the latest.
  void Renominate(const AddressPair& path, uint32_t count) {
    nomination_count_ = count;
    scheduler_.EnqueueNomination(path);
  }
  void CancelNomination() { scheduler_.CancelNomination(); }
  // Starts the check that is due now, if there is one. `role` is what it says.
  void Run(Timestamp now, const RoleAttribute& role);
  void StartConsent(Timestamp now, const AddressPair& path, const RoleAttribute& role);
  void StartKeepalive(const AddressPair& path) { transactions_.StartKeepalive(path, rng_); }

  // A check outside of the checklist, from `local` to wherever.
  size_t WriteProbe(const Candidate& local, const RoleAttribute& role, std::span<uint8_t> out) const;

  // The pair is valid: no further check of it is wanted.
  void Settle(const AddressPair& path);
  // A check of the pair failed. The selected pair does not fail by a check, only by consent.
  void Fail(const AddressPair& path);
  // RFC 8445 §8.1.2: a pair was nominated; nothing is sent any more, but responses still count.
  void Conclude();
  void Clear();

  bool IsIdle() const { return !pairing_.checklist().HasPending() && scheduler_.triggered() == 0; }
  Timestamp NextTimeout() const;
  ConnectivityChecks& transactions() { return transactions_; }
  const ConnectivityChecks& transactions() const { return transactions_; }

 private:
  void StartCheck(Timestamp now, CandidatePair& pair, CheckPurpose purpose, const RoleAttribute& role);
  bool MayRepeat() const;
  // The pair whose check may be begun anew, and from when on.
  CandidatePair* FindRepeat() const;
  Timestamp RepeatAt(const CandidatePair& pair) const;
  CheckPlan PlanFor(const CandidatePair& pair, CheckPurpose purpose, const RoleAttribute& role) const;

  Duration pacing_interval_;
  CheckOptions options_;
  Pairing& pairing_;
  Rng& rng_;
  uint32_t nomination_count_ = 0;
  CheckScheduler scheduler_;
  ConnectivityChecks transactions_;
};

}  // namespace jsp::ice
