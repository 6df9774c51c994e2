// SHA1_Init and its relatives are deprecated in OpenSSL 3 in favour of EVP_MD_CTX, which lives on the heap. They are
// the only way to keep the state of a hash inside a value and to copy it without an allocation, once or twice per STUN
// message; BoringSSL and AWS-LC have the same functions with the same states, undeprecated.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace jsp::crypto {
namespace {

// RFC 2104 §2: both hashes have blocks of 64 octets.
constexpr size_t kBlockSize = 64;
constexpr uint8_t kInnerPad = 0x36;
constexpr uint8_t kOuterPad = 0x5c;

struct Sha1Algorithm {
  using Context = SHA_CTX;
  using Digest = Sha1Digest;
  static void Init(Context& c) { SHA1_Init(&c); }
  static void Update(Context& c, Bytes data) { SHA1_Update(&c, data.data(), data.size()); }
  static void Final(Context& c, Digest& out) { SHA1_Final(out.data(), &c); }
};

struct Sha256Algorithm {
  using Context = SHA256_CTX;
  using Digest = Sha256Digest;
  static void Init(Context& c) { SHA256_Init(&c); }
  static void Update(Context& c, Bytes data) { SHA256_Update(&c, data.data(), data.size()); }
  static void Final(Context& c, Digest& out) { SHA256_Final(out.data(), &c); }
};

struct Md5Algorithm {
  using Context = MD5_CTX;
  using Digest = Md5Digest;
  static void Init(Context& c) { MD5_Init(&c); }
  static void Update(Context& c, Bytes data) { MD5_Update(&c, data.data(), data.size()); }
  static void Final(Context& c, Digest& out) { MD5_Final(out.data(), &c); }
};

template <class Algorithm>
typename Algorithm::Digest Hash(Bytes data) {
  typename Algorithm::Context context;
  typename Algorithm::Digest digest;
  Algorithm::Init(context);
  Algorithm::Update(context, data);
  Algorithm::Final(context, digest);
  return digest;
}

// Of a context that has absorbed whole blocks and no more, the chaining values say all: they stand at its front, and
// are a fifth of it.
template <class Algorithm>
void Resume(typename Algorithm::Context& context, const typename Algorithm::Digest& chaining) {
  Algorithm::Init(context);
  std::memcpy(&context, chaining.data(), chaining.size());
  context.Nl = kBlockSize * 8;
}

// Fills the chaining values after the padded key, RFC 2104 §2 steps 1, 2 and 5.
template <class Algorithm>
void KeyStates(Bytes key, typename Algorithm::Digest& inner, typename Algorithm::Digest& outer) {
  std::array<uint8_t, kBlockSize> block{};
  if (key.size() > kBlockSize) {
    std::ranges::copy(Hash<Algorithm>(key), block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  const auto absorb = [&block](uint8_t pad, typename Algorithm::Digest& chaining) {
    std::array<uint8_t, kBlockSize> padded;
    std::ranges::transform(block, padded.begin(), [pad](uint8_t b) { return static_cast<uint8_t>(b ^ pad); });
    typename Algorithm::Context context;
    Algorithm::Init(context);
    Algorithm::Update(context, padded);
    std::memcpy(chaining.data(), &context, chaining.size());
    OPENSSL_cleanse(padded.data(), padded.size());
  };
  absorb(kInnerPad, inner);
  absorb(kOuterPad, outer);
  OPENSSL_cleanse(block.data(), block.size());
}

template <class Algorithm>
typename Algorithm::Digest SignParts(const typename Algorithm::Digest& inner, const typename Algorithm::Digest& outer,
                                     std::span<const Bytes> parts) {
  typename Algorithm::Context context;
  typename Algorithm::Digest digest;
  Resume<Algorithm>(context, inner);
  for (Bytes part : parts) Algorithm::Update(context, part);
  Algorithm::Final(context, digest);
  Resume<Algorithm>(context, outer);
  Algorithm::Update(context, digest);
  Algorithm::Final(context, digest);
  return digest;
}

}  // namespace

Md5Digest Md5(Bytes data) { return Hash<Md5Algorithm>(data); }
Sha1Digest Sha1(Bytes data) { return Hash<Sha1Algorithm>(data); }
Sha256Digest Sha256(Bytes data) { return Hash<Sha256Algorithm>(data); }

struct Sha256Hasher::Impl {
  SHA256_CTX context;
};

Sha256Hasher::Sha256Hasher() : impl_(std::make_unique<Impl>()) { SHA256_Init(&impl_->context); }
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

void Sha256Hasher::Update(Bytes data) { Sha256Algorithm::Update(impl_->context, data); }

Sha256Digest Sha256Hasher::Finish() {
  Sha256Digest digest;
  Sha256Algorithm::Final(impl_->context, digest);
  SHA256_Init(&impl_->context);
  return digest;
}

HmacSha1Key::HmacSha1Key(Bytes key) { KeyStates<Sha1Algorithm>(key, inner_, outer_); }
Sha1Digest HmacSha1Key::Sign(Bytes data) const { return Sign(std::span<const Bytes>(&data, 1)); }
Sha1Digest HmacSha1Key::Sign(std::span<const Bytes> parts) const {
  return SignParts<Sha1Algorithm>(inner_, outer_, parts);
}

HmacSha256Key::HmacSha256Key(Bytes key) { KeyStates<Sha256Algorithm>(key, inner_, outer_); }
Sha256Digest HmacSha256Key::Sign(Bytes data) const { return Sign(std::span<const Bytes>(&data, 1)); }
Sha256Digest HmacSha256Key::Sign(std::span<const Bytes> parts) const {
  return SignParts<Sha256Algorithm>(inner_, outer_, parts);
}

bool EqualConstantTime(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  return a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void ChaCha20Keystream(std::span<const uint8_t, 32> key, uint64_t counter, std::span<uint8_t> out) {
  // OpenSSL's "iv" is the last row of the initial state: a 64-bit little-endian counter, then 64 bits of nonce.
  std::array<uint8_t, 16> iv{};
  for (size_t i = 0; i < 8; ++i) iv[i] = static_cast<uint8_t>(counter >> (8 * i));
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  JSP_CHECK(context != nullptr);
  JSP_CHECK(EVP_EncryptInit_ex(context.get(), EVP_chacha20(), nullptr, key.data(), iv.data()) == 1);
  JSP_CHECK(out.size() <= size_t{1} << 30);
  std::ranges::fill(out, uint8_t{0});
  int written = 0;
  JSP_CHECK(EVP_EncryptUpdate(context.get(), out.data(), &written, out.data(), static_cast<int>(out.size())) == 1);
  JSP_CHECK(static_cast<size_t>(written) == out.size());
}

void Erase(std::span<uint8_t> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

std::string Hex(Bytes data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(data.size() * 2);
  for (uint8_t octet : data) {
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text;
}

std::string Base64(Bytes data) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((data.size() + 2) / 3 * 4);
  for (; !data.empty(); data = data.subspan(std::min<size_t>(3, data.size()))) {
    const size_t n = std::min<size_t>(3, data.size());
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < n ? data[i] : uint8_t{0});
    for (size_t i = 0; i < 4; ++i) text += i <= n ? kAlphabet[(group >> (18 - 6 * i)) & 63] : '=';
  }
  return text;
}

}  // namespace jsp::crypto
