#include "ice/nomination.h"
namespace jsp::ice {

Nomination::Nomination(const Options& options)
    : delay_(options.nomination.delay),
      patience_(options.nomination.patience),
      patience_relayed_(options.nomination.patience_relayed),
      deadline_(options.nomination.deadline) {}

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
  if (!first_chosen_at_) first_chosen_at_ = now;
  return best->addresses;
}

bool Nomination::Retry(Timestamp now) {
  if (!first_chosen_at_ || now >= *first_chosen_at_ + deadline_) return false;
  has_chosen_ = false;
  return true;
}

void Nomination::Reset() {
  has_chosen_ = false;
  first_chosen_at_.reset();
  due_ = Timestamp::Never();
}

}  // namespace jsp::ice
