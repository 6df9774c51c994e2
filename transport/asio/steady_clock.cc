#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

Timestamp Now() {
  return Timestamp::FromEpoch(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

std::chrono::steady_clock::time_point ToTimePoint(Timestamp at) {
  if (at == Timestamp::Never()) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::time_point(at - Timestamp::FromEpoch(Duration::zero()));
}

}  // namespace jsp::transport::io
