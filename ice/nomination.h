#pragma once
#include <optional>

#include "ice/checklist.h"
#include "ice/options.h"
namespace jsp::ice {

// When the controlling agent nominates, and which pair (RFC 8445 §8.1.1: "a matter of local optimization"). Regular
// nomination, once: the best valid pair,
//  - at once when no better pair is waiting, frozen or in progress (after nomination.delay, 0 by default);
//  - else when the better ones have all failed;
//  - else after patience from the first valid pair, or patience_relayed while the best valid pair
//    is relayed: a better pair that did not answer by then is taken for hopeless.
// Does not send; the agent asks it after every input and enqueues the check that it names.
class Nomination {
 public:
  explicit Nomination(const Options& options);

  // The pair to nominate now. After it has answered once it is silent until Retry() or Reset().
  std::optional<AddressPair> Choose(Timestamp now, const Checklist& checklist);
  // When Choose() is to be asked again although nothing happened.
  Timestamp NextTimeout() const { return due_; }
  bool HasChosen() const { return has_chosen_; }
  // No answer came to the check that nominates: chooses anew, from the pairs as they are then. False after
  // nomination.deadline.
  bool Retry(Timestamp now);
  // The role was lost.
  void Reset();

 private:
  Duration delay_;
  Duration patience_;
  Duration patience_relayed_;
  Duration deadline_;
  std::optional<Timestamp> first_valid_at_;
  std::optional<Timestamp> first_chosen_at_;
  Timestamp due_;
  bool has_chosen_ = false;
};

}  // namespace jsp::ice
