#include "ice/nomination.h"
namespace jsp::ice {

Nomination::Nomination(const Options& options)
    : delay_(options.nomination.delay),
      patience_(options.nomination.patience),
      patience_relayed_(options.nomination.patience_relayed) {}

std::optional<AddressPair> Nomination::Choose(Timestamp now, const Checklist& checklist) {
  due_ = Timestamp::Never();
  if (has_chosen_) return std::nullopt;
  const CandidatePair* best = checklist.BestValid();
  if (best == nullptr) return std::nullopt;
  if (!first_valid_at_) first_valid_at_ = now;
  Timestamp deadline = *first_valid_at_ + delay_;
  // RFC 8863 §4: "the controlling ICE agent SHOULD wait a sufficient amount of time before nominating".
  if (checklist.HasPendingBetterThan(*best)) {
    deadline = deadline + (best->is_relayed ? patience_relayed_ : patience_);
  }
  if (now < deadline) {
    due_ = deadline;
    return std::nullopt;
  }
  has_chosen_ = true;
  return best->addresses;
}

void Nomination::Reset() {
  has_chosen_ = false;
  due_ = Timestamp::Never();
}

}  // namespace jsp::ice
