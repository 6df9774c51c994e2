#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/crypto.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/time.h"
#include "sctp/association/capabilities.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 9260 §5.2.2: names an existing association to its own end, without telling its verification tags. Zero: none.
struct TieTags {
  uint32_t local = 0;
  uint32_t peer = 0;
  bool operator==(const TieTags&) const = default;
};

// Everything a responder needs to make an association out of a COOKIE ECHO: numbers only, never an address or a
// pointer.
struct StateCookie {
  Timestamp created;
  Duration lifetime{};  // RFC 9260 §5.1.3: the lifespan
  uint16_t local_port = 0;
  uint16_t remote_port = 0;
  TieTags tie_tags;
  Agreement agreement;
  bool operator==(const StateCookie&) const = default;
};

enum class CookieError : uint8_t { kWrongSize, kWrongMac };

// Seals and opens state cookies (RFC 9260 §5.1.3, §5.1.5): one association's secret key, HMAC-SHA-256. Not encrypted,
// because nothing in it is secret to the peer. Whether a cookie that opens is also timely and within our own limits is
// for handshake to say.
class CookieJar {
 public:
  static constexpr size_t kPlainSize = 56;
  static constexpr size_t kSize = kPlainSize + std::tuple_size_v<crypto::Sha256Digest>;
  using Sealed = std::array<uint8_t, kSize>;

  explicit CookieJar(Rng& rng);
  Sealed Seal(const StateCookie& cookie) const;
  Expected<StateCookie, CookieError> Open(std::span<const uint8_t> sealed) const;
  // A number that follows from the key and tells nothing of it: for hash tables that a peer fills (numbered_table.h).
  uint64_t hash_key() const;

 private:
  crypto::HmacSha256Key key_;
};

}  // namespace jsp::sctp
