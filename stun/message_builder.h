#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/crypto.h"
#include "base/socket_address.h"
#include "stun/attribute_type.h"
#include "stun/message_type.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

// Composes one message (RFC 8489 §5) in the caller's buffer; no allocation. Sticky: an attribute that does not fit
// makes Finish() return an empty span. Order matters: integrity after everything it protects, fingerprint last.
class MessageBuilder {
 public:
  MessageBuilder(std::span<uint8_t> out, MessageType type, const TransactionId& id);

  MessageBuilder& Add(AttributeType type, std::span<const uint8_t> value);
  MessageBuilder& AddFlag(AttributeType type) { return Add(type, {}); }
  MessageBuilder& AddU32(AttributeType type, uint32_t value);
  MessageBuilder& AddU64(AttributeType type, uint64_t value);
  // Fails for an empty text and for one above RFC 8489's limit for that type (text_attribute.h).
  MessageBuilder& AddText(AttributeType type, std::string_view text);
  // XOR coding for the XOR-… types, plain coding for the others.
  MessageBuilder& AddAddress(AttributeType type, const SocketAddress& address);
  // ERROR-CODE (RFC 8489 §14.8): 300 to 699; the reason may be empty.
  MessageBuilder& AddError(uint16_t code, std::string_view reason);
  MessageBuilder& AddUnknownAttributes(std::span<const AttributeType> types);
  // PADDING (RFC 5780 §7.6) of `size` octets, zeros.
  MessageBuilder& AddPadding(size_t size);
  MessageBuilder& AddIntegrity(const crypto::HmacSha1Key& key);
  MessageBuilder& AddIntegritySha256(const crypto::HmacSha256Key& key);
  MessageBuilder& AddFingerprint();

  // The whole message; empty when something did not fit.
  std::span<const uint8_t> Finish();
  size_t size() const { return size_; }
  bool ok() const { return ok_; }

 private:
  std::span<uint8_t> Append(AttributeType type, size_t length);

  std::span<uint8_t> out_;
  TransactionId id_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace jsp::stun
