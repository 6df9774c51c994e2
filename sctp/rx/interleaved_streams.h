#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/buffer_pool.h"
#include "base/event_queue.h"
#include "base/payload.h"
#include "sctp/message.h"
#include "sctp/packet/chunk/data.h"
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
// A fragment in its order costs O(log messages under way), and nodes and payloads come from the pool; a message of one
// chunk in its order costs O(1). Streams cost four octets up to the highest one used.
class InterleavedStreams {
 public:
  explicit InterleavedStreams(const BufferPool& pool = {}) : pool_(pool), partials_(Partials::allocator_type(pool)) {}

  enum class Order : uint8_t { kOrdered, kUnordered };
  enum class Result : uint8_t {
    kAccepted,
    kMessageTooLarge,
    kProtocolViolation,  // a fragment twice, beyond the end, a second beginning or end (ATTACKS C-series)
  };
  // What a message under way, a fragment that came early, and a message that waits count in buffered_bytes() beyond
  // their payload: map nodes or a queue slot, and the smallest block of the pool for each payload.
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
  // For tests and fuzzing. O(n).
  bool IsConsistent() const;

 private:
  struct Key {
    StreamId stream;
    Order order;
    uint32_t mid;
    auto operator<=>(const Key&) const = default;
  };
  // A message under way: the fragments from the first on that are here, and those that came before their turn.
  struct Partial {
    explicit Partial(const BufferPool& pool) : payload(pool), early(PoolAllocator<Payload>(pool)) {}

    Payload payload;
    uint64_t next_fsn = 0;
    PoolMap<uint64_t, Payload> early;
    size_t early_octets = 0;
    std::optional<uint64_t> last_fsn;  // the E bit was seen
    Ppid ppid;
    uint64_t delivered = 0;  // octets that were given out as pieces

    bool IsWhole() const { return last_fsn && next_fsn == *last_fsn + 1; }
    size_t octets() const { return payload.size() + early_octets; }
  };
  using Partials = PoolMap<Key, Partial>;

  static size_t Charge(const Partial& partial) {
    return kPartialOverhead + partial.octets() + partial.early.size() * kEarlyOverhead;
  }
  // The next message of an ordered stream; one past the last that was skipped of unordered ones.
  uint32_t Next(StreamId stream, Order order) const;
  void SetNext(StreamId stream, Order order, uint32_t mid);
  bool IsOld(const Key& key) const;
  bool Insert(Partial& partial, const DataChunk& chunk);
  static void Join(Partial& partial);
  void Deliver(Message message);
  void DeliverPiece(StreamId stream, Partial& partial);
  void DeliverAborted(StreamId stream, const Partial& partial);
  void ReleaseFrom(StreamId stream, Delivery delivery);
  void Drop(Partials::iterator partial);
  template <class Condition>
  void DropIf(StreamId stream, Condition condition);

  BufferPool pool_;
  std::vector<uint32_t> next_ordered_;
  std::vector<uint32_t> next_unordered_;
  Partials partials_;
  EventQueue<Message> ready_;
  // Octets of the last message that had several fragments: what the next one reserves when nothing else is incomplete.
  size_t usual_size_ = 0;
  size_t ready_bytes_ = 0;
  size_t buffered_bytes_ = 0;
  uint64_t dropped_fragments_ = 0;
  uint64_t dropped_messages_ = 0;
};

}  // namespace jsp::sctp
