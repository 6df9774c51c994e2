#include "stun/message_builder.h"

#include <algorithm>

#include "base/wire_layout.h"
#include "stun/address_attribute.h"
#include "stun/error_code.h"
#include "stun/fingerprint.h"
#include "stun/integrity.h"
#include "stun/message_view.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

constexpr size_t kAttributeHeader = 4;
constexpr size_t kMaxMessage = 0xffff;  // what MessageView reads

}  // namespace

MessageBuilder::MessageBuilder(std::span<uint8_t> out, MessageType type, const TransactionId& id)
    : out_(out.first(std::min(out.size(), kMaxMessage))), id_(id) {
  ok_ = out_.size() >= kHeaderSize;
  if (!ok_) return;
  wire::Codec<uint16_t>::Store(out_.data(), type.ToWire());
  wire::Codec<uint16_t>::Store(out_.data() + 2, uint16_t{0});
  wire::Codec<uint32_t>::Store(out_.data() + 4, kMagicCookie);
  std::ranges::copy(id_.octets, out_.begin() + 8);
  size_ = kHeaderSize;
}

// RFC 8489 §14: the length excludes the padding, and "the padding bits MUST be set to zero on sending".
std::span<uint8_t> MessageBuilder::Append(AttributeType type, size_t length) {
  const size_t padded = (length + 3) & ~size_t{3};
  if (!ok_ || length > kMaxMessage || kAttributeHeader + padded > out_.size() - size_) {
    ok_ = false;
    return {};
  }
  uint8_t* header = out_.data() + size_;
  wire::Codec<uint16_t>::Store(header, static_cast<uint16_t>(type));
  wire::Codec<uint16_t>::Store(header + 2, static_cast<uint16_t>(length));
  const auto value = out_.subspan(size_ + kAttributeHeader, length);
  std::fill_n(header + kAttributeHeader + length, padded - length, uint8_t{0});
  size_ += kAttributeHeader + padded;
  wire::Codec<uint16_t>::Store(out_.data() + 2, static_cast<uint16_t>(size_ - kHeaderSize));
  return value;
}

MessageBuilder& MessageBuilder::Add(AttributeType type, std::span<const uint8_t> value) {
  if (const auto room = Append(type, value.size()); ok_) std::ranges::copy(value, room.begin());
  return *this;
}

MessageBuilder& MessageBuilder::AddU32(AttributeType type, uint32_t value) {
  if (const auto room = Append(type, sizeof(value)); ok_) wire::Codec<uint32_t>::Store(room.data(), value);
  return *this;
}

MessageBuilder& MessageBuilder::AddU64(AttributeType type, uint64_t value) {
  if (const auto room = Append(type, sizeof(value)); ok_) wire::Codec<uint64_t>::Store(room.data(), value);
  return *this;
}

MessageBuilder& MessageBuilder::AddText(AttributeType type, std::string_view text) {
  ok_ = ok_ && MaySendText(type, text);
  return ok_ ? Add(type, crypto::AsBytes(text)) : *this;
}

MessageBuilder& MessageBuilder::AddAddress(AttributeType type, const SocketAddress& address) {
  if (const auto room = Append(type, AddressValueSize(address)); ok_) WriteAddress(type, address, id_, room);
  return *this;
}

MessageBuilder& MessageBuilder::AddError(uint16_t code, std::string_view reason) {
  ok_ = ok_ && MaySendError(code, reason);
  if (!ok_) return *this;
  const auto room = Append(AttributeType::kErrorCode, 4 + reason.size());
  if (ok_) WriteErrorCode(code, reason, room);
  return *this;
}

MessageBuilder& MessageBuilder::AddUnknownAttributes(std::span<const AttributeType> types) {
  const auto room = Append(AttributeType::kUnknownAttributes, 2 * types.size());
  if (!ok_) return *this;
  for (size_t i = 0; i < types.size(); ++i) {
    wire::Codec<uint16_t>::Store(room.data() + 2 * i, static_cast<uint16_t>(types[i]));
  }
  return *this;
}

MessageBuilder& MessageBuilder::AddPadding(size_t size) {
  if (const auto room = Append(AttributeType::kPadding, size); ok_) std::ranges::fill(room, uint8_t{0});
  return *this;
}

MessageBuilder& MessageBuilder::AddIntegrity(const crypto::HmacSha1Key& key) {
  if (!ok_) return *this;
  return Add(AttributeType::kMessageIntegrity, ComputeIntegrity(key, out_.first(size_)));
}

MessageBuilder& MessageBuilder::AddIntegritySha256(const crypto::HmacSha256Key& key) {
  if (!ok_) return *this;
  return Add(AttributeType::kMessageIntegritySha256,
             ComputeIntegritySha256(key, out_.first(size_), kIntegritySha256Size));
}

MessageBuilder& MessageBuilder::AddFingerprint() {
  return ok_ ? AddU32(AttributeType::kFingerprint, ComputeFingerprint(out_.first(size_))) : *this;
}

std::span<const uint8_t> MessageBuilder::Finish() { return ok_ ? out_.first(size_) : std::span<const uint8_t>{}; }

}  // namespace jsp::stun
