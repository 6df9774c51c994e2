#include "sctp/tx/stream_scheduler.h"

namespace jsp::sctp {

void StreamScheduler::MessageQueued(StreamId stream, size_t waiting) {
  if (policy_ == Policy::kFirstComeFirstServed || waiting == 1) Push(stream);
}

std::optional<StreamId> StreamScheduler::Next() const {
  if (turns_.empty()) return std::nullopt;
  return turns_.front();
}

void StreamScheduler::MessageDone(size_t waiting) {
  const StreamId stream = turns_.front();
  turns_.pop_front();
  if (policy_ == Policy::kRoundRobin && waiting > 0) Push(stream);
}

void StreamScheduler::Push(StreamId stream) {
  if (turns_.full()) turns_.set_capacity(turns_.capacity() == 0 ? 8 : turns_.capacity() * 2);
  turns_.push_back(stream);
}

}  // namespace jsp::sctp
