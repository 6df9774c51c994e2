#include "sctp/rx/stream_sequencer.h"

#include <limits>
namespace jsp::sctp {
namespace {

// RFC 9260 §6.5: after 65535 comes 0.
Ssn Next(Ssn ssn) { return Ssn(static_cast<uint16_t>(ssn.value + 1)); }

}  // namespace

bool StreamSequencer::Add(AssembledMessage assembled) {
  Message& message = assembled.message;
  const StreamId stream = message.stream;
  if (!assembled.unordered) {
    const Ssn next = NextSsn(stream);
    if (next.IsNewerThan(assembled.ssn)) return false;
    if (assembled.ssn != next) {
      buffered_bytes_ += Charge(message);
      waiting_.emplace(Key(stream, assembled.first_tsn), Waiting{assembled.ssn, std::move(message)});
      return true;
    }
    SetNextSsn(stream, Next(next));
  }
  PushReady(std::move(message));
  return assembled.unordered || waiting_.empty() || ReleaseReady(stream);
}

void StreamSequencer::PushReady(Message message) {
  const size_t charge = Charge(message);
  buffered_bytes_ += charge;
  ready_bytes_ += charge;
  ready_.Push(std::move(message));
}

bool StreamSequencer::Skip(StreamId stream, Ssn ssn) {
  if (NextSsn(stream).IsNewerThan(ssn)) return true;
  auto waiting = FirstWaiting(stream);
  while (waiting != waiting_.end() && waiting->first.first == stream && !waiting->second.ssn.IsNewerThan(ssn)) {
    waiting = Release(waiting);
  }
  SetNextSsn(stream, Next(ssn));
  return ReleaseReady(stream);
}

void StreamSequencer::Reset(StreamId stream) {
  const auto first = FirstWaiting(stream);
  auto last = first;
  while (last != waiting_.end() && last->first.first == stream) ++last;
  DropWaiting(first, last);
  if (stream.value < next_ssn_.size()) next_ssn_[stream.value] = Ssn(0);
}

void StreamSequencer::ResetAll() {
  DropWaiting(waiting_.begin(), waiting_.end());
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

StreamSequencer::WaitingMap::iterator StreamSequencer::FirstWaiting(StreamId stream) {
  return waiting_.lower_bound(Key(stream, UnwrappedTsn(std::numeric_limits<int64_t>::min())));
}

StreamSequencer::WaitingMap::iterator StreamSequencer::Release(WaitingMap::iterator waiting) {
  ready_bytes_ += Charge(waiting->second.message);
  ready_.Push(std::move(waiting->second.message));
  return waiting_.erase(waiting);
}

bool StreamSequencer::ReleaseReady(StreamId stream) {
  Ssn next = NextSsn(stream);
  auto waiting = FirstWaiting(stream);
  while (waiting != waiting_.end() && waiting->first.first == stream && waiting->second.ssn == next) {
    waiting = Release(waiting);
    next = Next(next);
  }
  SetNextSsn(stream, next);
  const bool first_is_old =
      waiting != waiting_.end() && waiting->first.first == stream && next.IsNewerThan(waiting->second.ssn);
  return !first_is_old;
}

void StreamSequencer::DropWaiting(WaitingMap::iterator first, WaitingMap::iterator last) {
  for (auto waiting = first; waiting != last; ++waiting) {
    buffered_bytes_ -= Charge(waiting->second.message);
    ++dropped_messages_;
  }
  waiting_.erase(first, last);
}

bool StreamSequencer::IsConsistent() const {
  size_t bytes = ready_bytes_;
  std::optional<StreamId> stream;
  for (const auto& [key, waiting] : waiting_) {
    bytes += Charge(waiting.message);
    const bool is_first = !stream || *stream != key.first;
    if (is_first && waiting.ssn == NextSsn(key.first)) return false;
    stream = key.first;
  }
  return bytes == buffered_bytes_ && (ready_bytes_ > 0) == !ready_.empty();
}

}  // namespace jsp::sctp
