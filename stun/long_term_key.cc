#include "stun/long_term_key.h"

#include <algorithm>
namespace jsp::stun {

LongTermKeys LongTermKeys::Of(std::string_view username, std::string_view realm, std::string_view password) {
  return {LongTermKeyMd5(username, realm, password), LongTermKeySha256(username, realm, password)};
}

LongTermKey::LongTermKey(const LongTermKeys& keys, PasswordAlgorithm algorithm, IntegrityKind kind) : kind_(kind) {
  const crypto::Bytes key =
      algorithm == PasswordAlgorithm::kSha256 ? crypto::Bytes(keys.sha256) : crypto::Bytes(keys.md5);
  std::ranges::copy(key, octets_.begin());
  size_ = static_cast<uint8_t>(key.size());
}

void LongTermKey::AddIntegrity(MessageBuilder& message) const {
  if (kind_ == IntegrityKind::kSha256) {
    message.AddIntegritySha256(crypto::HmacSha256Key(octets()));
  } else {
    message.AddIntegrity(crypto::HmacSha1Key(octets()));
  }
}

IntegrityStatus LongTermKey::Verify(const MessageView& message) const {
  // "If the MESSAGE-INTEGRITY-SHA256 attribute is present, compute the value for the message integrity as described in
  // Section 14.6 …. Otherwise …" (RFC 8489 §9.2.4).
  if (message.Has(AttributeType::kMessageIntegritySha256)) {
    return message.VerifyIntegritySha256(crypto::HmacSha256Key(octets()));
  }
  if (!message.Has(AttributeType::kMessageIntegrity)) return IntegrityStatus::kAbsent;
  return message.VerifyIntegrity(crypto::HmacSha1Key(octets()));
}

}  // namespace jsp::stun
