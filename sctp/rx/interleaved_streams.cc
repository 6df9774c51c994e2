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
  const uint32_t mid = chunk.mid.value;
  if (IsBefore(mid, Next(chunk.stream, order))) {
    ++dropped_fragments_;
    return Result::kAccepted;
  }
  if (chunk.payload.size() > limit) return Result::kMessageTooLarge;
  auto id = partials_.Find(GroupOf(chunk.stream, order), mid);
  const bool is_next = order == Order::kUnordered || mid == Next(chunk.stream, order);
  if (chunk.beginning && chunk.end && is_next) {
    if (id != Partials::kNone) return Result::kProtocolViolation;
    Deliver({chunk.stream, chunk.ppid, Payload(pool_, chunk.payload)});
    if (order == Order::kOrdered) {
      SetNext(chunk.stream, order, mid + 1);
      ReleaseFrom(chunk.stream, delivery);
    }
    return Result::kAccepted;
  }
  if (id == Partials::kNone) id = Begin(chunk, order, delivery, limit);
  buffered_bytes_ -= Charge(partials_[id]);
  const bool inserted = Insert(id, chunk);
  if (inserted) Join(id);
  const Partial& partial = partials_[id];
  buffered_bytes_ += Charge(partial);
  if (!inserted) return Result::kProtocolViolation;
  if (partial.delivered + partial.octets() > limit) return Result::kMessageTooLarge;
  if (!is_next) return Result::kAccepted;
  if (order == Order::kOrdered) {
    ReleaseFrom(chunk.stream, delivery);
  } else if (partial.IsWhole()) {
    DeliverWhole(id);
  }
  return Result::kAccepted;
}

// Reserves only what a message that did arrive has needed, and for one message at a time: never by a claim of the peer.
// A piece goes out as it is, and must not hold more than it counts.
InterleavedStreams::Partials::Id InterleavedStreams::Begin(const DataChunk& chunk, Order order, Delivery delivery,
                                                           size_t limit) {
  const bool stays_whole = order == Order::kUnordered || delivery == Delivery::kWhole;
  Partial partial(pool_);
  if (partials_.empty() && chunk.beginning && stays_whole) {
    partial.payload.reserve(std::max(chunk.payload.size(), std::min(usual_size_, limit)));
  }
  buffered_bytes_ += Charge(partial);
  return partials_.Add(GroupOf(chunk.stream, order), chunk.mid.value, std::move(partial));
}

bool InterleavedStreams::Insert(Partials::Id id, const DataChunk& chunk) {
  Partial& partial = partials_[id];
  // RFC 8260 §2.1: "the FSN is implicitly considered to be 0" with the B bit, and nowhere else but after a wrap.
  if (!chunk.beginning && chunk.fsn == 0 && partial.next_fsn == 0) return false;
  const auto ahead = static_cast<uint32_t>(chunk.fsn - static_cast<uint32_t>(partial.next_fsn));
  if (ahead >= uint32_t{1} << 31) return false;  // here already
  const uint64_t fsn = partial.next_fsn + ahead;
  if (chunk.beginning && fsn != 0) return false;
  if (partial.last_fsn && (chunk.end || fsn > *partial.last_fsn)) return false;
  if (chunk.end && partial.early_count > 0 && partial.highest_early > fsn) return false;
  if (ahead > 0 && early_.Find(id, chunk.fsn) != Early::kNone) return false;
  if (chunk.end) partial.last_fsn = fsn;
  if (chunk.beginning) partial.ppid = chunk.ppid;
  if (ahead == 0) {
    partial.payload.append(chunk.payload);
    ++partial.next_fsn;
    return true;
  }
  early_.Add(id, chunk.fsn, Payload(pool_, chunk.payload));
  partial.highest_early = partial.early_count == 0 ? fsn : std::max(partial.highest_early, fsn);
  ++partial.early_count;
  partial.early_octets += chunk.payload.size();
  return true;
}

void InterleavedStreams::Join(Partials::Id id) {
  Partial& partial = partials_[id];
  while (partial.early_count > 0) {
    const auto found = early_.Find(id, static_cast<uint32_t>(partial.next_fsn));
    if (found == Early::kNone) return;
    const Payload fragment = early_.Take(found);
    partial.payload.append(fragment);
    partial.early_octets -= fragment.size();
    --partial.early_count;
    ++partial.next_fsn;
  }
}

