#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/buffer_pool.h"
#include "base/time.h"
#include "sctp/message.h"
#include "sctp/metrics.h"
#include "sctp/tx/fragmenter.h"
#include "sctp/tx/message_pool.h"
#include "sctp/tx/stream_scheduler.h"
#include "sctp/tx/yielding_messages.h"
#include "sctp/types.h"
namespace jsp::sctp {

// May the sender give up a message (RFC 3758)? Only when the peer announced that it understands FORWARD TSN.
enum class Reliability : uint8_t { kFull, kPartial };

// All outgoing streams: a FIFO of messages each, their SSNs and their counts for buffered_amount. Owns the messages
// until they are released, knows nothing of TSNs and windows. Association puts messages in; RetransmissionQueue takes
// fragments out and releases messages. Streams exist here only while there is something to remember about them. O(1)
// per message and per fragment.
class SendQueue {
 public:
  // `max_octets` of payload may be queued and outstanding together.
  SendQueue(size_t max_octets, StreamScheduler::Policy policy, Metrics& metrics, const BufferPool& pool = {});
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // ---- the application's side. Counts are in octets of payload.
  // A piece that is not the first of its message travels with the options of the first.
  void Add(Timestamp now, Message message, const SendOptions& options);
  // The message that is sent in pieces and has no end yet; one per stream.
  enum class Open : uint8_t { kNone, kOpen, kAbandoned };
  Open open(StreamId stream) const;
  uint64_t open_octets(StreamId stream) const;  // that were added of it
  void ForgetOpen(StreamId stream);
  size_t room() const { return max_octets_ > pool_.octets() ? max_octets_ - pool_.octets() : 0; }
  // Not yet in a packet; `control` messages do not count.
  size_t buffered_amount(StreamId stream) const;
  size_t total_buffered_amount() const { return total_buffered_; }
  void SetLowThreshold(StreamId stream, size_t octets);
  bool IsLow(StreamId stream) const;
  // A stream whose buffered amount fell to or below its threshold since the last call.
  std::optional<StreamId> PopLowStream();

  // ---- the sender's side.
  // What the handshake agreed on; before the first fragment.
  void SetFraming(Framing framing);
  // The message to take the next fragment from. Messages past their lifetime that were never sent are dropped on the
  // way (RFC 3758 §4.1: "before assigning a TSN"). Stays the same until Take, and with DATA until it is
  // fragmented whole or dropped.
  std::optional<MessageHandle> Front(Timestamp now, Reliability reliability);
  // Takes `length` octets from Front(). The first fragment of an ordered message gives it its SSN (RFC 9260 §6.5).
  Fragment Take(size_t length);
  // RFC 3758 §3.5 A3: what of the user message is not in fragments yet never will be. `message` is a piece of it that
  // has fragments, or is at the head of its stream. False when it is in fragments to its end already.
  bool DropRest(MessageHandle message);
  // The application gives the open message up. A piece of it for OutstandingData to abandon; nullopt when nothing of it
  // was sent, and so nothing of it is left.
  std::optional<MessageHandle> CloseOpen(StreamId stream);
  // The peer has all of the message, or will never get it.
  void Release(MessageHandle message);
  // Counts a user message that is abandoned, by any one of its pieces.
  void NoteAbandoned(MessageHandle message);
  // The fragments of an abandoned piece are never sent again.
  void DropPayload(MessageHandle message) { pool_.DropPayload(message); }
  // Gives up a message of which nothing was sent (RFC 7496 §3.2).
  void DropUnsent(MessageHandle message);
  // Those that may be given up for want of room.
  const YieldingMessages& yielding() const { return yielding_; }
  // Of one stream (RFC 7496 §4.3), since it was last reset.
  AbandonedByPolicy abandoned(StreamId stream) const;
  OutgoingMessage& message(MessageHandle handle) { return pool_[handle]; }
  const OutgoingMessage& message(MessageHandle handle) const { return pool_[handle]; }
  bool empty() const { return queued_messages_ == 0; }
  // When a small message was last added that waits behind no other of its stream, but others wait; Never: not yet.
  Timestamp last_overtaking() const { return last_overtaking_; }
  // Neither queued nor outstanding.
  bool is_idle() const { return pool_.size() == 0; }

