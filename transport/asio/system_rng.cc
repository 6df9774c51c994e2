#include "transport/asio/system_rng.h"

#include <random>

namespace jsp::transport::io {

Rng SystemRng() {
  // libstdc++, libc++ and MSVC read the operating system's generator here (getrandom, RDRAND or BCryptGenRandom), and
  // throw when there is none.
  std::random_device device;
  Rng::Seed seed;
  for (auto& octet : seed) octet = static_cast<uint8_t>(device());
  return Rng(seed);
}

}  // namespace jsp::transport::io