InterleavedStreams::Partial InterleavedStreams::TakeOut(Partials::Id id) {
  Partial partial = partials_.Take(id);
  buffered_bytes_ -= Charge(partial);
  for (; partial.early_count > 0; --partial.early_count) (void)early_.Take(early_.First(id));
  return partial;
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

void InterleavedStreams::DeliverWhole(Partials::Id id) {
  const StreamId stream = StreamOf(partials_.GroupOf(id));
  Partial partial = TakeOut(id);
  if (partial.delivered == 0) usual_size_ = partial.payload.size();
  const Part part = partial.delivered == 0 ? Part::kWhole : Part::kEnd;
  Deliver({stream, partial.ppid, std::move(partial.payload), part});
}

void InterleavedStreams::ReleaseFrom(StreamId stream, Delivery delivery) {
  uint32_t next = Next(stream, Order::kOrdered);
  while (true) {
    const auto id = partials_.Find(GroupOf(stream, Order::kOrdered), next);
    if (id == Partials::kNone) break;
    Partial& partial = partials_[id];
    if (!partial.IsWhole()) {
      // What was begun in pieces is not put together any more.
      const bool in_pieces = delivery == Delivery::kPieces || partial.delivered > 0;
      if (in_pieces && !partial.payload.empty()) DeliverPiece(stream, partial);
      break;
    }
    DeliverWhole(id);
    ++next;
  }
  SetNext(stream, Order::kOrdered, next);
}

// RFC 8260 §2.3.1: what is whole and was only waiting is delivered, in its order; what is not is gone.
void InterleavedStreams::Skip(StreamId stream, Order order, Mid mid, Delivery delivery) {
  const uint32_t from = Next(stream, order);
  const uint32_t next = mid.value + 1;
  if (!IsBefore(from, next)) return;
  partials_.Collect(GroupOf(stream, order), from, next - from, skipped_);
  for (const auto id : skipped_) {
    partials_[id].IsWhole() ? DeliverWhole(id) : Drop(id);
  }
  SetNext(stream, order, next);
  if (order == Order::kOrdered) ReleaseFrom(stream, delivery);
}

void InterleavedStreams::Reset(StreamId stream) {
  for (const Order order : {Order::kOrdered, Order::kUnordered}) {
    for (auto id = partials_.First(GroupOf(stream, order)); id != Partials::kNone;) {
      Drop(std::exchange(id, partials_.After(id)));
    }
  }
  if (stream.value < next_ordered_.size()) next_ordered_[stream.value] = 0;
  if (stream.value < next_unordered_.size()) next_unordered_[stream.value] = 0;
}

void InterleavedStreams::ResetAll() {
  partials_.ForEach([&](Partials::Id id) { Drop(id); });
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

void InterleavedStreams::Drop(Partials::Id id) {
  const StreamId stream = StreamOf(partials_.GroupOf(id));
  const Partial partial = TakeOut(id);
  if (!partial.IsWhole()) ++dropped_messages_;
  DeliverAborted(stream, partial);
}

bool InterleavedStreams::IsConsistent() const {
  size_t bytes = ready_bytes_;
  size_t early = 0;
  bool is_right = true;
  partials_.ForEach([&](Partials::Id id) {
    const Partial& partial = partials_[id];
    const Order order = OrderOf(partials_.GroupOf(id));
    const uint32_t mid = partials_.NumberOf(id);
    const uint32_t next = Next(StreamOf(partials_.GroupOf(id)), order);
    size_t count = 0;
    size_t octets = 0;
    for (auto each = early_.First(id); each != Early::kNone; each = early_.After(each)) {
      const uint64_t fsn = partial.next_fsn + (early_.NumberOf(each) - static_cast<uint32_t>(partial.next_fsn));
      is_right = is_right && fsn > partial.next_fsn && fsn <= partial.highest_early;
      ++count;
      octets += early_[each].size();
    }
    const bool ends = count == 0 || !partial.last_fsn || partial.highest_early <= *partial.last_fsn;
    is_right = is_right && ends && count == partial.early_count && octets == partial.early_octets;
    const bool is_due = order == Order::kUnordered || mid == next;
    is_right = is_right && !IsBefore(mid, next) && !(is_due && partial.IsWhole());
    is_right = is_right && (partial.delivered == 0 || (order == Order::kOrdered && is_due));
    early += count;
    bytes += Charge(partial);
  });
  return is_right && early == early_.size() && bytes == buffered_bytes_ && (ready_bytes_ > 0) == !ready_.empty();
}

}  // namespace jsp::sctp
