#include "stun/retransmit_schedule.h"

#include <algorithm>
namespace jsp::stun {

void RetransmitSchedule::HandleSent(Timestamp now) {
  constexpr uint32_t kMaxDoublings = 20;  // bounds the interval at a million RTOs, whatever rc is
  ++sent_;
  // RFC 8489 §6.2.1: RTO after the first request, "doubling after each retransmission"; Rm × RTO after the last.
  const Duration wait = sent_ < options_.rc ? options_.rto * (int64_t{1} << std::min(sent_ - 1, kMaxDoublings))
                                            : options_.rto * static_cast<int64_t>(options_.rm);
  deadline_ = now + wait;
}

}  // namespace jsp::stun
