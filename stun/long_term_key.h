#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stun/credentials.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
namespace jsp::stun {

// Which attribute protects a request and its response (RFC 8489 §9.2.4, §9.2.5): the SHA-256 one as soon as
// PASSWORD-ALGORITHMS was exchanged, whichever algorithm made the key.
enum class IntegrityKind : uint8_t { kSha1, kSha256 };

// The two keys of one user in one realm: what a server keeps instead of the password (RFC 8656 §6).
struct LongTermKeys {
  crypto::Md5Digest md5{};
  crypto::Sha256Digest sha256{};
  bool operator==(const LongTermKeys&) const = default;
  // The texts have been through PrepareOpaqueString.
  static LongTermKeys Of(std::string_view username, std::string_view realm, std::string_view password);
};

// One key of the long-term mechanism and the attribute that it is used in. A small value: 34 octets.
class LongTermKey {
 public:
  LongTermKey() = default;
  LongTermKey(const LongTermKeys& keys, PasswordAlgorithm algorithm, IntegrityKind kind);

  IntegrityKind kind() const { return kind_; }
  std::span<const uint8_t> octets() const { return std::span(octets_).first(size_); }
  void AddIntegrity(MessageBuilder& message) const;
  // By MESSAGE-INTEGRITY-SHA256 where there is one, else by MESSAGE-INTEGRITY (RFC 8489 §9.2.4, §9.2.5).
  IntegrityStatus Verify(const MessageView& message) const;

 private:
  std::array<uint8_t, 32> octets_{};
  uint8_t size_ = 0;
  IntegrityKind kind_ = IntegrityKind::kSha1;
};

}  // namespace jsp::stun
