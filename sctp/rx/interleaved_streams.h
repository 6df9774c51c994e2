#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/buffer_pool.h"
#include "base/event_queue.h"
#include "base/payload.h"
#include "sctp/message.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/rx/numbered_table.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Joins fragments of I-DATA chunks to messages, and gives ordered ones out in the order of their stream
// (RFC 8260 §2.2.3). Fragments are found by stream, kind, message and number, never by their TSNs: those of several
// messages interleave. Owns the payload of incomplete messages, and those that wait for earlier ones or for the
// application. ReassemblyQueue feeds it when interleaving was negotiated.
//
// A stream may be read in pieces: then the ordered message that is next is given out as its fragments come, and only
// what came early is kept (RFC 9260 §6.9). Unordered messages are always whole, for pieces of several would mix.
//
// A fragment costs O(1) amortised wherever it belongs; payloads come from the pool. Streams cost four octets up to the
// highest one used.
class InterleavedStreams {
 public:
  // `hash_key` is a random number (numbered_table.h).
  explicit InterleavedStreams(const BufferPool& pool = {}, uint64_t hash_key = 0)
      : pool_(pool), partials_(hash_key), early_(hash_key) {}

  enum class Order : uint8_t { kOrdered, kUnordered };
  enum class Result : uint8_t {
    kAccepted,
    kMessageTooLarge,
    kProtocolViolation,  // a fragment twice, beyond the end, a second beginning or end (ATTACKS C-series)
  };
  // What a message under way, a fragment that came early, and a message that waits count in buffered_bytes() beyond
  // their payload: a place in a table or in the queue, and the smallest block of the pool for each payload.
  static constexpr size_t kPartialOverhead = 192 + BufferPool::kSmallest;
  static constexpr size_t kEarlyOverhead = 96 + BufferPool::kSmallest;
  static constexpr size_t kMessageOverhead = 128 + BufferPool::kSmallest;

  // A chunk with payload whose TSN was not added before. `max_message_size` in octets, 0: none. Messages that were
  // skipped or delivered before are dropped: fragments of them may still be under way.
  Result Add(const DataChunk& chunk, size_t max_message_size, Delivery delivery = Delivery::kWhole);
  // The stream is read in pieces from now on: what is here of the next message is given out.
  void HandOver(StreamId stream) { ReleaseFrom(stream, Delivery::kPieces); }
  // RFC 8260 §2.3.1: messages up to `mid` are not waited for any more; what is incomplete of them is dropped.
  void Skip(StreamId stream, Order order, Mid mid, Delivery delivery = Delivery::kWhole);
  // RFC 8260 §2.3.2: both counters of the stream are 0 again. Messages under way are dropped; like a skipped one, the
  // one that was given out in part ends with Part::kAborted.
  void Reset(StreamId stream);
  void ResetAll();

  std::optional<Message> Pop();
  bool empty() const { return ready_.empty(); }

  size_t buffered_bytes() const { return buffered_bytes_; }
  uint64_t dropped_fragments() const { return dropped_fragments_; }
  uint64_t dropped_messages() const { return dropped_messages_; }
  // Gives back what the largest moment took, where nothing is held.
  void Trim() {
    partials_.Trim();
    early_.Trim();
    ready_.Trim();
  }
  // For tests and fuzzing. O(n).
  bool IsConsistent() const;

 private:
  // A message under way: the fragments from the first on that are here. Those that came before their turn are early_'s.
  struct Partial {
    explicit Partial(const BufferPool& pool) : payload(pool) {}

    Payload payload;
    uint64_t next_fsn = 0;
    uint64_t highest_early = 0;  // of early_count fragments
    size_t early_count = 0;
    size_t early_octets = 0;
    std::optional<uint64_t> last_fsn;  // the E bit was seen
    Ppid ppid;
    uint64_t delivered = 0;  // octets that were given out as pieces

    bool IsWhole() const { return last_fsn && next_fsn == *last_fsn + 1; }
    size_t octets() const { return payload.size() + early_octets; }
  };
  using Partials = NumberedTable<uint32_t, Partial>;  // by GroupOf() and MID
  using Early = NumberedTable<uint32_t, Payload>;     // by Partials::Id and FSN

  static uint32_t GroupOf(StreamId stream, Order order) {
    return uint32_t{stream.value} << 1 | (order == Order::kUnordered ? 1 : 0);
  }
  static StreamId StreamOf(uint32_t group) { return StreamId(static_cast<uint16_t>(group >> 1)); }
  static Order OrderOf(uint32_t group) { return (group & 1) != 0 ? Order::kUnordered : Order::kOrdered; }
  static size_t Charge(const Partial& partial) {
    return kPartialOverhead + partial.octets() + partial.early_count * kEarlyOverhead;
  }
  // The next message of an ordered stream; one past the last that was skipped of unordered ones.
  uint32_t Next(StreamId stream, Order order) const;
  void SetNext(StreamId stream, Order order, uint32_t mid);
  Partials::Id Begin(const DataChunk& chunk, Order order, Delivery delivery, size_t limit);
  bool Insert(Partials::Id id, const DataChunk& chunk);
  void Join(Partials::Id id);
  Partial TakeOut(Partials::Id id);
  void Deliver(Message message);
  void DeliverPiece(StreamId stream, Partial& partial);
  void DeliverAborted(StreamId stream, const Partial& partial);
  void DeliverWhole(Partials::Id id);
  void ReleaseFrom(StreamId stream, Delivery delivery);
  void Drop(Partials::Id id);

  BufferPool pool_;
  std::vector<uint32_t> next_ordered_;
  std::vector<uint32_t> next_unordered_;
  Partials partials_;
  Early early_;
  std::vector<Partials::Id> skipped_;  // while Skip works
  EventQueue<Message> ready_;
  // Octets of the last message that had several fragments: what the next one reserves when nothing else is incomplete.
  size_t usual_size_ = 0;
  size_t ready_bytes_ = 0;
  size_t buffered_bytes_ = 0;
  uint64_t dropped_fragments_ = 0;
  uint64_t dropped_messages_ = 0;
};

}  // namespace jsp::sctp
