#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "base/crypto.h"
#include "base/expected.h"
#include "base/socket_address.h"
#include "base/wire_layout.h"
#include "stun/attribute_type.h"
#include "stun/integrity.h"
#include "stun/message_type.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

constexpr size_t kHeaderSize = 20;
constexpr uint32_t kMagicCookie = 0x2112a442;
// A message with more is refused. A real one has fewer than 20; TURN's CreatePermission may list as many peers as a
// datagram of 1,500 octets holds, which is 123.
constexpr size_t kMaxAttributes = 256;

enum class ParseErrc : uint8_t { kTruncated, kNotStun, kBadCookie, kBadLength, kBadAttribute, kTooManyAttributes };
struct ParseError {
  ParseErrc code;
  uint16_t offset;  // octets into the datagram
};

// One attribute, as a view into the datagram.
struct Attribute {
  AttributeType type;
  std::span<const uint8_t> value;  // without padding
  uint16_t offset;                 // of the attribute's header, octets into the message
};

enum class IntegrityStatus : uint8_t { kAbsent, kValid, kInvalid };

// A STUN message (RFC 8489 §5) as a view into the caller's datagram, which must outlive it. Parse() walks all
// attributes once, so that every later access is in bounds. Attributes that follow MESSAGE-INTEGRITY (other than
// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT), duplicates, and values of an impossible size read as absent.
class MessageView {
 public:
  // True when the first octets look like STUN (RFC 7983 §7 and the cookie); cheap, for demultiplexing.
  static bool LooksLikeStun(std::span<const uint8_t> datagram);
  // The datagram must hold exactly one message: trailing octets are an error.
  static Expected<MessageView, ParseError> Parse(std::span<const uint8_t> datagram);

  MessageType type() const { return type_; }
  Method method() const { return type_.method; }
  MessageClass message_class() const { return type_.message_class; }
  bool Is(Method m, MessageClass c) const { return type_ == MessageType{m, c}; }
  const TransactionId& transaction_id() const { return transaction_id_; }
  std::span<const uint8_t> datagram() const { return datagram_; }

  // The value of the first attribute of that type, before the integrity attributes end the message.
  std::optional<std::span<const uint8_t>> Find(AttributeType type) const;
  bool Has(AttributeType type) const { return Find(type).has_value(); }
  // Typed reads; nullopt when absent or of an impossible size.
  std::optional<uint32_t> FindU32(AttributeType type) const;
  std::optional<uint64_t> FindU64(AttributeType type) const;
  std::optional<std::string_view> FindText(AttributeType type) const;  // within RFC 8489's limit for that type
  // MAPPED-ADDRESS coding or the XOR coding of RFC 8489 §14.2, by the attribute's type.
  std::optional<SocketAddress> FindAddress(AttributeType type) const;
  // ERROR-CODE (RFC 8489 §14.8): 300–699; the reason phrase is at most 763 octets.
  struct Error {
    uint16_t code;
    std::string_view reason;
  };
  std::optional<Error> FindError() const;

  // Calls visit(Attribute) for every attribute that counts, in order; the integrity attributes and FINGERPRINT are not
  // among them.
  template <class Visit>
  void ForEachAttribute(Visit&& visit) const;

  // Comprehension-required attributes not in `known`, each once; writes at most out.size() of them, returns how many
  // were written. The integrity attributes are always known.
  size_t UnknownAttributes(std::span<const AttributeType> known, std::span<AttributeType> out) const;

  // MESSAGE-INTEGRITY (20 octets) under the key; constant-time compare. One of any other size is kInvalid, not kAbsent:
  // a message that claims integrity is never treated like one that does not.
  IntegrityStatus VerifyIntegrity(const crypto::HmacSha1Key& key) const;
  // MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6): 32 octets, or down to `min_size` (16 at least, a multiple of four) where
  // the usage explicitly allows truncation; none of ours does.
  IntegrityStatus VerifyIntegritySha256(const crypto::HmacSha256Key& key, size_t min_size = kIntegritySha256Size) const;
  // FINGERPRINT must be the last attribute.
  IntegrityStatus VerifyFingerprint() const;

 private:
  MessageView() = default;
  std::optional<ParseError> IndexAttributes();
  void NoteTrailer(AttributeType type, uint16_t offset);
  std::span<const uint8_t> ValueAt(size_t offset) const;

  std::span<const uint8_t> datagram_;
  MessageType type_;
  TransactionId transaction_id_;
  uint16_t counted_end_ = 0;       // attributes from here on do not count
  uint16_t integrity_offset_ = 0;  // 0: absent
  uint16_t integrity_sha256_offset_ = 0;
  uint16_t fingerprint_offset_ = 0;
};

template <class Visit>
void MessageView::ForEachAttribute(Visit&& visit) const {
  size_t at = kHeaderSize;
  while (at < counted_end_) {
    const uint16_t length = wire::Codec<uint16_t>::Load(datagram_.data() + at + 2);
    visit(Attribute{static_cast<AttributeType>(wire::Codec<uint16_t>::Load(datagram_.data() + at)),
                    datagram_.subspan(at + 4, length), static_cast<uint16_t>(at)});
    at += 4 + ((size_t{length} + 3) & ~size_t{3});
  }
}

}  // namespace jsp::stun
