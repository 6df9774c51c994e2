#include "stun/message_view.h"

#include <algorithm>

#include "base/wire_layout.h"
#include "stun/address_attribute.h"
#include "stun/error_code.h"
#include "stun/fingerprint.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

constexpr size_t kAttributeHeader = 4;
constexpr size_t kMaxDatagram = 0xffff;  // so that every offset has 16 bits; UDP carries less

uint16_t LoadU16(std::span<const uint8_t> in, size_t offset) { return wire::Codec<uint16_t>::Load(in.data() + offset); }
uint32_t LoadU32(std::span<const uint8_t> in, size_t offset) { return wire::Codec<uint32_t>::Load(in.data() + offset); }
constexpr size_t Padded(size_t length) { return (length + 3) & ~size_t{3}; }

// RFC 8489 §5:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |0 0|     STUN Message Type     |         Message Length        |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                         Magic Cookie                          |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                     Transaction ID (96 bits)                  |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
constexpr size_t kLengthOffset = 2;
constexpr size_t kCookieOffset = 4;
constexpr size_t kTransactionIdOffset = 8;

// RFC 8489 §6.3: "the first two bits are 0, … the Magic Cookie field has the correct value, … the message length is
// sensible".
std::optional<ParseError> CheckHeader(std::span<const uint8_t> datagram) {
  if (datagram.size() < kHeaderSize) return ParseError{ParseErrc::kTruncated, static_cast<uint16_t>(datagram.size())};
  if ((datagram[0] & 0xc0) != 0) return ParseError{ParseErrc::kNotStun, 0};
  if (LoadU32(datagram, kCookieOffset) != kMagicCookie) return ParseError{ParseErrc::kBadCookie, kCookieOffset};
  const size_t length = LoadU16(datagram, kLengthOffset);
  if (length % 4 != 0 || kHeaderSize + length != datagram.size() || datagram.size() > kMaxDatagram) {
    return ParseError{ParseErrc::kBadLength, kLengthOffset};
  }
  return std::nullopt;
}

}  // namespace

bool MessageView::LooksLikeStun(std::span<const uint8_t> datagram) {
  // RFC 7983 §7: STUN's first octet is 0 to 3 where it shares a port with other protocols.
  return datagram.size() >= kHeaderSize && datagram[0] <= 3 && LoadU32(datagram, kCookieOffset) == kMagicCookie;
}

Expected<MessageView, ParseError> MessageView::Parse(std::span<const uint8_t> datagram) {
  if (const auto error = CheckHeader(datagram)) return Unexpected<ParseError>(*error);
  MessageView view;
  view.datagram_ = datagram;
  view.type_ = MessageType::FromWire(LoadU16(datagram, 0));
  std::copy_n(datagram.begin() + kTransactionIdOffset, view.transaction_id_.octets.size(),
              view.transaction_id_.octets.begin());
  if (const auto error = view.IndexAttributes()) return Unexpected<ParseError>(*error);
  return view;
}

std::optional<ParseError> MessageView::IndexAttributes() {
  const size_t size = datagram_.size();
  counted_end_ = static_cast<uint16_t>(size);
  size_t count = 0;
  for (size_t at = kHeaderSize; at < size; ++count) {
    const auto offset = static_cast<uint16_t>(at);
    if (count == kMaxAttributes) return ParseError{ParseErrc::kTooManyAttributes, offset};
    const size_t room = size - at - kAttributeHeader;  // the message's length is a multiple of four, so there are four
    const size_t padded = Padded(LoadU16(datagram_, at + 2));
    if (padded > room) return ParseError{ParseErrc::kBadAttribute, offset};
    NoteTrailer(static_cast<AttributeType>(LoadU16(datagram_, at)), offset);
    at += kAttributeHeader + padded;
  }
  return std::nullopt;
}

// RFC 8489 §9: what follows MESSAGE-INTEGRITY is ignored but for MESSAGE-INTEGRITY-SHA256 and FINGERPRINT; what follows
// MESSAGE-INTEGRITY-SHA256 is ignored but for FINGERPRINT. RFC 8489 §14.7: FINGERPRINT is the last.
void MessageView::NoteTrailer(AttributeType type, uint16_t offset) {
  uint16_t* slot = nullptr;
  bool in_order = fingerprint_offset_ == 0;
  if (type == AttributeType::kMessageIntegrity) {
    slot = &integrity_offset_;
    in_order = in_order && integrity_sha256_offset_ == 0;
  } else if (type == AttributeType::kMessageIntegritySha256) {
    slot = &integrity_sha256_offset_;
  } else if (type == AttributeType::kFingerprint) {
    slot = &fingerprint_offset_;
  } else {
    return;
  }
  if (in_order && *slot == 0) *slot = offset;
  counted_end_ = std::min(counted_end_, offset);
}

