#pragma once
#include <optional>

#include "base/time.h"
namespace jsp::dtls {

// OpenSSL's DTLS reads gettimeofday() itself. Session wraps each of its calls into OpenSSL in a ScopedOpenSslClock; a
// binary that links netsim's virtual_gettimeofday.cc interposes the C function and answers with that time, so that
// retransmissions follow the time that the core was told. In other binaries the scope is without effect. This is the
// one documented impurity of the stack (docs/dtls.md).
class ScopedOpenSslClock {
 public:
  explicit ScopedOpenSslClock(Timestamp now);
  ~ScopedOpenSslClock();
  ScopedOpenSslClock(const ScopedOpenSslClock&) = delete;
  ScopedOpenSslClock& operator=(const ScopedOpenSslClock&) = delete;

 private:
  std::optional<Timestamp> previous_;
};

// The innermost scope's time on this thread; nullopt outside of any.
std::optional<Timestamp> CurrentOpenSslTime();

// Simulations only: makes OpenSSL's random numbers in this process follow `seed`, so that a run replays to the octet
// (signature lengths included). Returns false where the library does not allow it. Never called by production code.
bool SeedOpenSslRandomForSimulation(uint64_t seed);

}  // namespace jsp::dtls
