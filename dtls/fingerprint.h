#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
namespace jsp::dtls {

// RFC 8122 §5: hash functions in ascending preference; anything else is unknown.
enum class HashFunction : uint8_t { kSha1, kSha224, kSha256, kSha384, kSha512 };

// A certificate's digest as an SDP a=fingerprint line carries it.
struct Fingerprint {
  HashFunction hash = HashFunction::kSha256;
  std::vector<uint8_t> digest;
  bool operator==(const Fingerprint&) const = default;
  // "sha-256 AB:CD:…" (upper or lower case); nullopt for an unknown hash or a digest of the wrong size.
  static std::optional<Fingerprint> Parse(std::string_view value);
  std::string ToString() const;
};

// The digest of a DER certificate.
Fingerprint ComputeFingerprint(HashFunction hash, std::span<const uint8_t> der);

// RFC 8122 §5.1: among the fingerprints that the peer signalled, only those of the most preferred hash function count;
// the certificate must match one of them. An empty list matches nothing. Constant time in the digest.
bool MatchesFingerprints(std::span<const Fingerprint> signalled, std::span<const uint8_t> der);

}  // namespace jsp::dtls
