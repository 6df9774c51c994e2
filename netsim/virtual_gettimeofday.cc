// Interposes the C library's gettimeofday(), which OpenSSL's DTLS reads for its retransmission timer. Inside a
// dtls::ScopedOpenSslClock the answer is the time that the core was told; outside of any it is the real time. A binary
// runs in virtual time by linking this file, and no other binary is touched (docs/dtls.md).
#include <sys/time.h>
#include <time.h>

#include <chrono>

#include "dtls/clock_shim.h"

extern "C" int gettimeofday(struct timeval* __restrict out, void* __restrict) noexcept {
  if (const auto now = jsp::dtls::CurrentOpenSslTime()) {
    const jsp::Duration since_epoch = *now - jsp::Timestamp::FromEpoch(jsp::Duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
    out->tv_sec = static_cast<decltype(out->tv_sec)>(seconds.count());
    out->tv_usec = static_cast<decltype(out->tv_usec)>((since_epoch - seconds).count());
    return 0;
  }
  struct timespec real = {};
  if (clock_gettime(CLOCK_REALTIME, &real) != 0) return -1;
  out->tv_sec = real.tv_sec;
  out->tv_usec = static_cast<decltype(out->tv_usec)>(real.tv_nsec / 1000);
  return 0;
}
