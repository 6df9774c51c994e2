#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/types.h"
namespace jsp::sctp {

// What FORWARD TSN lists: of each stream, and with I-DATA of its unordered messages apart, the last message that is
// skipped (RFC 3758 §3.5 C4, RFC 8260 §2.3.1). Kept while Advanced.Peer.Ack.Point moves, so that a chunk costs
// O(streams listed), however many TSNs it skips. Owned by OutstandingData.
class SkippedStreams {
 public:
  // The message of `tsn` is skipped. Call in ascending order. False, with nothing noted, when `max_streams` others are
  // noted already.
  bool Note(UnwrappedTsn tsn, const SkippedMessages& message, size_t max_streams = std::numeric_limits<size_t>::max()) {
    const auto known = index_.find(KeyOf(message));
    if (known != index_.end()) {
      marks_[known->second] = {message, tsn};
      return true;
    }
    if (marks_.size() >= max_streams) return false;
    index_.emplace(KeyOf(message), static_cast<uint32_t>(marks_.size()));
    marks_.push_back({message, tsn});
    return true;
  }
  // The peer knows about everything below `first`.
  void ForgetBelow(UnwrappedTsn first) {
    if (std::erase_if(marks_, [&](const Mark& mark) { return mark.tsn < first; }) == 0) return;
    index_.clear();
    for (uint32_t i = 0; i < marks_.size(); ++i) index_.emplace(KeyOf(marks_[i].message), i);
  }
  void Clear() {
    marks_.clear();
    index_.clear();
  }
  size_t size() const { return marks_.size(); }

  // Valid until the next call that is not const.
  std::span<const SkippedStream> Streams() {
    streams_.clear();
    for (const Mark& mark : marks_) {
      streams_.push_back({mark.message.stream, Ssn(static_cast<uint16_t>(mark.message.mid.value))});
    }
    return streams_;
  }
  std::span<const SkippedMessages> Messages() {
    messages_.clear();
    for (const Mark& mark : marks_) messages_.push_back(mark.message);
    return messages_;
  }

 private:
  struct Mark {
    SkippedMessages message;
    UnwrappedTsn tsn;
  };
  static uint32_t KeyOf(const SkippedMessages& message) {
    return uint32_t{message.stream.value} << 1 | uint32_t{message.is_unordered()};
  }

  std::vector<Mark> marks_;
  boost::unordered_flat_map<uint32_t, uint32_t> index_;  // into marks_
  std::vector<SkippedStream> streams_;
  std::vector<SkippedMessages> messages_;
};

}  // namespace jsp::sctp
