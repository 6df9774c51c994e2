#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/wire_layout.h"
namespace jsp {

// A deterministic random bit generator: ChaCha20 keyed by a 32-octet seed. Seeded from the operating system
// (transport/asio/system_rng) it is cryptographically strong; seeded by a number it replays a test. It is a value that
// cores get by reference, and the only source of randomness that they have.
// Every refill replaces the key, and octets are erased as they are handed out, so that who reads the memory of a
// process learns nothing about earlier ids and keys. Movable, not copyable: two copies would give the same "random"
// octets; a moved-from Rng aborts when it is used.
class Rng {
 public:
  using Seed = std::array<uint8_t, 32>;
  explicit Rng(const Seed& seed) : key_(seed) {}
  Rng(const Rng&) = delete;
  Rng& operator=(const Rng&) = delete;
  Rng(Rng&& other) noexcept;
  Rng& operator=(Rng&& other) noexcept;
  ~Rng();
  // Tests and simulations only: 64 bits of seed.
  static Rng FromNumber(uint64_t seed);

  void Fill(std::span<uint8_t> out);
  // Any std::array<uint8_t, N>, unsigned integer or strong type.
  template <class T>
  T Random() {
    if constexpr (requires(T t) { t.value; }) {
      return T(Random<typename T::rep>());
    } else if constexpr (requires(T t) { t.data(); }) {
      T out;
      Fill(out);
      return out;
    } else {
      std::array<uint8_t, sizeof(T)> bytes;
      Fill(bytes);
      return wire::Codec<T>::Load(bytes.data());
    }
  }
  // Uniform in [0, bound), without modulo bias; bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [0, 1).
  double Uniform();
  // `n` characters of the ice-char alphabet (RFC 8839 §5.1: ALPHA / DIGIT / "+" / "/"), 6 bits each.
  std::string IceChars(size_t n);
  // An independent generator, keyed from this one.
  Rng Fork();

 private:
  // A refill costs a cipher setup; 480 octets are 40 transaction ids.
  static constexpr size_t kPoolSize = 480;

  void Refill();
  void Erase();

  Seed key_;
  std::array<uint8_t, kPoolSize> pool_{};
  size_t used_ = kPoolSize;
  bool usable_ = true;
};

}  // namespace jsp
