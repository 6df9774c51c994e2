#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// Thin, allocation-conscious wrappers over the TLS library's primitives. Only crypto.cc includes OpenSSL.
namespace jsp::crypto {

using Bytes = std::span<const uint8_t>;
using Md5Digest = std::array<uint8_t, 16>;
using Sha1Digest = std::array<uint8_t, 20>;
using Sha256Digest = std::array<uint8_t, 32>;

Md5Digest Md5(Bytes data);
Sha1Digest Sha1(Bytes data);
Sha256Digest Sha256(Bytes data);

// Incremental SHA-256, for file hashes.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(Sha256Hasher&&) noexcept;
  Sha256Hasher& operator=(Sha256Hasher&&) noexcept;
  void Update(Bytes data);
  Sha256Digest Finish();  // resets

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// HMAC (RFC 2104 §2) with a key that is used many times: the inner and outer hash states are kept, so that one MAC
// costs two short hashes and no allocation. Copyable.
class HmacSha1Key {
 public:
  explicit HmacSha1Key(Bytes key);
  // MAC over the concatenation of `parts`.
  Sha1Digest Sign(Bytes data) const;
  Sha1Digest Sign(std::span<const Bytes> parts) const;

 private:
  std::array<uint8_t, 20> inner_;  // chaining values after the padded key
  std::array<uint8_t, 20> outer_;
};

class HmacSha256Key {
 public:
  explicit HmacSha256Key(Bytes key);
  Sha256Digest Sign(Bytes data) const;
  Sha256Digest Sign(std::span<const Bytes> parts) const;

 private:
  std::array<uint8_t, 32> inner_;
  std::array<uint8_t, 32> outer_;
};

// Constant time in the content; unequal sizes are unequal.
bool EqualConstantTime(Bytes a, Bytes b);

// ChaCha20 keystream (RFC 8439 §2.4) for jsp::Rng: fills `out` from block `counter` on, under `key` and a nonce of
// zeros. At most 2^30 octets. Costs an allocation and a key setup, so ask for several blocks at once.
void ChaCha20Keystream(std::span<const uint8_t, 32> key, uint64_t counter, std::span<uint8_t> out);

// Overwrites a secret in a way that the compiler may not optimise out.
void Erase(std::span<uint8_t> secret);

// Lower-case hexadecimal, and base64 with padding (RFC 4648 §4).
std::string Hex(Bytes data);
std::string Base64(Bytes data);

inline Bytes AsBytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

}  // namespace jsp::crypto
