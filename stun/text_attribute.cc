#include "stun/text_attribute.h"

#include <algorithm>
#include <cstring>
namespace jsp::stun {
namespace {

bool IsLabelCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

size_t Utf8SequenceLength(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  const uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4 || !continues(1)) return 0;  // 0xc0 and 0xc1 could only begin an overlong form
  if (lead < 0xe0) return 2;
  if (!continues(2)) return 0;
  if (lead < 0xf0) {
    const bool overlong = lead == 0xe0 && at(1) < 0xa0;
    const bool surrogate = lead == 0xed && at(1) >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  const bool overlong = lead == 0xf0 && at(1) < 0x90;
  const bool beyond_unicode = lead == 0xf4 && at(1) >= 0x90;
  return overlong || beyond_unicode || !continues(3) ? 0 : 4;
}

std::optional<size_t> CountUtf8(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t characters = 0;
  for (size_t i = 0; i < text.size();) {
    if (uint64_t word = 0; text.size() - i >= sizeof(word)) {
      std::memcpy(&word, text.data() + i, sizeof(word));
      if ((word & kHighBits) == 0) {  // eight ASCII characters at once
        i += sizeof(word);
        characters += sizeof(word);
        continue;
      }
    }
    const size_t length = Utf8SequenceLength(text.substr(i));
    if (length == 0) return std::nullopt;
    i += length;
    ++characters;
  }
  return characters;
}

bool IsDnsName(std::string_view name) {
  if (name.size() > kMaxDomain) return false;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return false;
  while (true) {
    const std::string_view label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > 63 || !std::ranges::all_of(label, IsLabelCharacter)) return false;
    if (label.size() == name.size()) return true;
    name.remove_prefix(label.size() + 1);
  }
}

bool MaySendText(AttributeType type, std::string_view text) {
  if (text.empty()) return false;
  switch (type) {
    case AttributeType::kAlternateDomain:
      return IsDnsName(text);
    case AttributeType::kUsername:
      return text.size() <= kMaxSentUsername && CountUtf8(text).has_value();
    case AttributeType::kRealm:
    case AttributeType::kNonce:
    case AttributeType::kSoftware: {
      if (text.size() > kMaxSentText) return false;
      const auto characters = CountUtf8(text);
      return characters && *characters <= kMaxSentCharacters;
    }
    default:
      return CountUtf8(text).has_value();
  }
}

std::optional<std::string_view> ParseText(AttributeType type, std::span<const uint8_t> value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  if (text.empty()) return std::nullopt;
  bool acceptable = false;
  switch (type) {
    case AttributeType::kAlternateDomain:
      acceptable = IsDnsName(text);
      break;
    case AttributeType::kNonce:
      acceptable = text.size() <= kMaxReadText;
      break;
    case AttributeType::kUsername:
    case AttributeType::kRealm:
    case AttributeType::kSoftware:
      acceptable = text.size() <= kMaxReadText && CountUtf8(text).has_value();
      break;
    default:
      acceptable = CountUtf8(text).has_value();
      break;
  }
  return acceptable ? std::optional(text) : std::nullopt;
}

}  // namespace jsp::stun
