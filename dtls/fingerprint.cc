#include "dtls/fingerprint.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/crypto.h"
namespace jsp::dtls {
namespace {

struct HashInfo {
  HashFunction hash;
  std::string_view name;  // RFC 8122 §5, hash-func
  size_t size;
  const EVP_MD* (*md)();
};

// RFC 8122 §5: MD5 and MD2 must not be used, so they are unknown here.
constexpr std::array<HashInfo, 5> kHashes{{
    {HashFunction::kSha1, "sha-1", 20, &EVP_sha1},
    {HashFunction::kSha224, "sha-224", 28, &EVP_sha224},
    {HashFunction::kSha256, "sha-256", 32, &EVP_sha256},
    {HashFunction::kSha384, "sha-384", 48, &EVP_sha384},
    {HashFunction::kSha512, "sha-512", 64, &EVP_sha512},
}};

const HashInfo& InfoOf(HashFunction hash) {
  const auto index = static_cast<size_t>(hash);
  JSP_CHECK(index < kHashes.size());
  return kHashes[index];
}

char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

const HashInfo* FindHash(std::string_view name) {
  const auto equal = [](char a, char b) { return LowerCase(a) == b; };
  for (const HashInfo& info : kHashes) {
    if (std::ranges::equal(name, info.name, equal)) return &info;
  }
  return nullptr;
}

std::optional<uint8_t> ParseNibble(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  const char lower = LowerCase(c);
  if (lower >= 'a' && lower <= 'f') return static_cast<uint8_t>(lower - 'a' + 10);
  return std::nullopt;
}

}  // namespace

std::optional<Fingerprint> Fingerprint::Parse(std::string_view value) {
  const size_t space = value.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const HashInfo* info = FindHash(value.substr(0, space));
  const std::string_view hex = value.substr(space + 1);
  // RFC 8122 §5: "fingerprint = 2UHEX *(":" 2UHEX)". Lower case is read too; we write upper case.
  if (info == nullptr || hex.size() != info->size * 3 - 1) return std::nullopt;
  Fingerprint fingerprint{info->hash, std::vector<uint8_t>(info->size)};
  for (size_t i = 0; i < info->size; ++i) {
    const auto high = ParseNibble(hex[3 * i]);
    const auto low = ParseNibble(hex[3 * i + 1]);
    const bool separated = i + 1 == info->size || hex[3 * i + 2] == ':';
    if (!high || !low || !separated) return std::nullopt;
    fingerprint.digest[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return fingerprint;
}

std::string Fingerprint::ToString() const {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out(InfoOf(hash).name);
  char separator = ' ';
  for (const uint8_t octet : digest) {
    out += std::exchange(separator, ':');
    out += kDigits[octet >> 4];
    out += kDigits[octet & 15];
  }
  return out;
}

Fingerprint ComputeFingerprint(HashFunction hash, std::span<const uint8_t> der) {
  const HashInfo& info = InfoOf(hash);
  Fingerprint fingerprint{hash, std::vector<uint8_t>(info.size)};
  unsigned int size = 0;
  JSP_CHECK(EVP_Digest(der.data(), der.size(), fingerprint.digest.data(), &size, info.md(), nullptr) == 1);
  JSP_CHECK(size == info.size);
  return fingerprint;
}

bool MatchesFingerprints(std::span<const Fingerprint> signalled, std::span<const uint8_t> der) {
  if (signalled.empty()) return false;
  // RFC 8122 §5.1: "An endpoint MUST select the set of fingerprints that use its most preferred hash function (out of
  // those offered by the peer) and verify that each certificate used matches one fingerprint out of that set."
  const HashFunction preferred = std::ranges::max_element(signalled, {}, &Fingerprint::hash)->hash;
  const Fingerprint actual = ComputeFingerprint(preferred, der);
  bool matches = false;
  for (const Fingerprint& candidate : signalled) {
    if (candidate.hash == preferred) matches |= crypto::EqualConstantTime(candidate.digest, actual.digest);
  }
  return matches;
}

}  // namespace jsp::dtls
