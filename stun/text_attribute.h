#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "stun/attribute_type.h"
namespace jsp::stun {

// Text attributes: how long they may be, and which octets they may hold. Sizes are octets unless they say characters;
// characters are Unicode code points.

// RFC 8489 §14.3: a USERNAME is sent with fewer than 509 octets.
constexpr size_t kMaxSentUsername = 508;
// RFC 8489 §14.9, §14.10, §14.14, §14.8: REALM, NONCE, SOFTWARE and reason phrases are sent with fewer than 128
// characters, "which can be as long as 509 bytes".
constexpr size_t kMaxSentCharacters = 127;
constexpr size_t kMaxSentText = 509;
// Any of them is read up to 763 octets (128 characters of 6 octets, as an older UTF-8 had them).
constexpr size_t kMaxReadText = 763;
// RFC 8489 §14.16: ALTERNATE-DOMAIN, ASCII.
constexpr size_t kMaxDomain = 255;

// Octets of the well-formed UTF-8 sequence that `text` begins with, 1 to 4; 0 when it is malformed or empty.
size_t Utf8SequenceLength(std::string_view text);
// The number of characters; nullopt when the octets are not UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
std::optional<size_t> CountUtf8(std::string_view text);
// Letters, digits, "-" and "_" in labels of 1 to 63, at most 255 in all; one trailing dot is accepted.
bool IsDnsName(std::string_view name);

// Whether we may send `text` in an attribute of that type: not empty, within the sender's limit, well-formed. For types
// that RFC 8489 does not define, any UTF-8 goes.
bool MaySendText(AttributeType type, std::string_view text);
// The value as text; nullopt when it is empty, above the reader's limit, or malformed. A NONCE is only ever echoed, so
// its octets are not judged.
std::optional<std::string_view> ParseText(AttributeType type, std::span<const uint8_t> value);

}  // namespace jsp::stun
