#include "ice/check_scheduler.h"

#include <algorithm>
namespace jsp::ice {

CheckScheduler::CheckScheduler(const Options& options)
    : pacing_interval_(options.pacing_interval),
      nomination_pacing_interval_(options.nomination.pacing_interval),
      max_triggered_(options.max_pairs) {}

void CheckScheduler::EnqueueTriggered(const AddressPair& pair, const Checklist& checklist) {
  if (std::ranges::find(triggered_, pair) != triggered_.end()) return;
  // Live pairs are never more than max_pairs, so a full queue holds pairs that the checklist gave up.
  if (triggered_.size() >= max_triggered_) {
    std::erase_if(triggered_, [&](const AddressPair& queued) { return checklist.Find(queued) == nullptr; });
  }
  triggered_.push_back(pair);
}

void CheckScheduler::Remove(const AddressPair& pair) { std::erase(triggered_, pair); }

void CheckScheduler::Clear() {
  triggered_.clear();
  nomination_.reset();
}

Timestamp CheckScheduler::SlotAfter(Duration spacing) const {
  return last_check_ ? *last_check_ + spacing : Timestamp::FromEpoch(Duration::min() / 2);
}

std::optional<CheckScheduler::Due> CheckScheduler::Next(Timestamp now, Checklist& checklist) {
  auto due = Pick(now, checklist);
  if (due) last_check_ = now;
  return due;
}

std::optional<CheckScheduler::Due> CheckScheduler::Pick(Timestamp now, Checklist& checklist) {
  if (nomination_ && now >= SlotAfter(nomination_pacing_interval_)) {
    const AddressPair pair = *nomination_;
    nomination_.reset();
    if (checklist.Find(pair) != nullptr) return Due{pair, true};
  }
  if (now < SlotAfter(pacing_interval_)) return std::nullopt;
  // RFC 8445 §6.1.4.2 step 1
  while (!triggered_.empty()) {
    const AddressPair pair = triggered_.front();
    triggered_.erase(triggered_.begin());
    if (checklist.Find(pair) != nullptr) return Due{pair, false};
  }
  // Steps 2 and 3
  checklist.ThawWhenIdle();
  const CandidatePair* best = checklist.HighestWaiting();
  if (best == nullptr) return std::nullopt;
  return Due{best->addresses, false};
}

Timestamp CheckScheduler::NextTimeout(const Checklist& checklist) const {
  Timestamp next;
  if (nomination_) next = SlotAfter(nomination_pacing_interval_);
  if (!triggered_.empty() || checklist.Count(PairState::kWaiting) > 0) {
    next = std::min(next, SlotAfter(pacing_interval_));
  }
  return next;
}

}  // namespace jsp::ice
