#include "sctp/tx/send_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
namespace jsp::sctp {

SendQueue::SendQueue(size_t max_octets, StreamScheduler::Policy policy, Metrics& metrics, const BufferPool& pool)
    : max_octets_(max_octets), metrics_(metrics), yielding_(pool), scheduler_(policy) {}

namespace {

std::optional<AbandonPolicy> PolicyOf(const SendOptions& options) {
  if (options.max_retransmits) return AbandonPolicy::kRetransmissions;
  if (options.lifetime) return AbandonPolicy::kLifetime;
  if (options.buffer_priority) return AbandonPolicy::kPriority;
  if (options.replaceable) return AbandonPolicy::kReplaceable;
  return std::nullopt;
}

}  // namespace

void SendQueue::Add(Timestamp now, Message message, const SendOptions& options) {
  const StreamId id = message.stream;
  Stream& stream = streams_[id.value];
  const bool begins = Begins(message.part);
  const bool is_whole = message.part == Part::kWhole;
  const SendOptions& how = begins ? options : stream.open->options;
  OutgoingMessage outgoing;
  outgoing.message = std::move(message);
  if (how.lifetime) outgoing.expires_at = begins ? now + *how.lifetime : stream.open->expires_at;
  outgoing.abandonment = {.policy = PolicyOf(how), .max_retransmits = how.max_retransmits, .yields = {}};
  outgoing.unordered = how.unordered;
  outgoing.control = how.control;
  outgoing.sack_immediately = how.sack_immediately;
  outgoing.previous = stream.tail;
  if (!how.control) {
    if (stream.waiting == 0 && total_buffered_ > 0 && outgoing.size() <= kSmallMessage) last_overtaking_ = now;
    stream.buffered += outgoing.size();
    total_buffered_ += outgoing.size();
  }
  if (how.priority != stream.priority) {
    stream.priority = how.priority;
    scheduler_.SetPriority(id, how.priority);
  }
  const size_t octets = outgoing.size();
  const MessageHandle handle = pool_.Add(std::move(outgoing));
  if (!is_whole) {
    LinkPiece(stream, handle, options);
  } else if (const auto rank = YieldingMessages::RankOf(how)) {
    pool_[handle].abandonment.yields = yielding_.Add(handle, *rank, octets);
  }
  if (stream.tail == kNoMessage) {
    stream.head = handle;
  } else {
    pool_[stream.tail].next = handle;
  }
  stream.tail = handle;
  ++stream.waiting;
  ++stream.unreleased;
  ++queued_messages_;
  scheduler_.MessageQueued(id, stream.waiting);
}

SendQueue::Stream* SendQueue::Find(StreamId stream) {
  const auto it = streams_.find(stream.value);
  return it == streams_.end() ? nullptr : &it->second;
}

size_t SendQueue::buffered_amount(StreamId stream) const {
  const auto it = streams_.find(stream.value);
  return it == streams_.end() ? 0 : it->second.buffered;
}

void SendQueue::SetFraming(Framing framing) {
  framing_ = framing;
  scheduler_.SetFraming(framing);
}

void SendQueue::SetLowThreshold(StreamId id, size_t octets) {
  Stream* stream = octets > 0 ? &streams_[id.value] : Find(id);
  if (stream == nullptr) return;
  stream->low_threshold = octets;
  MaybeErase(id, *stream);
}

bool SendQueue::IsLow(StreamId id) const {
  const Stream* stream = Find(id);
  return stream == nullptr || stream->buffered <= stream->low_threshold;
}

std::optional<StreamId> SendQueue::PopLowStream() {
  if (low_.empty()) return std::nullopt;
  const StreamId stream = low_.front();
  low_.erase(low_.begin());
  return stream;
}

std::optional<MessageHandle> SendQueue::Front(Timestamp now, Reliability reliability) {
  while (true) {
    if (current_ == nullptr) {
      const auto turn = scheduler_.Next();
      if (!turn) return std::nullopt;
      current_ = &streams_.find(turn->value)->second;
    }
    const MessageHandle head = current_->head;
    const OutgoingMessage& message = pool_[head];
    if (message.fragmented > 0 || !Begins(message.message.part)) return head;
    if (reliability == Reliability::kPartial && message.expires_at <= now) {
      NoteAbandoned(head);
      DropQueued(*current_, kNoMessage);
      continue;
    }
    const bool has_ssn = framing_ == Framing::kData && !message.unordered;
    if (has_ssn && current_->numbered >= kMaxNumbered) return std::nullopt;
    return head;
  }
}

Fragment SendQueue::Take(size_t length) {
  JSP_DCHECK(current_ != nullptr);
  Stream& stream = *current_;
  const MessageHandle handle = stream.head;
  OutgoingMessage& message = pool_[handle];
  JSP_CHECK(length <= message.size() - message.fragmented);
  Fragment fragment{.message = handle,
                    .offset = message.fragmented,
                    .length = static_cast<uint16_t>(length),
                    .begins = message.fragmented == 0 && Begins(message.message.part)};
  // RFC 7053 §4.2: the reset of a stream waits for its last chunk.
  if (stream.resetting && stream.waiting == 1) message.sack_immediately = true;
  Sending& sending = stream.sending;
  if (fragment.begins) {
    const bool unordered = message.unordered;
    if (stream.open && stream.open->first == handle) stream.open->has_begun = true;
    sending = {.mid = Mid(unordered ? stream.next_unordered++ : stream.next_ordered++), .unordered = unordered};
  }
  if (message.fragmented == 0) {
    message.mid = sending.mid;
    if (!message.unordered) ++stream.numbered;
    if (message.abandonment.yields) message.abandonment.yields = yielding_.MarkBegun(*message.abandonment.yields);
  }
  fragment.fsn = sending.next_fsn++;
  message.fragmented += static_cast<uint32_t>(length);
  TakeFromBuffered(stream, message, length);
  const bool is_whole = message.fragmented == message.size();
  fragment.ends = is_whole && Ends(message.message.part);
  sending.has_begun = !fragment.ends;
  if (is_whole) {
    PopFront(stream, length);
  } else {
    scheduler_.FragmentSent(length);
    if (framing_ == Framing::kIData) current_ = nullptr;
  }
  return fragment;
}

void SendQueue::Release(MessageHandle handle) {
  ReleaseFrom(streams_.find(pool_[handle].message.stream.value)->second, handle);
}

void SendQueue::NoteAbandoned(MessageHandle handle) {
  OutgoingMessage& message = pool_[handle];
  ++metrics_.messages_abandoned;
  if (message.abandonment.policy) {
    const bool is_sent = message.fragmented > 0 || !Begins(message.message.part);
    for (AbandonedByPolicy* counts : {&metrics_.abandoned, &abandoned_[message.message.stream.value]}) {
      AbandonedMessages& count = (*counts)[*message.abandonment.policy];
      ++(is_sent ? count.sent : count.unsent);
    }
  }
  if (message.abandonment.yields) yielding_.Remove(*message.abandonment.yields);
  message.abandonment.yields.reset();
}

void SendQueue::DropUnsent(MessageHandle handle) {
  const OutgoingMessage& message = pool_[handle];
  JSP_DCHECK(message.fragmented == 0);
  Stream& stream = streams_.find(message.message.stream.value)->second;
  TakeFromBuffered(stream, message, message.size());
  Unlink(stream, handle);
  NoteAbandoned(handle);
  ReleaseFrom(stream, handle);
}

AbandonedByPolicy SendQueue::abandoned(StreamId stream) const {
  const auto it = abandoned_.find(stream.value);
  return it == abandoned_.end() ? AbandonedByPolicy{} : it->second;
}

void SendQueue::BeginReset(StreamId id) {
  Stream& stream = streams_[id.value];
  if (stream.resetting) return;
  stream.resetting = true;
  if (stream.unreleased == 0) drained_.push_back(id);
}

bool SendQueue::is_resetting(StreamId id) const {
  if (all_closed_) return true;
  const auto it = streams_.find(id.value);
  return it != streams_.end() && it->second.resetting;
}

std::optional<StreamId> SendQueue::PopDrained() {
  if (drained_.empty()) return std::nullopt;
  const StreamId stream = drained_.back();
  drained_.pop_back();
  return stream;
}

void SendQueue::EndReset(StreamId id, ResetResult result) {
  const auto it = streams_.find(id.value);
  if (it == streams_.end() || !it->second.resetting) return;
  Stream& stream = it->second;
  stream.resetting = false;
  // RFC 6525 §5.2.7 H4, RFC 8260 §2.3.2.
  if (result == ResetResult::kPerformed) {
    stream.next_ordered = stream.next_unordered = 0;
    stream.sending = {};
    stream.open.reset();
    abandoned_.erase(id.value);
  }
  MaybeErase(id, stream);
}

// Nothing is to be remembered about it.
void SendQueue::MaybeErase(StreamId id, const Stream& stream) {
  if (!stream.IsFresh() || stream.low_threshold > 0 || stream.resetting || stream.open) return;
  scheduler_.Remove(id);
  streams_.erase(id.value);
}

void SendQueue::EndResetAll(ResetResult result) {
  all_closed_ = false;
  if (result == ResetResult::kFailed) return;
  ResetNumbers();
  for (auto& [id, stream] : streams_) stream.resetting = false;
  drained_.clear();
}

void SendQueue::ResetNumbers() {
  for (auto& [id, stream] : streams_) {
    stream.next_ordered = stream.next_unordered = 0;
    stream.sending = {};
    stream.open.reset();
  }
}

bool SendQueue::IsFresh(StreamId id) const {
  const auto it = streams_.find(id.value);
  return it == streams_.end() || it->second.IsFresh();
}

bool SendQueue::AreAllFresh() const {
  return std::ranges::all_of(streams_, [](const auto& entry) { return entry.second.IsFresh(); });
}

bool SendQueue::IsDrained(StreamId id) const {
  const auto it = streams_.find(id.value);
  return it == streams_.end() || it->second.unreleased == 0;
}

void SendQueue::DropStreamsFrom(uint16_t count) {
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (it->first < count) {
      ++it;
      continue;
    }
    Stream& stream = it->second;
    total_buffered_ -= stream.buffered;
    queued_messages_ -= stream.waiting;
    while (stream.head != kNoMessage) {
      const MessageHandle head = stream.head;
      stream.head = pool_[head].next;
      NoteAbandoned(head);
      pool_.Release(head);
    }
    scheduler_.Remove(StreamId(it->first));
    it = streams_.erase(it);
  }
  current_ = nullptr;
}

