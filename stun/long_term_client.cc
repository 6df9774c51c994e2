#include "stun/long_term_client.h"

#include <array>
#include <utility>

#include "stun/error_code.h"
#include "stun/text_attribute.h"
namespace jsp::stun {

LongTermClient::LongTermClient(std::string username, std::string password, AlgorithmChoice choice)
    : username_(std::move(username)), password_(std::move(password)), choice_(choice) {}

std::optional<PasswordAlgorithm> LongTermClient::Choose(std::string_view nonce,
                                                        std::optional<std::span<const uint8_t>> offer) const {
  const auto first = ChoosePasswordAlgorithm(nonce, offer);
  if (!first || !offer || choice_ == AlgorithmChoice::kFirstOffered) return first;
  // RFC 8656 §6: of MD5 and SHA-256, "the request MUST contain a PASSWORD-ALGORITHM attribute with the SHA-256
  // algorithm".
  const auto list = ParsePasswordAlgorithms(*offer);
  for (const PasswordAlgorithmEntry& entry : *list) {
    if (entry.algorithm == PasswordAlgorithm::kSha256 && entry.parameters.empty()) return entry.algorithm;
  }
  return first;
}

void LongTermClient::Take(LongTermChallenge challenge) {
  const IntegrityKind kind = challenge.password_algorithms.empty() ? IntegrityKind::kSha1 : IntegrityKind::kSha256;
  const bool same_key = challenge_ && challenge_->realm == challenge.realm &&
                        challenge_->algorithm == challenge.algorithm && key_.kind() == kind;
  if (!same_key) {
    key_ = LongTermKey(LongTermKeys::Of(username_, challenge.realm, password_), challenge.algorithm, kind);
  }
  challenge_ = std::move(challenge);
  ++generation_;
}

void LongTermClient::Adopt(const LongTermChallenge& challenge) {
  const auto offer = challenge.password_algorithms.empty()
                         ? std::nullopt
                         : std::optional(std::span<const uint8_t>(challenge.password_algorithms));
  const auto algorithm = Choose(challenge.nonce, offer);
  const bool usable = ParseText(AttributeType::kRealm, crypto::AsBytes(challenge.realm)) &&
                      ParseText(AttributeType::kNonce, crypto::AsBytes(challenge.nonce));
  if (!algorithm || !usable) return;
  LongTermChallenge taken = challenge;
  taken.algorithm = *algorithm;
  Take(std::move(taken));
}

ChallengeVerdict LongTermClient::HandleChallenge(const MessageView& response, uint16_t code,
                                                 uint32_t request_generation) {
  const auto nonce = response.FindText(AttributeType::kNonce);
  // RFC 8489 §9.2.4 has a REALM in either; one that a 438 lacks is the old one.
  auto realm = response.FindText(AttributeType::kRealm);
  if (!realm && code == error_code::kStaleNonce && challenge_) realm = challenge_->realm;
  if (!nonce || !realm) return ChallengeVerdict::kMalformed;

  const auto offer = response.Find(AttributeType::kPasswordAlgorithms);
  const auto features = ParseNonceCookie(*nonce);
  if (!offer && features && features->password_algorithms) return ChallengeVerdict::kBidDown;
  const auto algorithm = Choose(*nonce, offer);
  if (!algorithm) return ChallengeVerdict::kNoAlgorithm;

  // RFC 8489 §9.2.5: no retry "if it is not changing the USERNAME, USERHASH, REALM, or its associated password". A
  // request that was built before the latest challenge changes its nonce and its key at least.
  const bool had_credentials = request_generation != 0 && challenge_;
  if (code == error_code::kUnauthenticated && had_credentials && request_generation == generation_ &&
      challenge_->realm == *realm && challenge_->algorithm == *algorithm) {
    return ChallengeVerdict::kWrongCredentials;
  }
  LongTermChallenge taken{std::string(*realm), std::string(*nonce), {}, *algorithm};
  if (offer) taken.password_algorithms.assign(offer->begin(), offer->end());
  Take(std::move(taken));
  return ChallengeVerdict::kRetry;
}

void LongTermClient::AddCredentials(MessageBuilder& request) const {
  if (!challenge_) return;
  const auto features = ParseNonceCookie(challenge_->nonce);
  // RFC 8489 §9.2.5: with "Username anonymity", "the USERHASH attribute MUST be used; else, the USERNAME attribute".
  if (features && features->username_anonymity) {
    request.Add(AttributeType::kUserhash, Userhash(username_, challenge_->realm));
  } else {
    request.AddText(AttributeType::kUsername, username_);
  }
  // Echoed as they came, within the reader's limit, which is above the sender's.
  request.Add(AttributeType::kRealm, crypto::AsBytes(challenge_->realm));
  request.Add(AttributeType::kNonce, crypto::AsBytes(challenge_->nonce));
  if (challenge_->password_algorithms.empty()) return;
  request.Add(AttributeType::kPasswordAlgorithms, challenge_->password_algorithms);
  std::array<uint8_t, 4> chosen;
  const std::array<PasswordAlgorithm, 1> algorithm{challenge_->algorithm};
  request.Add(AttributeType::kPasswordAlgorithm, WritePasswordAlgorithms(algorithm, chosen));
}

void LongTermClient::AddIntegrity(MessageBuilder& request) const {
  if (challenge_) key_.AddIntegrity(request);
}

IntegrityStatus LongTermClient::Verify(const MessageView& response) const {
  if (!challenge_) return IntegrityStatus::kAbsent;
  if (const auto nonce = response.FindText(AttributeType::kNonce)) {
    const auto features = ParseNonceCookie(*nonce);
    const bool promised = features && features->password_algorithms;
    if (promised && !response.Has(AttributeType::kPasswordAlgorithms)) return IntegrityStatus::kInvalid;
  }
  return key_.Verify(response);
}

}  // namespace jsp::stun
