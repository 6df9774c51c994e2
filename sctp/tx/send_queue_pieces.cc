// Messages that SendQueue takes in pieces, and how what is queued of a user message is dropped.
#include <utility>

#include "sctp/tx/send_queue.h"
namespace jsp::sctp {

void SendQueue::LinkPiece(Stream& stream, MessageHandle handle, const SendOptions& options) {
  OutgoingMessage& piece = pool_[handle];
  if (Begins(piece.message.part)) {
    stream.open = OpenMessage{.options = options, .expires_at = piece.expires_at, .first = handle};
  }
  OpenMessage& open = *stream.open;
  piece.pieces.before = open.last;
  if (open.last != kNoMessage) pool_[open.last].pieces.after = handle;
  open.last = handle;
  open.octets += piece.size();
  if (Ends(piece.message.part)) stream.open.reset();
}

SendQueue::Open SendQueue::open(StreamId id) const {
  const Stream* stream = Find(id);
  if (stream == nullptr || !stream->open) return Open::kNone;
  return stream->open->abandoned ? Open::kAbandoned : Open::kOpen;
}

uint64_t SendQueue::open_octets(StreamId id) const {
  const Stream* stream = Find(id);
  return stream == nullptr || !stream->open ? 0 : stream->open->octets;
}

void SendQueue::ForgetOpen(StreamId id) {
  if (Stream* stream = Find(id)) stream->open.reset();
}

bool SendQueue::DropRest(MessageHandle handle) {
  OutgoingMessage& message = pool_[handle];
  Stream* stream = Find(message.message.stream);
  if (stream == nullptr || !stream->sending.has_begun) return false;
  Sending& sending = stream->sending;
  // Without a fragment of its own it goes on with what was sent last.
  if (message.fragmented == 0) message.mid = sending.mid;
  if (message.mid != sending.mid || message.unordered != sending.unordered) return false;
  sending.has_begun = false;
  DropQueued(*stream, handle);
  return true;
}

// The pieces of the user message at the head of the stream; of those that have no fragment only `keep` stays here.
void SendQueue::DropQueued(Stream& stream, MessageHandle keep) {
  Part part = Part::kMiddle;
  StreamId id{0};
  size_t dropped = 0;
  MessageHandle head = stream.head;
  while (head != kNoMessage && (dropped == 0 || !Begins(pool_[head].message.part))) {
    const OutgoingMessage& piece = pool_[head];
    const MessageHandle next = piece.next;
    part = piece.message.part;
    id = piece.message.stream;
    TakeFromBuffered(stream, piece, piece.size() - piece.fragmented);
    if (piece.fragmented == 0 && head != keep) ReleaseFrom(stream, head);
    head = next;
    ++dropped;
  }
  if (dropped > 0) {
    stream.head = head;
    (head == kNoMessage ? stream.tail : pool_[head].previous) = kNoMessage;
    stream.waiting -= dropped;
    queued_messages_ -= dropped;
    scheduler_.MessageDone(id, 0, stream.waiting);
    if (dropped > 1) scheduler_.MessagesRemoved(id, 0, dropped - 1, stream.waiting);
    current_ = nullptr;
  }
  // A message that is open now and not this one has its beginning in the queue.
  if (!Ends(part) && stream.open && stream.head == kNoMessage) stream.open->abandoned = true;
}

std::optional<MessageHandle> SendQueue::CloseOpen(StreamId id) {
  Stream& stream = *Find(id);
  const OpenMessage open = *std::exchange(stream.open, std::nullopt);
  if (open.abandoned) return std::nullopt;
  MessageHandle piece = open.has_begun ? stream.head : open.first;
  if (piece == kNoMessage) piece = open.last;
  if (piece == kNoMessage) {
    // All that was sent of it is acknowledged and gone; something has to bear its number.
    OutgoingMessage empty;
    empty.message = {.stream = id, .ppid = {}, .payload = {}, .part = Part::kMiddle};
    empty.unordered = open.options.unordered;
    ++stream.unreleased;
    piece = pool_.Add(std::move(empty));
  }
  pool_[piece].abandonment.policy = AbandonPolicy::kApplication;
  if (open.has_begun) return piece;
  NoteAbandoned(piece);
  DropOpen(id, stream, piece);
  return std::nullopt;
}

// All of the open message, from its first piece on. Nothing of it was sent, and nothing follows it.
void SendQueue::DropOpen(StreamId id, Stream& stream, MessageHandle first) {
  const MessageHandle before = pool_[first].previous;
  (before == kNoMessage ? stream.head : pool_[before].next) = kNoMessage;
  stream.tail = before;
  size_t dropped = 0;
  for (MessageHandle handle = first; handle != kNoMessage; ++dropped) {
    const OutgoingMessage& piece = pool_[handle];
    const MessageHandle next = piece.next;
    TakeFromBuffered(stream, piece, piece.size());
    ReleaseFrom(stream, handle);
    handle = next;
  }
  stream.waiting -= dropped;
  queued_messages_ -= dropped;
  scheduler_.MessagesRemoved(id, stream.waiting, dropped, stream.waiting);
  // A turn that had begun goes on; one for this message may be another's now.
  if (current_ == &stream && before == kNoMessage) current_ = nullptr;
}

bool SendQueue::ArePiecesConsistent(const Stream& stream) const {
  const MessageHandle head = stream.head;
  // What goes on was begun.
  const bool goes_on = head != kNoMessage && (pool_[head].fragmented > 0 || !Begins(pool_[head].message.part));
  if (goes_on && !stream.sending.has_begun) return false;
  for (MessageHandle at = head; at != kNoMessage; at = pool_[at].next) {
    const OutgoingMessage& piece = pool_[at];
    if (piece.next == kNoMessage) break;
    const OutgoingMessage& next = pool_[piece.next];
    const bool is_same = !Begins(next.message.part);
    if (is_same != !Ends(piece.message.part) || is_same != (piece.pieces.after == piece.next)) return false;
    if (is_same && (next.pieces.before != at || next.unordered != piece.unordered)) return false;
  }
  if (!stream.open) return true;
  const OpenMessage& open = *stream.open;
  if (open.abandoned) return head == kNoMessage;
  // Its pieces are the last ones of the queue; those before them may be outstanding.
  if (open.last == kNoMessage) return head == kNoMessage && open.has_begun;
  const bool ends = Ends(pool_[open.last].message.part) || pool_[open.last].pieces.after != kNoMessage;
  return !ends && (head == kNoMessage || stream.tail == open.last);
}

}  // namespace jsp::sctp