  // ---- resetting streams (RFC 6525 §5.1.2).
  // No further Send. The stream is drained when its last message was released.
  void BeginReset(StreamId stream);
  bool is_resetting(StreamId stream) const;
  // The same for all streams at once; who asked for it knows when they are idle.
  void BeginResetAll() { all_closed_ = true; }
  // A stream with BeginReset and nothing left to deliver, each once.
  std::optional<StreamId> PopDrained();
  enum class ResetResult : uint8_t { kPerformed, kFailed };
  // Performed: the next message has SSN 0 (RFC 6525 §5.2.7 H4). Either way Send is open again.
  void EndReset(StreamId stream, ResetResult result);
  // Performed: of all streams, also those with a BeginReset of their own. Failed: these stay closed.
  void EndResetAll(ResetResult result);
  // RFC 6525 §5.2.4 G5, RFC 6525 §5.2.7 H5: the next message of every stream has SSN 0. While nothing is outstanding.
  void ResetNumbers();
  // Nothing was sent on it since its numbers began (RFC 6525 §5.2.3); nothing that was is left to deliver.
  bool IsFresh(StreamId stream) const;
  bool AreAllFresh() const;
  bool IsDrained(StreamId stream) const;

  // The handshake allowed only the first `count` streams (RFC 9260 §5.1.1): drops what is queued on the others. Before
  // the first fragment only.
  void DropStreamsFrom(uint16_t count);
  // Idle: gives back what a peak of messages took, as far as nothing needs it.
  void Trim() { pool_.Trim(); }
  // Forgets everything: the association is closed, or the peer restarted.
  void Clear();
  // For tests and debug checks: lists, counts and turns agree. O(n).
  bool IsConsistent() const;

 private:
  // The user message whose fragments leave: the next one begins after its last fragment.
  struct Sending {
    Mid mid;
    uint32_t next_fsn = 0;
    bool has_begun = false;  // and its end is not in a fragment yet
    bool unordered = false;
  };
  struct OpenMessage {
    SendOptions options;  // of its first piece
    Timestamp expires_at;
    MessageHandle first = kNoMessage;  // valid until a fragment of it exists
    MessageHandle last = kNoMessage;   // its latest piece that is still here
    uint64_t octets = 0;
    bool has_begun = false;  // a fragment of it exists
    bool abandoned = false;
  };
  struct Stream {
    MessageHandle head = kNoMessage;
    MessageHandle tail = kNoMessage;
    size_t waiting = 0;     // messages from head to tail
    size_t unreleased = 0;  // messages waiting or outstanding
    size_t numbered = 0;    // unreleased ones that have an SSN
    size_t buffered = 0;    // octets
    size_t low_threshold = 0;
    uint16_t priority = SendOptions{}.priority;
    // The next message identifiers (RFC 8260 §2.1); of DATA's ordered messages the low 16 bits are the SSN.
    uint32_t next_ordered = 0;
    uint32_t next_unordered = 0;
    bool resetting = false;
    Sending sending;
    std::optional<OpenMessage> open;

    bool IsFresh() const { return unreleased == 0 && next_ordered == 0 && next_unordered == 0; }
  };
  // RFC 9260 §6.1: "the data sender MUST NOT have more than 2^16 - 1 ordered user messages in the current send window."
  static constexpr size_t kMaxNumbered = 65535;
  // Octets: a turn of a stream (docs/sctp.md). What is larger is bulk itself.
  static constexpr size_t kSmallMessage = 16 * 1024;

  bool IsConsistent(const Stream& stream) const;
  bool ArePiecesConsistent(const Stream& stream) const;
  Stream* Find(StreamId stream);
  const Stream* Find(StreamId stream) const { return const_cast<SendQueue*>(this)->Find(stream); }
  void MaybeErase(StreamId id, const Stream& stream);
  void LinkPiece(Stream& stream, MessageHandle handle, const SendOptions& options);
  void DropQueued(Stream& stream, MessageHandle keep);
  void DropOpen(StreamId id, Stream& stream, MessageHandle first);
  void PopFront(Stream& stream, size_t octets);
  void Unlink(Stream& stream, MessageHandle message);
  void TakeFromBuffered(Stream& stream, const OutgoingMessage& message, size_t octets);
  void ReleaseFrom(Stream& stream, MessageHandle message);

  const size_t max_octets_;
  Metrics& metrics_;
  MessagePool pool_;
  YieldingMessages yielding_;
  std::unordered_map<uint16_t, AbandonedByPolicy> abandoned_;  // of streams where it happened
  std::unordered_map<uint16_t, Stream> streams_;
  StreamScheduler scheduler_;
  Framing framing_ = Framing::kData;
  Stream* current_ = nullptr;  // whose turn it is; map nodes do not move
  bool all_closed_ = false;    // BeginResetAll
  size_t total_buffered_ = 0;
  size_t queued_messages_ = 0;
  Timestamp last_overtaking_;
  std::vector<StreamId> low_;
  std::vector<StreamId> drained_;
};

}  // namespace jsp::sctp
