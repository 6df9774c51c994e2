#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/buffer_pool.h"
#include "base/event_queue.h"
#include "sctp/message.h"
#include "sctp/rx/message_assembler.h"
#include "sctp/rx/numbered_table.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Puts whole messages into the order in which the application gets them: ordered ones by the stream sequence number of
// their stream, unordered ones at once (RFC 9260 §6.6). Owns the next SSN of each stream, the messages that wait for
// earlier ones, and those that are ready. ReassemblyQueue feeds it.
//
// A stream costs two octets up to the highest one that was used, so 65536 streams cost 128 KiB and a connection with a
// few low ones nearly nothing. A message costs O(1), whether it waits or not.
class StreamSequencer {
 public:
  // `hash_key` is a random number (numbered_table.h).
  explicit StreamSequencer(uint64_t hash_key = 0) : waiting_(hash_key) {}

  // What a message counts in buffered_bytes() beyond its payload: its place in the table or in the queue, and the
  // pool's smallest block.
  static constexpr size_t kMessageOverhead = 128 + BufferPool::kSmallest;

  // False when the SSN was delivered or skipped before, or waits already: the peer breaks RFC 9260 §6.5.
  [[nodiscard]] bool Add(AssembledMessage assembled);
  // RFC 3758 §3.6: SSNs up to `ssn` are not waited for any more. What has arrived of them, and what follows, becomes
  // ready. An `ssn` below the next one changes nothing.
  void Skip(StreamId stream, Ssn ssn);
  // RFC 6525 §5.2.2: the next SSN is 0. Messages that still wait are dropped.
  void Reset(StreamId stream);
  void ResetAll();

  // The message with `ssn` is the one to be given out next on its stream.
  bool IsNext(StreamId stream, Ssn ssn) const { return NextSsn(stream) == ssn; }
  // A piece of the message that is next, or the mark that it was aborted; the piece with its end goes through Add.
  void DeliverPiece(Message piece) { PushReady(std::move(piece)); }
  std::optional<Message> Pop();

  size_t buffered_bytes() const { return buffered_bytes_; }
  size_t waiting_count() const { return waiting_.size(); }
  uint64_t dropped_messages() const { return dropped_messages_; }
  // Gives back what the largest moment took, where nothing is held.
  void Trim() {
    waiting_.Trim();
    ready_.Trim();
  }
  // For tests and fuzzing: counted, and nothing waits that is next. O(waiting).
  bool IsConsistent() const;

 private:
  using WaitingTable = NumberedTable<uint16_t, Message>;  // by stream and SSN

  static size_t Charge(const Message& message) { return message.payload.size() + kMessageOverhead; }
  void PushReady(Message message);
  Ssn NextSsn(StreamId stream) const;
  void SetNextSsn(StreamId stream, Ssn ssn);
  void Release(WaitingTable::Id waiting);
  void ReleaseFrom(StreamId stream, Ssn next);
  void DropWaiting(WaitingTable::Id waiting);

  std::vector<Ssn> next_ssn_;  // by stream; a stream beyond the end has 0
  WaitingTable waiting_;
  std::vector<WaitingTable::Id> skipped_;  // while Skip works
  EventQueue<Message> ready_;
  size_t ready_bytes_ = 0;
  size_t buffered_bytes_ = 0;
  uint64_t dropped_messages_ = 0;
};

}  // namespace jsp::sctp
