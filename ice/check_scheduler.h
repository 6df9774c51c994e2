#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "ice/checklist.h"
#include "ice/options.h"
namespace jsp::ice {

// Decides when the next check leaves and for which pair (RFC 8445 §6.1.4): triggered checks first, in order of arrival,
// then the best waiting pair, one per Ta. The first one leaves at once. Owns the triggered-check queue and the pacing;
// does not send. The agent asks it whenever something happened.
class CheckScheduler {
 public:
  explicit CheckScheduler(const Options& options);

  void SetPacing(Duration pacing_interval) { pacing_interval_ = pacing_interval; }
  // RFC 8445 §7.3.1.4: "enqueue the pair in the triggered checklist" if not already present.
  void EnqueueTriggered(const AddressPair& pair, const Checklist& checklist);
  // RFC 8445 §8.1.1: the check that nominates.
  void EnqueueNomination(const AddressPair& pair) { nomination_ = pair; }
  void CancelNomination() { nomination_.reset(); }
  void Remove(const AddressPair& pair);
  void Clear();

  struct Due {
    AddressPair pair;
    bool nominates;
  };
  // At most one per slot; the slot is taken by it.
  std::optional<Due> Next(Timestamp now, Checklist& checklist);
  // The next slot, Never() when there is nothing to check.
  Timestamp NextTimeout(const Checklist& checklist) const;
  // For a check that nobody queued: when the next slot is, and that it is taken.
  Timestamp NextSlot() const { return SlotAfter(pacing_interval_); }
  void TakeSlot(Timestamp now) { last_check_ = now; }
  size_t triggered() const { return triggered_.size(); }

 private:
  Timestamp SlotAfter(Duration spacing) const;
  std::optional<Due> Pick(Timestamp now, Checklist& checklist);

  Duration pacing_interval_;
  Duration nomination_pacing_interval_;
  size_t max_triggered_;
  std::vector<AddressPair> triggered_;  // in order of arrival
  std::optional<AddressPair> nomination_;
  std::optional<Timestamp> last_check_;
};

}  // namespace jsp::ice