void SendQueue::Clear() {
  pool_ = {};
  yielding_.Clear();
  abandoned_.clear();
  streams_.clear();
  scheduler_.Clear();
  current_ = nullptr;
  all_closed_ = false;
  total_buffered_ = 0;
  queued_messages_ = 0;
  low_.clear();
  drained_.clear();
}

void SendQueue::PopFront(Stream& stream, size_t octets) {
  const StreamId id = pool_[stream.head].message.stream;
  const MessageHandle next = pool_[stream.head].next;
  stream.head = next;
  if (next == kNoMessage) {
    stream.tail = kNoMessage;
  } else {
    pool_[next].previous = kNoMessage;
  }
  --stream.waiting;
  --queued_messages_;
  scheduler_.MessageDone(id, octets, stream.waiting);
  current_ = nullptr;
}

void SendQueue::Unlink(Stream& stream, MessageHandle handle) {
  const OutgoingMessage& message = pool_[handle];
  size_t before = 0;
  if (scheduler_.IsTurnPerMessage()) {
    for (MessageHandle at = message.previous; at != kNoMessage; at = pool_[at].previous) ++before;
  }
  (message.previous == kNoMessage ? stream.head : pool_[message.previous].next) = message.next;
  (message.next == kNoMessage ? stream.tail : pool_[message.next].previous) = message.previous;
  --stream.waiting;
  --queued_messages_;
  scheduler_.MessagesRemoved(message.message.stream, before, 1, stream.waiting);
  // A turn that had begun goes on; one for this message may be another's now.
  if (current_ == &stream && message.previous == kNoMessage) current_ = nullptr;
}

