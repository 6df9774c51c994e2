#include "stun/long_term_server.h"

#include <algorithm>

#include "base/wire_layout.h"
#include "stun/error_code.h"
namespace jsp::stun {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr size_t kHeadSize = 6;  // seconds and port

uint32_t Seconds(Timestamp now) {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(now - Timestamp::FromEpoch(Duration::zero()));
  return static_cast<uint32_t>(since.count());
}

size_t Padded(size_t size) { return (size + 3) & ~size_t{3}; }

// Base64 of a multiple of three octets, where neither side needs an allocation.
void Encode(std::span<const uint8_t> in, std::span<char> out) {
  for (size_t i = 0; i < in.size() / 3; ++i) {
    const uint32_t bits = uint32_t{in[3 * i]} << 16 | uint32_t{in[3 * i + 1]} << 8 | in[3 * i + 2];
    for (size_t k = 0; k < 4; ++k) out[4 * i + k] = kBase64[bits >> (18 - 6 * k) & 0x3f];
  }
}

bool Decode(std::string_view in, std::span<uint8_t> out) {
  for (size_t i = 0; i < in.size() / 4; ++i) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; ++k) {
      const size_t digit = kBase64.find(in[4 * i + k]);
      if (digit == std::string_view::npos) return false;
      bits = bits << 6 | static_cast<uint32_t>(digit);
    }
    for (size_t k = 0; k < 3; ++k) out[3 * i + k] = static_cast<uint8_t>(bits >> (16 - 8 * k));
  }
  return true;
}

}  // namespace

LongTermServer::LongTermServer(const LongTermServerOptions& options, Rng& rng)
    : options_(options),
      cookie_(NonceCookie(options.features)),
      nonce_key_(options.key ? *options.key : rng.Random<std::array<uint8_t, 32>>()) {}

std::array<uint8_t, LongTermServer::kMacSize> LongTermServer::Mac(std::span<const uint8_t> head,
                                                                  const IpAddress& source) const {
  // The cookie is under the MAC, so that nobody on the path can take a feature away (RFC 8489 §9.2.1).
  const std::array<crypto::Bytes, 3> parts{crypto::AsBytes(cookie_), head, source.octets()};
  const crypto::Sha256Digest digest = nonce_key_.Sign(parts);
  std::array<uint8_t, kMacSize> mac;
  std::copy_n(digest.begin(), mac.size(), mac.begin());
  return mac;
}

crypto::Sha256Digest LongTermServer::SignOpaque(crypto::Bytes data) const {
  // Another first part than a nonce's cookie, and another number of octets.
  const std::array<crypto::Bytes, 2> parts{crypto::AsBytes("opaque"), data};
  return nonce_key_.Sign(parts);
}

LongTermServer::Nonce LongTermServer::MakeNonce(Timestamp now, const SocketAddress& client) const {
  std::array<uint8_t, kBodySize> body;
  wire::Codec<uint32_t>::Store(body.data(), Seconds(now));
  wire::Codec<uint16_t>::Store(body.data() + 4, client.port);
  std::ranges::copy(Mac(std::span(body).first(kHeadSize), client.ip), body.begin() + kHeadSize);
  Nonce nonce;
  std::ranges::copy(cookie_, nonce.begin());
  Encode(body, std::span(nonce).subspan(kNonceCookieSize));
  return nonce;
}

bool LongTermServer::IsFresh(Timestamp now, const IpAddress& source, std::string_view nonce) const {
  std::array<uint8_t, kBodySize> body;
  if (nonce.size() != kNonceSize || !nonce.starts_with(cookie_)) return false;
  if (!Decode(nonce.substr(kNonceCookieSize), body)) return false;
  const auto head = std::span<const uint8_t>(body).first(kHeadSize);
  if (!crypto::EqualConstantTime(Mac(head, source), std::span(body).subspan(kHeadSize))) return false;
  const uint32_t age = Seconds(now) - wire::Codec<uint32_t>::Load(body.data());
  return std::chrono::seconds(age) < options_.nonce_lifetime;
}

Expected<LongTermServer::Claim, uint16_t> LongTermServer::ReadClaim(Timestamp now, const IpAddress& source,
                                                                    const MessageView& request) const {
  using Result = Unexpected<uint16_t>;
  const bool protected_by_either =
      request.Has(AttributeType::kMessageIntegrity) || request.Has(AttributeType::kMessageIntegritySha256);
  if (!protected_by_either) return Result(error_code::kUnauthenticated);

  Claim claim;
  claim.username = request.FindText(AttributeType::kUsername).value_or("");
  if (const auto userhash = request.Find(AttributeType::kUserhash); claim.username.empty() && userhash) {
    if (userhash->size() == 32) claim.userhash.emplace(userhash->first<32>());
  }
  const auto nonce = request.FindText(AttributeType::kNonce);
  const bool named = !claim.username.empty() || claim.userhash;
  if (!named || !nonce || !request.FindText(AttributeType::kRealm)) return Result(error_code::kBadRequest);

  const auto features = ParseNonceCookie(*nonce);
  if (options_.features.password_algorithms && features && features->password_algorithms) {
    const auto offer = request.Find(AttributeType::kPasswordAlgorithms);
    const auto chosen = request.Find(AttributeType::kPasswordAlgorithm);
    if (offer || chosen) {
      // RFC 8489 §9.2.4: both, the first "matches the value sent in the response that sent this NONCE", and the second
      // "matches one of the entries".
      if (!offer || !chosen || !std::ranges::equal(*offer, kOffer)) return Result(error_code::kBadRequest);
      const auto entry = ParsePasswordAlgorithm(*chosen);
      const bool known =
          entry && entry->parameters.empty() &&
          (entry->algorithm == PasswordAlgorithm::kMd5 || entry->algorithm == PasswordAlgorithm::kSha256);
      if (!known) return Result(error_code::kBadRequest);
      claim.algorithm = entry->algorithm;
      claim.response_kind = IntegrityKind::kSha256;
    }
  }
  claim.nonce_is_fresh = IsFresh(now, source, *nonce);
  return claim;
}

Expected<LongTermKey, uint16_t> LongTermServer::Verify(const MessageView& request, const Claim& claim,
                                                       const LongTermKeys& keys) const {
  const LongTermKey key(keys, claim.algorithm, claim.response_kind);
  if (key.Verify(request) != IntegrityStatus::kValid) return Unexpected<uint16_t>(error_code::kUnauthenticated);
  if (!claim.nonce_is_fresh) return Unexpected<uint16_t>(error_code::kStaleNonce);
  return key;
}

void LongTermServer::AddChallenge(Timestamp now, const SocketAddress& client, MessageBuilder& response) const {
  const Nonce nonce = MakeNonce(now, client);
  response.AddText(AttributeType::kRealm, options_.realm);
  response.AddText(AttributeType::kNonce, std::string_view(nonce.data(), nonce.size()));
  if (options_.features.password_algorithms) response.Add(AttributeType::kPasswordAlgorithms, kOffer);
}

size_t LongTermServer::ChallengeSize() const {
  const size_t offer = options_.features.password_algorithms ? 4 + kOffer.size() : 0;
  return 4 + Padded(options_.realm.size()) + 4 + Padded(kNonceSize) + offer;
}

}  // namespace jsp::stun
