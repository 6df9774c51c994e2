#include "sctp/tx/stream_scheduler.h"

#include <algorithm>
namespace jsp::sctp {

void StreamScheduler::MessageQueued(StreamId stream, size_t waiting) {
  if (policy_ == Policy::kFirstComeFirstServed || waiting == 1) Push(stream);
}

std::optional<StreamId> StreamScheduler::Next() const {
  if (IsQueue()) return turns_.empty() ? std::nullopt : std::optional(turns_.front());
  return heap_.empty() ? std::nullopt : std::optional(heap_.front().stream);
}

void StreamScheduler::FragmentSent(size_t octets) {
  octets_in_turn_ += octets;
  // RFC 8260 §3.1: first come, first served, whatever could interleave.
  if (framing_ == Framing::kData || policy_ == Policy::kFirstComeFirstServed) return;
  EndTurn(octets_in_turn_, true);
}

void StreamScheduler::MessageDone(StreamId stream, size_t octets, size_t waiting) {
  if (Next() == stream) return EndTurn(octets_in_turn_ + octets, waiting > 0);
  if (policy_ == Policy::kFirstComeFirstServed) {
    turns_.erase(std::ranges::find(turns_, stream));
  } else if (waiting == 0) {
    RemoveTurns(stream);
  }
}

void StreamScheduler::MessagesRemoved(StreamId stream, size_t before, size_t count, size_t waiting) {
  if (!IsTurnPerMessage()) {
    if (waiting == 0) RemoveTurns(stream);
    return;
  }
  auto kept = turns_.begin();
  for (auto it = turns_.begin(); it != turns_.end(); ++it) {
    const bool is_gone = *it == stream && before == 0 && count > 0;
    if (*it == stream && before > 0) --before;
    if (is_gone) {
      --count;
    } else {
      *kept++ = *it;
    }
  }
  turns_.erase(kept, turns_.end());
}

void StreamScheduler::EndTurn(size_t octets, bool comes_again) {
  octets_in_turn_ = 0;
  const StreamId stream = *Next();
  if (IsQueue()) {
    turns_.pop_front();
    if (policy_ == Policy::kRoundRobin && comes_again) Push(stream);
    return;
  }
  virtual_time_ = std::max(virtual_time_, heap_.front().key);
  Share& share = *heap_.front().share;
  // RFC 8260 §3.6: by octets, so that large messages get no more than small ones.
  share.finish = heap_.front().key + octets * kOctet / share.priority;
  std::ranges::pop_heap(heap_, IsLater);
  heap_.pop_back();
  if (comes_again) PushTurn(stream, share);
}

void StreamScheduler::SetPriority(StreamId stream, uint16_t priority) {
  shares_[stream.value].priority = std::max<uint16_t>(priority, 1);
}

void StreamScheduler::Push(StreamId stream) {
  if (IsQueue()) {
    if (turns_.full()) turns_.set_capacity(turns_.capacity() == 0 ? 8 : turns_.capacity() * 2);
    turns_.push_back(stream);
    return;
  }
  PushTurn(stream, shares_[stream.value]);
}

void StreamScheduler::PushTurn(StreamId stream, Share& share) {
  // A stream that was silent begins now; what it did not use is gone.
  const uint64_t key =
      policy_ == Policy::kPriority ? UINT16_MAX - share.priority : std::max(virtual_time_, share.finish);
  heap_.push_back({key, next_order_++, stream, &share});
  std::ranges::push_heap(heap_, IsLater);
}

void StreamScheduler::RemoveTurns(StreamId stream) {
  if (Next() == stream) octets_in_turn_ = 0;
  turns_.erase(std::remove(turns_.begin(), turns_.end(), stream), turns_.end());
  std::erase_if(heap_, [&](const Turn& turn) { return turn.stream == stream; });
  std::ranges::make_heap(heap_, IsLater);
}

void StreamScheduler::Remove(StreamId stream) {
  RemoveTurns(stream);
  shares_.erase(stream.value);
}

void StreamScheduler::Clear() {
  turns_.clear();
  heap_.clear();
  shares_.clear();
  octets_in_turn_ = 0;
}

bool StreamScheduler::IsConsistent() const {
  if (IsTurnPerMessage()) return heap_.empty();
  std::vector<uint16_t> streams;
  for (const StreamId stream : turns_) streams.push_back(stream.value);
  for (const Turn& turn : heap_) streams.push_back(turn.stream.value);
  std::ranges::sort(streams);
  return std::ranges::adjacent_find(streams) == streams.end() && std::ranges::is_heap(heap_, IsLater) &&
         (turns_.empty() || heap_.empty()) && (turns() > 0 || octets_in_turn_ == 0);
}

}  // namespace jsp::sctp
