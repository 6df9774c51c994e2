#pragma once
#include <algorithm>
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sctp/types.h"
namespace jsp::sctp {

// Decides which stream may send its next message. Without interleaving a message that has begun goes out whole, because
// its fragments must have consecutive TSNs (RFC 9260 §6.9); so turns are whole messages. O(1) per message. Knows stream
// identifiers only; SendQueue owns it and the messages.
class StreamScheduler {
 public:
  enum class Policy : uint8_t {
    kFirstComeFirstServed,  // the order of Send calls, over all streams
    kRoundRobin,            // one message of each stream in turn
  };
  explicit StreamScheduler(Policy policy) : policy_(policy) {}

  // A message was queued on `stream`, which now has `waiting` of them.
  void MessageQueued(StreamId stream, size_t waiting);
  // Whose turn it is. Remains so until MessageDone.
  std::optional<StreamId> Next() const;
  // The message of the stream whose turn it is was sent whole or dropped; `waiting` are left on that stream.
  void MessageDone(size_t waiting);
  // The stream and all its messages are gone.
  void Remove(StreamId stream) { turns_.erase(std::remove(turns_.begin(), turns_.end(), stream), turns_.end()); }
  void Clear() { turns_.clear(); }

 private:
  void Push(StreamId stream);

  Policy policy_;
  boost::circular_buffer<StreamId> turns_;
};

}  // namespace jsp::sctp
