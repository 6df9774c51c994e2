#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "stun/credentials.h"
#include "stun/long_term_key.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
namespace jsp::stun {

struct LongTermServerOptions {
  std::string realm{};  // prepared; 1 to 127 characters
  // How long a nonce is good; at most 18 hours. RFC 8656 §5: at least once every hour.
  Duration nonce_lifetime = std::chrono::hours(1);
  SecurityFeatures features{.password_algorithms = true};
  // Of the MACs: several servers with one key take each other's nonces. Random without one.
  std::optional<std::array<uint8_t, 32>> key{};
};

// The server's side of the long-term credential mechanism (RFC 8489 §9.2.4), without any state for a client: nonces are
// times under a MAC. Who the users are is the owner's affair, so a request is judged in three steps:
//
//     ReadClaim  ──►  the owner finds the user's LongTermKeys  ──►  Verify
//
// Either step answers with the code of an error response, to which AddChallenge adds what 401 and 438 need.
class LongTermServer {
 public:
  // Draws a key for its nonces, unless there is one: nonces of another key are stale.
  LongTermServer(const LongTermServerOptions& options, Rng& rng);

  // Who a request says that it is from. Views into the request.
  struct Claim {
    std::string_view username;                               // empty when there is a userhash
    std::optional<std::span<const uint8_t, 32>> userhash{};  // RFC 8489 §14.4
    PasswordAlgorithm algorithm = PasswordAlgorithm::kMd5;
    IntegrityKind response_kind = IntegrityKind::kSha1;
    bool nonce_is_fresh = false;
  };
  // The checks up to the user name. The error is 401 or 400.
  Expected<Claim, uint16_t> ReadClaim(Timestamp now, const IpAddress& source, const MessageView& request) const;
  // The checks behind it: integrity, then the nonce. The error is 401 or 438; the value protects the response.
  Expected<LongTermKey, uint16_t> Verify(const MessageView& request, const Claim& claim,
                                         const LongTermKeys& keys) const;
  // REALM, NONCE and PASSWORD-ALGORITHMS of a 401 or 438 to `client`; kMaxChallenge octets at most.
  void AddChallenge(Timestamp now, const SocketAddress& client, MessageBuilder& response) const;
  size_t ChallengeSize() const;

  // A MAC under this server's key, for other things that a client carries and must not make. Never that of a nonce.
  crypto::Sha256Digest SignOpaque(crypto::Bytes data) const;

  const std::string& realm() const { return options_.realm; }

 private:
  // Cookie, then in base64: seconds (4 octets), the port that it was given to (2), MAC (9). No two addresses get the
  // same nonce (RFC 8489 §9.2.4), but another port of the same host may use it: that saves a round trip for a second
  // allocation and for RFC 6062 §4.3's data connections.
  static constexpr size_t kBodySize = 15;
  static constexpr size_t kMacSize = 9;
  static constexpr size_t kNonceSize = kNonceCookieSize + kBodySize / 3 * 4;
  using Nonce = std::array<char, kNonceSize>;

  Nonce MakeNonce(Timestamp now, const SocketAddress& client) const;
  bool IsFresh(Timestamp now, const IpAddress& source, std::string_view nonce) const;
  std::array<uint8_t, kMacSize> Mac(std::span<const uint8_t> head, const IpAddress& source) const;
  // The value of PASSWORD-ALGORITHMS, always the same: SHA-256, MD5.
  static constexpr std::array<uint8_t, 8> kOffer{0, 2, 0, 0, 0, 1, 0, 0};

  LongTermServerOptions options_;
  std::string cookie_;
  crypto::HmacSha256Key nonce_key_;
};

}  // namespace jsp::stun
