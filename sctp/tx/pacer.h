#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
namespace jsp::sctp {

// Spaces packets by a rate (octets a second), so that a window does not leave as one burst. A timer that fires for each
// packet would cost more than it helps: what a millisecond carries may go out together. Owned by RetransmissionQueue,
// which asks before each packet of DATA.
class Pacer {
 public:
  static constexpr Duration kQuantum = std::chrono::milliseconds(1);

  bool MaySend(Timestamp now) const { return next_ == Timestamp::Never() || next_ <= now; }
  // `rate` 0: not paced.
  void HandleSent(Timestamp now, size_t octets, uint64_t rate) {
    if (rate == 0) {
      next_ = Timestamp::Never();
      return;
    }
    // A sender that was held up, by its application or its window, may catch up by one quantum.
    if (next_ == Timestamp::Never() || next_ + kQuantum < now) {
      next_ = Timestamp::FromEpoch(now - Timestamp::FromEpoch(kQuantum));
      remainder_ = 0;
    }
    const uint64_t work = octets * 1'000'000 + remainder_;
    next_ = next_ + Duration(static_cast<int64_t>(work / rate));
    remainder_ = work % rate;
  }
  // When half a quantum may go out together; ask only when MaySend denied it.
  Timestamp NextTimeout() const { return next_ + kQuantum / 2; }
  void Reset() { next_ = Timestamp::Never(); }

 private:
  Timestamp next_;  // Never: at once
  uint64_t remainder_ = 0;
};

}  // namespace jsp::sctp
