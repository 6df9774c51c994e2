#include "sctp/rx/interleaved_streams.h"

#include <algorithm>
#include <utility>
namespace jsp::sctp {
namespace {

// RFC 1982 with 32 bits, as RFC 8260 §2.1 has it for MID and FSN.
bool IsBefore(uint32_t a, uint32_t z) { return static_cast<int32_t>(a - z) < 0; }

}  // namespace

using Result = InterleavedStreams::Result;

Result InterleavedStreams::Add(const DataChunk& chunk, size_t max_message_size, Delivery delivery) {
  const size_t limit = max_message_size == 0 ? SIZE_MAX : max_message_size;
  const Order order = chunk.unordered ? Order::kUnordered : Order::kOrdered;
  const Key key{chunk.stream, order, chunk.mid.value};
  if (IsOld(key)) {
    ++dropped_fragments_;
    return Result::kAccepted;
  }
  if (chunk.payload.size() > limit) return Result::kMessageTooLarge;
  auto found = partials_.find(key);
  const bool is_next = order == Order::kUnordered || key.mid == Next(chunk.stream, order);
  if (chunk.beginning && chunk.end && is_next) {
    if (found != partials_.end()) return Result::kProtocolViolation;
    Deliver({chunk.stream, chunk.ppid, Payload(pool_, chunk.payload)});
    if (order == Order::kOrdered) {
      SetNext(chunk.stream, order, key.mid + 1);
      ReleaseFrom(chunk.stream, delivery);
    }
    return Result::kAccepted;
  }
  if (found == partials_.end()) {
    // Only what a message that did arrive has needed, and for one message at a time: never by a claim of the peer.
    // A piece goes out as it is, and must not hold more than it counts.
    const bool stays_whole = order == Order::kUnordered || delivery == Delivery::kWhole;
    const bool alone = partials_.empty() && chunk.beginning && stays_whole;
    found = partials_.try_emplace(key, pool_).first;
    if (alone) found->second.payload.reserve(std::max(chunk.payload.size(), std::min(usual_size_, limit)));
    buffered_bytes_ += Charge(found->second);
  }
  Partial& partial = found->second;
  buffered_bytes_ -= Charge(partial);
  const bool inserted = Insert(partial, chunk);
  if (inserted) Join(partial);
  buffered_bytes_ += Charge(partial);
  if (!inserted) return Result::kProtocolViolation;
  if (partial.delivered + partial.octets() > limit) return Result::kMessageTooLarge;
  if (!is_next) return Result::kAccepted;
  if (order == Order::kOrdered) {
    ReleaseFrom(chunk.stream, delivery);
    return Result::kAccepted;
  }
  if (!partial.IsWhole()) return Result::kAccepted;
  buffered_bytes_ -= Charge(partial);
  usual_size_ = partial.payload.size();
  Message message{chunk.stream, partial.ppid, std::move(partial.payload)};
  partials_.erase(found);
  Deliver(std::move(message));
  return Result::kAccepted;
}

bool InterleavedStreams::Insert(Partial& partial, const DataChunk& chunk) {
  // RFC 8260 §2.1: "the FSN is implicitly considered to be 0" with the B bit, and nowhere else but after a wrap.
  if (!chunk.beginning && chunk.fsn == 0 && partial.next_fsn == 0) return false;
  const auto ahead = static_cast<uint32_t>(chunk.fsn - static_cast<uint32_t>(partial.next_fsn));
  if (ahead >= uint32_t{1} << 31) return false;  // here already
  const uint64_t fsn = partial.next_fsn + ahead;
  if (chunk.beginning && fsn != 0) return false;
  if (partial.last_fsn && (chunk.end || fsn > *partial.last_fsn)) return false;
  if (chunk.end && !partial.early.empty() && partial.early.rbegin()->first > fsn) return false;
  if (chunk.end) partial.last_fsn = fsn;
  if (chunk.beginning) partial.ppid = chunk.ppid;
  if (ahead == 0) {
    partial.payload.append(chunk.payload);
    ++partial.next_fsn;
    return true;
  }
  const auto [position, is_new] = partial.early.try_emplace(fsn, pool_, chunk.payload);
  if (is_new) partial.early_octets += chunk.payload.size();
  return is_new;
}

void InterleavedStreams::Join(Partial& partial) {
  while (!partial.early.empty() && partial.early.begin()->first == partial.next_fsn) {
    const auto first = partial.early.begin();
    partial.payload.append(first->second);
    partial.early_octets -= first->second.size();
    ++partial.next_fsn;
    partial.early.erase(first);
  }
}

void InterleavedStreams::Deliver(Message message) {
  const size_t charge = message.payload.size() + kMessageOverhead;
  buffered_bytes_ += charge;
  ready_bytes_ += charge;
  ready_.Push(std::move(message));
}

// RFC 9260 §6.9: a part of the message, "freeing some of its receive buffer space".
void InterleavedStreams::DeliverPiece(StreamId stream, Partial& partial) {
  buffered_bytes_ -= partial.payload.size();
  const Part part = partial.delivered == 0 ? Part::kBegin : Part::kMiddle;
  partial.delivered += partial.payload.size();
  Deliver({stream, partial.ppid, std::exchange(partial.payload, Payload(pool_)), part});
}

void InterleavedStreams::DeliverAborted(StreamId stream, const Partial& partial) {
  if (partial.delivered > 0) Deliver({stream, partial.ppid, {}, Part::kAborted});
}

void InterleavedStreams::ReleaseFrom(StreamId stream, Delivery delivery) {
  uint32_t next = Next(stream, Order::kOrdered);
  while (!partials_.empty()) {
    const auto found = partials_.find(Key{stream, Order::kOrdered, next});
    if (found == partials_.end()) break;
    Partial& partial = found->second;
    if (!partial.IsWhole()) {
      // What was begun in pieces is not put together any more.
      const bool in_pieces = delivery == Delivery::kPieces || partial.delivered > 0;
      if (in_pieces && !partial.payload.empty()) DeliverPiece(stream, partial);
      break;
    }
    buffered_bytes_ -= Charge(partial);
    if (partial.delivered == 0) usual_size_ = partial.payload.size();
    const Part part = partial.delivered == 0 ? Part::kWhole : Part::kEnd;
    Message message{stream, partial.ppid, std::move(partial.payload), part};
    partials_.erase(found);
    Deliver(std::move(message));
    ++next;
  }
  SetNext(stream, Order::kOrdered, next);
}

void InterleavedStreams::Skip(StreamId stream, Order order, Mid mid, Delivery delivery) {
  const uint32_t next = mid.value + 1;
  if (!IsBefore(Next(stream, order), next)) return;
  // RFC 8260 §2.3.1: what is whole and was only waiting is delivered, in its order; what is not is gone.
  PoolMap<uint32_t, Message> whole{PoolAllocator<Message>(pool_)};  // by distance from the next one
  const uint32_t from = Next(stream, order);
  DropIf(stream, [&](const Key& key, Partial& partial) {
    if (key.order != order || !IsBefore(key.mid, next)) return false;
    if (partial.IsWhole()) whole.emplace(key.mid - from, Message{stream, partial.ppid, std::move(partial.payload)});
    return true;
  });
  for (auto& [distance, message] : whole) Deliver(std::move(message));
  SetNext(stream, order, next);
  if (order == Order::kOrdered) ReleaseFrom(stream, delivery);
}

void InterleavedStreams::Reset(StreamId stream) {
  DropIf(stream, [](const Key&, Partial&) { return true; });
  if (stream.value < next_ordered_.size()) next_ordered_[stream.value] = 0;
  if (stream.value < next_unordered_.size()) next_unordered_[stream.value] = 0;
}

void InterleavedStreams::ResetAll() {
  while (!partials_.empty()) Drop(partials_.begin());
  next_ordered_ = {};
  next_unordered_ = {};
}

std::optional<Message> InterleavedStreams::Pop() {
  auto message = ready_.Pop();
  if (message) {
    const size_t charge = message->payload.size() + kMessageOverhead;
    buffered_bytes_ -= charge;
    ready_bytes_ -= charge;
  }
  return message;
}

uint32_t InterleavedStreams::Next(StreamId stream, Order order) const {
  const auto& next = order == Order::kOrdered ? next_ordered_ : next_unordered_;
  return stream.value < next.size() ? next[stream.value] : 0;
}

void InterleavedStreams::SetNext(StreamId stream, Order order, uint32_t mid) {
  auto& next = order == Order::kOrdered ? next_ordered_ : next_unordered_;
  if (stream.value >= next.size()) {
    if (mid == 0) return;
    next.resize(size_t{stream.value} + 1);
  }
  next[stream.value] = mid;
}

bool InterleavedStreams::IsOld(const Key& key) const { return IsBefore(key.mid, Next(key.stream, key.order)); }

void InterleavedStreams::Drop(Partials::iterator partial) {
  buffered_bytes_ -= Charge(partial->second);
  ++dropped_messages_;
  DeliverAborted(partial->first.stream, partial->second);
  partials_.erase(partial);
}

template <class Condition>
void InterleavedStreams::DropIf(StreamId stream, Condition condition) {
  auto partial = partials_.lower_bound(Key{stream, Order::kOrdered, 0});
  while (partial != partials_.end() && partial->first.stream == stream) {
    const auto current = partial++;
    const size_t charge = Charge(current->second);
    const bool was_whole = current->second.IsWhole();
    if (!condition(current->first, current->second)) continue;
    buffered_bytes_ -= charge;
    dropped_messages_ += was_whole ? 0 : 1;
    DeliverAborted(stream, current->second);
    partials_.erase(current);
  }
}

bool InterleavedStreams::IsConsistent() const {
  size_t bytes = ready_bytes_;
  for (const auto& [key, partial] : partials_) {
    if (IsOld(key)) return false;
    size_t early = 0;
    for (const auto& [fsn, octets] : partial.early) {
      if (fsn <= partial.next_fsn || (partial.last_fsn && fsn > *partial.last_fsn)) return false;
      early += octets.size();
    }
    if (early != partial.early_octets) return false;
    const bool is_due = key.order == Order::kUnordered || key.mid == Next(key.stream, key.order);
    if (is_due && partial.IsWhole()) return false;
    if (partial.delivered > 0 && (key.order == Order::kUnordered || !is_due)) return false;
    bytes += Charge(partial);
  }
  return bytes == buffered_bytes_ && (ready_bytes_ > 0) == !ready_.empty();
}

}  // namespace jsp::sctp