void SendQueue::TakeFromBuffered(Stream& stream, const OutgoingMessage& message, size_t octets) {
  if (message.control) return;
  const bool was_above = stream.buffered > stream.low_threshold;
  stream.buffered -= octets;
  total_buffered_ -= octets;
  if (was_above && stream.buffered <= stream.low_threshold) low_.push_back(message.message.stream);
}

void SendQueue::ReleaseFrom(Stream& stream, MessageHandle handle) {
  const OutgoingMessage& message = pool_[handle];
  const StreamId id = message.message.stream;
  if (!message.unordered && message.fragmented > 0) --stream.numbered;
  const PieceLinks& pieces = message.pieces;
  if (pieces.before != kNoMessage) pool_[pieces.before].pieces.after = pieces.after;
  if (pieces.after != kNoMessage) pool_[pieces.after].pieces.before = pieces.before;
  if (stream.open && stream.open->last == handle) stream.open->last = pieces.before;
  --stream.unreleased;
  if (message.abandonment.yields) yielding_.Remove(*message.abandonment.yields);
  pool_.Release(handle);
  if (stream.resetting && stream.unreleased == 0) drained_.push_back(id);
}

bool SendQueue::IsConsistent(const Stream& stream) const {
  size_t waiting = 0;
  size_t buffered = 0;
  MessageHandle previous = kNoMessage;
  for (MessageHandle at = stream.head; at != kNoMessage; previous = at, at = pool_[at].next) {
    const OutgoingMessage& message = pool_[at];
    if (message.previous != previous || message.abandoned || (message.fragmented > 0 && at != stream.head))
      return false;
    if (message.abandonment.yields && (!yielding_.Holds(*message.abandonment.yields, at) ||
                                       message.abandonment.yields->begun != (message.fragmented > 0))) {
      return false;
    }
    if (!message.control) buffered += message.size() - message.fragmented;
    ++waiting;
  }
  return stream.tail == previous && waiting == stream.waiting && buffered == stream.buffered &&
         stream.unreleased >= waiting && stream.unreleased >= stream.numbered && ArePiecesConsistent(stream);
}

bool SendQueue::IsConsistent() const {
  size_t queued = 0;
  size_t buffered = 0;
  size_t unreleased = 0;
  size_t streams_with_turns = 0;
  for (const auto& [id, stream] : streams_) {
    if (!IsConsistent(stream)) return false;
    queued += stream.waiting;
    buffered += stream.buffered;
    unreleased += stream.unreleased;
    if (stream.waiting > 0) ++streams_with_turns;
  }
  const size_t turns = scheduler_.IsTurnPerMessage() ? queued : streams_with_turns;
  return queued == queued_messages_ && buffered == total_buffered_ && unreleased == pool_.size() &&
         turns == scheduler_.turns() && scheduler_.IsConsistent() && yielding_.size() <= unreleased;
}

}  // namespace jsp::sctp
