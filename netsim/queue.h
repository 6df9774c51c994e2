#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
namespace jsp::netsim {

// The drop-tail queue in front of a link of limited rate, as arithmetic: a packet's departure is known when it enters,
// so nothing is stored. Rate 0 is unlimited.
class DropTailQueue {
 public:
  DropTailQueue(uint64_t bytes_per_second, size_t limit_bytes) : rate_(bytes_per_second), limit_(limit_bytes) {}

  // Octets that have not left at `now`.
  uint64_t Waiting(Timestamp now) const {
    if (free_at_ == Timestamp::Never() || free_at_ < now) return 0;
    return static_cast<uint64_t>((free_at_ - now).count()) * rate_ / 1'000'000;
  }
  // When the last octet of the packet will have left; nullopt when the queue has no room for it.
  std::optional<Timestamp> Enter(Timestamp now, size_t bytes) {
    if (rate_ == 0) return now;
    const bool idle = free_at_ == Timestamp::Never() || free_at_ < now;
    const Timestamp start = idle ? now : free_at_;
    if (idle) remainder_ = 0;
    if (Waiting(now) + bytes > limit_) return std::nullopt;
    // What is less than a microsecond is carried over, or a fast link would be faster than it says.
    const uint64_t work = bytes * 1'000'000 + remainder_;
    free_at_ = start + Duration(static_cast<int64_t>(work / rate_));
    remainder_ = work % rate_;
    return free_at_;
  }

 private:
  uint64_t rate_;
  size_t limit_;
  uint64_t remainder_ = 0;  // octets × 10^6, below rate_
  Timestamp free_at_;
};

}  // namespace jsp::netsim
