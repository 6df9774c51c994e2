#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stun/credentials.h"
#include "stun/long_term_key.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
namespace jsp::stun {

// What a server asked for in a 401 or 438 (RFC 8489 §9.2.5). A client that keeps it may put credentials into its first
// request to the same server and save a round trip (RFC 8489 §9.2.3.2).
struct LongTermChallenge {
  std::string realm;
  std::string nonce;
  std::vector<uint8_t> password_algorithms;  // the value as it came; empty: none was offered
  PasswordAlgorithm algorithm = PasswordAlgorithm::kMd5;
  bool operator==(const LongTermChallenge&) const = default;
};

// What becomes of a request that was answered with 401 or 438.
enum class ChallengeVerdict : uint8_t {
  kRetry,             // in a new transaction, with the credentials of now
  kWrongCredentials,  // the same credentials were refused: RFC 8489 §9.2.5 forbids another try
  kBidDown,           // the nonce promises PASSWORD-ALGORITHMS and there are none: somebody took them away
  kNoAlgorithm,       // the offer is malformed, or holds nothing that we support
  kMalformed,         // no REALM or no NONCE
};

// Which algorithm of an offer is taken: the server's first that we know (RFC 8489 §9.2.5), or SHA-256 wherever it is
// offered, as TURN says (RFC 8656 §6).
enum class AlgorithmChoice : uint8_t { kFirstOffered, kSha256IfOffered };

// The client's side of the long-term credential mechanism (RFC 8489 §9.2): what it adds to requests, what it makes of
// challenges, and which responses are authentic. Owns the user name, the password and the latest challenge of one
// server; not the transactions: how often a request is tried again is bounded by who sends them.
class LongTermClient {
 public:
  // The texts have been through PrepareOpaqueString.
  LongTermClient(std::string username, std::string password, AlgorithmChoice choice);

  // Begins with what an earlier client of the same server learned. Ignored when it is not usable.
  void Adopt(const LongTermChallenge& challenge);
  // Whether requests carry credentials: after the first challenge, or after Adopt.
  bool has_challenge() const { return challenge_.has_value(); }
  const std::optional<LongTermChallenge>& challenge() const { return challenge_; }
  // Counts challenges that were taken; a request that was built under an older number may be tried again.
  uint32_t generation() const { return generation_; }

  // `code` is 401 or 438; `request_generation` is generation() when the request was built, 0 when it had no
  // credentials.
  ChallengeVerdict HandleChallenge(const MessageView& response, uint16_t code, uint32_t request_generation);
  // USERNAME or USERHASH, REALM, NONCE, PASSWORD-ALGORITHMS, PASSWORD-ALGORITHM (RFC 8489 §9.2.5). Nothing without a
  // challenge.
  void AddCredentials(MessageBuilder& request) const;
  // After everything but FINGERPRINT. Nothing without a challenge.
  void AddIntegrity(MessageBuilder& request) const;
  // Whether a response to a request with credentials is authentic; 401 and 438 never are. A response whose nonce
  // promises PASSWORD-ALGORITHMS that it lacks is kInvalid (RFC 8489 §9.2.5: "the response MUST be ignored").
  IntegrityStatus Verify(const MessageView& response) const;

 private:
  std::optional<PasswordAlgorithm> Choose(std::string_view nonce, std::optional<std::span<const uint8_t>> offer) const;
  void Take(LongTermChallenge challenge);

  std::string username_;
  std::string password_;
  AlgorithmChoice choice_;
  std::optional<LongTermChallenge> challenge_;
  LongTermKey key_;
  uint32_t generation_ = 0;
};

}  // namespace jsp::stun
