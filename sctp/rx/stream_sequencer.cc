#include "sctp/rx/stream_sequencer.h"

#include <utility>
namespace jsp::sctp {
namespace {

// RFC 9260 §6.5: after 65535 comes 0.
Ssn Next(Ssn ssn) { return Ssn(static_cast<uint16_t>(ssn.value + 1)); }

}  // namespace

bool StreamSequencer::Add(AssembledMessage assembled) {
  Message& message = assembled.message;
  const StreamId stream = message.stream;
  if (assembled.unordered) {
    PushReady(std::move(message));
    return true;
  }
  const Ssn next = NextSsn(stream);
  if (next.IsNewerThan(assembled.ssn)) return false;
  if (assembled.ssn != next) {
    if (waiting_.Find(stream.value, assembled.ssn.value) != WaitingTable::kNone) return false;
    buffered_bytes_ += Charge(message);
    waiting_.Add(stream.value, assembled.ssn.value, std::move(message));
    return true;
  }
  PushReady(std::move(message));
  ReleaseFrom(stream, Next(next));
  return true;
}

void StreamSequencer::PushReady(Message message) {
  const size_t charge = Charge(message);
  buffered_bytes_ += charge;
  ready_bytes_ += charge;
  ready_.Push(std::move(message));
}

void StreamSequencer::Skip(StreamId stream, Ssn ssn) {
  const Ssn next = NextSsn(stream);
  if (next.IsNewerThan(ssn)) return;
  const auto count = static_cast<uint16_t>(ssn.value - next.value + 1);
  waiting_.Collect(stream.value, next.value, count, skipped_);
  for (const WaitingTable::Id id : skipped_) Release(id);
  ReleaseFrom(stream, Next(ssn));
}

void StreamSequencer::Reset(StreamId stream) {
  for (auto id = waiting_.First(stream.value); id != WaitingTable::kNone;) {
    DropWaiting(std::exchange(id, waiting_.After(id)));
  }
  if (stream.value < next_ssn_.size()) next_ssn_[stream.value] = Ssn(0);
}

void StreamSequencer::ResetAll() {
  waiting_.ForEach([&](WaitingTable::Id id) { DropWaiting(id); });
  next_ssn_.clear();
  next_ssn_.shrink_to_fit();
}

std::optional<Message> StreamSequencer::Pop() {
  auto message = ready_.Pop();
  if (message) {
    const size_t charge = Charge(*message);
    buffered_bytes_ -= charge;
    ready_bytes_ -= charge;
  }
  return message;
}

Ssn StreamSequencer::NextSsn(StreamId stream) const {
  return stream.value < next_ssn_.size() ? next_ssn_[stream.value] : Ssn(0);
}

void StreamSequencer::SetNextSsn(StreamId stream, Ssn ssn) {
  if (stream.value >= next_ssn_.size()) next_ssn_.resize(size_t{stream.value} + 1);
  next_ssn_[stream.value] = ssn;
}

void StreamSequencer::Release(WaitingTable::Id waiting) {
  ready_bytes_ += Charge(waiting_[waiting]);
  ready_.Push(waiting_.Take(waiting));
}

// `next` is the next SSN of the stream, or waits already.
void StreamSequencer::ReleaseFrom(StreamId stream, Ssn next) {
  while (true) {
    const auto id = waiting_.Find(stream.value, next.value);
    if (id == WaitingTable::kNone) break;
    Release(id);
    next = Next(next);
  }
  SetNextSsn(stream, next);
}

void StreamSequencer::DropWaiting(WaitingTable::Id waiting) {
  buffered_bytes_ -= Charge(waiting_.Take(waiting));
  ++dropped_messages_;
}

bool StreamSequencer::IsConsistent() const {
  size_t bytes = ready_bytes_;
  bool is_in_order = true;
  waiting_.ForEach([&](WaitingTable::Id id) {
    bytes += Charge(waiting_[id]);
    const StreamId stream = waiting_[id].stream;
    const Ssn ssn(waiting_.NumberOf(id));
    is_in_order = is_in_order && stream.value == waiting_.GroupOf(id) && ssn.IsNewerThan(NextSsn(stream));
  });
  return is_in_order && bytes == buffered_bytes_ && (ready_bytes_ > 0) == !ready_.empty();
}

}  // namespace jsp::sctp
