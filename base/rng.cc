#include "base/rng.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "base/crypto.h"

namespace jsp {

Rng Rng::FromNumber(uint64_t seed) {
  Seed octets{};
  wire::Codec<uint64_t>::Store(octets.data(), seed);
  return Rng(octets);
}

Rng::Rng(Rng&& other) noexcept : key_(other.key_), pool_(other.pool_), used_(other.used_), usable_(other.usable_) {
  other.Erase();
}

Rng& Rng::operator=(Rng&& other) noexcept {
  if (this == &other) return *this;
  key_ = other.key_;
  pool_ = other.pool_;
  used_ = other.used_;
  usable_ = other.usable_;
  other.Erase();
  return *this;
}

Rng::~Rng() { Erase(); }

void Rng::Erase() {
  crypto::Erase(key_);
  crypto::Erase(pool_);
  used_ = kPoolSize;
  usable_ = false;
}

void Rng::Refill() {
  JSP_CHECK(usable_);
  std::array<uint8_t, sizeof(Seed) + kPoolSize> fresh;
  crypto::ChaCha20Keystream(key_, 0, fresh);
  std::copy_n(fresh.begin(), key_.size(), key_.begin());
  std::copy_n(fresh.begin() + sizeof(Seed), kPoolSize, pool_.begin());
  crypto::Erase(fresh);
  used_ = 0;
}

void Rng::Fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    if (used_ == kPoolSize) Refill();
    const auto piece = std::span(pool_).subspan(used_, std::min(out.size(), kPoolSize - used_));
    std::ranges::copy(piece, out.begin());
    std::ranges::fill(piece, uint8_t{0});
    used_ += piece.size();
    out = out.subspan(piece.size());
  }
}

uint64_t Rng::Below(uint64_t bound) {
  JSP_CHECK(bound > 0);
  // Values under 2^64 mod bound would make the small remainders more frequent.
  const uint64_t threshold = (0 - bound) % bound;
  uint64_t value = Random<uint64_t>();
  while (value < threshold) value = Random<uint64_t>();
  return value % bound;
}

double Rng::Uniform() { return static_cast<double>(Random<uint64_t>() >> 11) * 0x1p-53; }

std::string Rng::IceChars(size_t n) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text(n, '\0');
  for (char& c : text) c = kAlphabet[Random<uint8_t>() & 63];
  return text;
}

Rng Rng::Fork() { return Rng(Random<Seed>()); }

}  // namespace jsp
