#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sctp/options.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Decides which stream may send next (RFC 8260 §3). With I-DATA a turn is one fragment; without, a message that has
// begun goes out whole, because its fragments must have consecutive TSNs (RFC 9260 §6.9), so turns are messages. O(1)
// per turn for the first two policies, O(log streams that wait) for the others; no allocation once a stream is known.
// Knows stream identifiers only; SendQueue owns it and the messages.
class StreamScheduler {
 public:
  using Policy = StreamScheduling;
  explicit StreamScheduler(Policy policy) : policy_(policy) {}

  // A message was queued on `stream`, which now has `waiting` of them.
  void MessageQueued(StreamId stream, size_t waiting);
  // Whose turn it is. Remains so until FragmentSent or MessageDone ends the turn.
  std::optional<StreamId> Next() const;
  // `octets` of the message of the stream whose turn it is were sent, and more of it are left.
  void FragmentSent(size_t octets);
  // The first message of `stream` was sent to its end, with these last `octets`, or dropped; `waiting` are left.
  void MessageDone(StreamId stream, size_t octets, size_t waiting);
  // `count` messages of `stream` that were not begun are gone, those behind `before` others of it; `waiting` are left.
  // At most one pass over the turns.
  void MessagesRemoved(StreamId stream, size_t before, size_t count, size_t waiting);
  // Only then does `before` matter.
  bool IsTurnPerMessage() const { return policy_ == Policy::kFirstComeFirstServed; }
  // The weight of kWeightedFair, or the priority of kPriority: larger is more (RFC 8831 §6.4: 128, 256, 512, 1024).
  void SetPriority(StreamId stream, uint16_t priority);
  // From now on a turn is one fragment.
  void SetFraming(Framing framing) { framing_ = framing; }
  // The stream and all its messages are gone; also what was known about it.
  void Remove(StreamId stream);
  void Clear();
  size_t turns() const { return IsQueue() ? turns_.size() : heap_.size(); }
  // For tests and debug checks: the next turn is the earliest, and no stream waits twice. O(n log n).
  bool IsConsistent() const;

 private:
  struct Share {
    uint16_t priority = kDefaultPriority;
    uint64_t finish = 0;  // virtual time up to which the stream has had its share
  };
  struct Turn {
    uint64_t key;    // virtual time at which it begins, or the inverse of the priority
    uint64_t order;  // among equals
    StreamId stream;
    Share* share;  // in shares_, where it stays for as long as its stream has turns
  };
  static constexpr uint16_t kDefaultPriority = 256;  // RFC 8831 §6.4: "normal"
  // Virtual time for one octet at a weight of 1; keeps a division by 65535 exact enough.
  static constexpr uint64_t kOctet = 65536;

  static bool IsLater(const Turn& a, const Turn& z) { return a.key != z.key ? a.key > z.key : a.order > z.order; }
  bool IsQueue() const { return policy_ == Policy::kFirstComeFirstServed || policy_ == Policy::kRoundRobin; }
  void Push(StreamId stream);
  void PushTurn(StreamId stream, Share& share);
  void EndTurn(size_t octets, bool comes_again);
  void RemoveTurns(StreamId stream);

  const Policy policy_;
  Framing framing_ = Framing::kData;
  boost::circular_buffer<StreamId> turns_;  // of the first two policies
  std::vector<Turn> heap_;                  // of the others, the next one first
  std::unordered_map<uint16_t, Share> shares_;
  uint64_t virtual_time_ = 0;
  uint64_t next_order_ = 0;
  size_t octets_in_turn_ = 0;
};

}  // namespace jsp::sctp