std::span<const uint8_t> MessageView::ValueAt(size_t offset) const {
  return datagram_.subspan(offset + kAttributeHeader, LoadU16(datagram_, offset + 2));
}

std::optional<std::span<const uint8_t>> MessageView::Find(AttributeType type) const {
  const auto trailer = [this](uint16_t offset) { return offset == 0 ? std::nullopt : std::optional(ValueAt(offset)); };
  if (type == AttributeType::kMessageIntegrity) return trailer(integrity_offset_);
  if (type == AttributeType::kMessageIntegritySha256) return trailer(integrity_sha256_offset_);
  if (type == AttributeType::kFingerprint) return trailer(fingerprint_offset_);
  for (size_t at = kHeaderSize; at < counted_end_; at += kAttributeHeader + Padded(LoadU16(datagram_, at + 2))) {
    if (LoadU16(datagram_, at) == static_cast<uint16_t>(type)) return ValueAt(at);
  }
  return std::nullopt;
}

std::optional<uint32_t> MessageView::FindU32(AttributeType type) const {
  const auto value = Find(type);
  if (!value || value->size() != sizeof(uint32_t)) return std::nullopt;
  return wire::Codec<uint32_t>::Load(value->data());
}

std::optional<uint64_t> MessageView::FindU64(AttributeType type) const {
  const auto value = Find(type);
  if (!value || value->size() != sizeof(uint64_t)) return std::nullopt;
  return wire::Codec<uint64_t>::Load(value->data());
}

std::optional<std::string_view> MessageView::FindText(AttributeType type) const {
  const auto value = Find(type);
  return value ? ParseText(type, *value) : std::nullopt;
}

std::optional<SocketAddress> MessageView::FindAddress(AttributeType type) const {
  const auto value = Find(type);
  return value ? ParseAddress(type, *value, transaction_id_) : std::nullopt;
}

std::optional<MessageView::Error> MessageView::FindError() const {
  const auto value = Find(AttributeType::kErrorCode);
  const auto error = value ? ParseErrorCode(*value) : std::nullopt;
  if (!error) return std::nullopt;
  return Error{error->code, error->reason};
}

size_t MessageView::UnknownAttributes(std::span<const AttributeType> known, std::span<AttributeType> out) const {
  size_t count = 0;
  ForEachAttribute([&](const Attribute& attribute) {
    if (count == out.size() || !IsComprehensionRequired(attribute.type)) return;
    if (std::ranges::find(known, attribute.type) != known.end()) return;
    const auto listed = out.first(count);
    if (std::ranges::find(listed, attribute.type) == listed.end()) out[count++] = attribute.type;
  });
  return count;
}

IntegrityStatus MessageView::VerifyIntegrity(const crypto::HmacSha1Key& key) const {
  if (integrity_offset_ == 0) return IntegrityStatus::kAbsent;
  const bool valid = IsIntegrityValid(key, datagram_.first(integrity_offset_), ValueAt(integrity_offset_));
  return valid ? IntegrityStatus::kValid : IntegrityStatus::kInvalid;
}

IntegrityStatus MessageView::VerifyIntegritySha256(const crypto::HmacSha256Key& key, size_t min_size) const {
  const size_t offset = integrity_sha256_offset_;
  if (offset == 0) return IntegrityStatus::kAbsent;
  const bool valid = IsIntegritySha256Valid(key, datagram_.first(offset), ValueAt(offset), min_size);
  return valid ? IntegrityStatus::kValid : IntegrityStatus::kInvalid;
}

IntegrityStatus MessageView::VerifyFingerprint() const {
  const size_t offset = fingerprint_offset_;
  if (offset == 0) return IntegrityStatus::kAbsent;
  const auto value = ValueAt(offset);
  const bool last = offset + kAttributeHeader + kFingerprintSize == datagram_.size();
  if (value.size() != kFingerprintSize || !last) return IntegrityStatus::kInvalid;
  const bool valid = LoadU32(value, 0) == ComputeFingerprint(datagram_.first(offset));
  return valid ? IntegrityStatus::kValid : IntegrityStatus::kInvalid;
}

}  // namespace jsp::stun
