#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/buffer_pool.h"
#include "sctp/message.h"
#include "sctp/tx/message_pool.h"
namespace jsp::sctp {

// The messages that may be given up to make room in the send buffer (RFC 7496 §3.2), in the order in which they would
// be. Owned by SendQueue, which says when one of them begins to be sent and when it is done with. O(log n) each.
class YieldingMessages {
 public:
  explicit YieldingMessages(const BufferPool& pool = {}) : waiting_(PoolAllocator<Entry>(pool)) {}

  // What a message with `options` gives way to, or nullopt if to nothing.
  static std::optional<uint64_t> RankOf(const SendOptions& options) {
    if (options.replaceable) return kReplaceable;
    if (options.buffer_priority) return *options.buffer_priority;
    return std::nullopt;
  }
  // The lowest rank that gives way to a message with `options`. RFC 7496 §3.2: "User messages sent reliably are
  // considered to have a priority higher than all messages sent with the Priority Policy."
  static uint64_t FloorFor(const SendOptions& options) {
    if (options.replaceable) return kReplaceable;
    return options.buffer_priority ? uint64_t{*options.buffer_priority} + 1 : 0;
  }

  // The key by which the message is found again.
  YieldKey Add(MessageHandle message, uint64_t rank, size_t octets) {
    const YieldKey key{.rank = rank, .begun = false, .order = next_order_++};
    waiting_.emplace(key, Entry{message, octets});
    return key;
  }
  // A part of it was sent: it goes after those that were not.
  YieldKey MarkBegun(YieldKey key) {
    const auto found = waiting_.find(key);
    const Entry entry = found->second;
    waiting_.erase(found);
    key.begun = true;
    waiting_.emplace(key, entry);
    return key;
  }
  void Remove(const YieldKey& key) { waiting_.erase(key); }
  void Clear() { waiting_.clear(); }

  // The message to give up next for one of `floor`.
  std::optional<MessageHandle> Next(uint64_t floor) const {
    if (waiting_.empty() || waiting_.begin()->first.rank < floor) return std::nullopt;
    return waiting_.begin()->second.message;
  }
  // Whether giving up messages can free `octets`. Looks at no more of them than it would take.
  bool CanFree(uint64_t floor, size_t octets) const {
    size_t freed = 0;
    for (auto it = waiting_.begin(); freed < octets; ++it) {
      if (it == waiting_.end() || it->first.rank < floor) return false;
      freed += it->second.octets;
    }
    return true;
  }
  size_t size() const { return waiting_.size(); }
  // For tests and debug checks.
  bool Holds(const YieldKey& key, MessageHandle message) const {
    const auto it = waiting_.find(key);
    return it != waiting_.end() && it->second.message == message;
  }

 private:
  static constexpr uint64_t kReplaceable = uint64_t{1} << 32;  // below every priority
  struct Entry {
    MessageHandle message;
    size_t octets;
  };

  PoolMap<YieldKey, Entry> waiting_;
  uint64_t next_order_ = 0;
};

}  // namespace jsp::sctp
