#include "dtls/clock_shim.h"

#include <openssl/rand.h>

#include <algorithm>
#include <span>

#include "base/rng.h"
namespace jsp::dtls {
namespace {

// gettimeofday() and RAND_bytes() have no argument that could carry a context, so these two are all the process-global
// state of the stack. The first lasts no longer than one call into OpenSSL; the second exists in simulations only.
thread_local std::optional<Timestamp> current_time;

Rng& SimulationRng() {
  static Rng rng = Rng::FromNumber(0);
  return rng;
}

int FillFromSimulation(unsigned char* out, int size) {
  if (size < 0) return 0;
  SimulationRng().Fill(std::span<uint8_t>(out, static_cast<size_t>(size)));
  return 1;
}

int IsSeeded() { return 1; }

}  // namespace

ScopedOpenSslClock::ScopedOpenSslClock(Timestamp now) : previous_(current_time) { current_time = now; }

ScopedOpenSslClock::~ScopedOpenSslClock() { current_time = previous_; }

std::optional<Timestamp> CurrentOpenSslTime() { return current_time; }

// RAND_set_rand_method is deprecated in OpenSSL 3 in favour of a provider; for a simulation the old call is simpler,
// and it reaches every generator of the library at once.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
bool SeedOpenSslRandomForSimulation(uint64_t seed) {
  static constexpr RAND_METHOD kMethod{
      .seed = nullptr,
      .bytes = &FillFromSimulation,
      .cleanup = nullptr,
      .add = nullptr,
      .pseudorand = &FillFromSimulation,
      .status = &IsSeeded,
  };
  SimulationRng() = Rng::FromNumber(seed);
  return RAND_set_rand_method(&kMethod) == 1;
}
#pragma GCC diagnostic pop

}  // namespace jsp::dtls
