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
  // How late the owner of a hundred busy associations comes round to each (measured: 12 ms).
  static constexpr Duration kMaxLateness = std::chrono::milliseconds(10);
  static constexpr Duration kAsleep = std::chrono::seconds(1);  // an owner that late was not busy

  // Ask only when there is something to send.
  bool MaySend(Timestamp now) {
    const bool may = next_ == Timestamp::Never() || next_ <= now;
    holds_back_ = holds_back_ || !may;
    return may;
  }
  // Something else than the pacer held the sender up, its application or its window.
  void HandleNothingToSend() { holds_back_ = false; }
  // `rate` 0: not paced.
  void HandleSent(Timestamp now, size_t octets, uint64_t rate) {
    if (rate == 0) {
      next_ = Timestamp::Never();
      return;
    }
    // A sender that was held up, by its application or its window, may catch up by one quantum; by more when it waited
    // for its slot, and its owner came too late: of busy associations each would get a quantum a turn, no more.
    const bool is_late = holds_back_ && next_ != Timestamp::Never() && now - next_ < kAsleep;
    const Duration most = is_late ? kMaxLateness : kQuantum;
    if (next_ == Timestamp::Never() || next_ + most < now) {
      next_ = Timestamp::FromEpoch(now - Timestamp::FromEpoch(most));
      remainder_ = 0;
    }
    const uint64_t work = octets * 1'000'000 + remainder_;
    next_ = next_ + Duration(static_cast<int64_t>(work / rate));
    remainder_ = work % rate;
  }
  // When half a quantum may go out together; ask only when MaySend denied it.
  Timestamp NextTimeout() const { return next_ + kQuantum / 2; }
  void Reset() {
    next_ = Timestamp::Never();
    holds_back_ = false;
  }

 private:
  Timestamp next_;  // Never: at once
  uint64_t remainder_ = 0;
  bool holds_back_ = false;  // since there was something to send
};

}  // namespace jsp::sctp
