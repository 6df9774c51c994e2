#include "stun/opaque_string.h"

#include <algorithm>
#include <optional>
#include <ranges>
#include <span>
#include <vector>

#include "stun/opaque_string_tables.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

struct CodePoint {
  uint32_t value;
  size_t offset;
};

std::vector<CodePoint> Decode(std::string_view utf8) {
  std::vector<CodePoint> out;
  out.reserve(utf8.size());
  for (size_t i = 0; i < utf8.size();) {
    const size_t length = Utf8SequenceLength(utf8.substr(i));
    uint32_t value = static_cast<uint8_t>(utf8[i]) & (length == 1 ? 0x7fu : 0x7fu >> length);
    for (size_t k = 1; k < length; ++k) value = value << 6 | (static_cast<uint8_t>(utf8[i + k]) & 0x3fu);
    out.push_back({value, i});
    i += length;
  }
  return out;
}

// The range that holds `c`, or null. Ranges are ascending.
template <class Range>
const Range* FindRange(std::span<const Range> ranges, uint32_t c) {
  const auto after = std::ranges::upper_bound(ranges, c, {}, &Range::first);
  if (after == ranges.begin() || c > std::prev(after)->last) return nullptr;
  return &*std::prev(after);
}

bool IsBetween(uint32_t c, uint32_t first, uint32_t last) { return first <= c && c <= last; }

bool IsNonAsciiSpace(uint32_t c) {  // general category Zs
  return c == 0xa0 || c == 0x1680 || IsBetween(c, 0x2000, 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000;
}

uint8_t CombiningClass(uint32_t c) {
  const auto* range = FindRange<CombiningClassRange>(kCombining, c);
  return range == nullptr ? 0 : range->combining_class;
}

bool IsGreek(uint32_t c) { return IsBetween(c, 0x370, 0x3ff) || IsBetween(c, 0x1f00, 0x1fff); }
bool IsHebrew(uint32_t c) { return IsBetween(c, 0x591, 0x5f4); }
bool IsJapanese(uint32_t c) {  // Hiragana, Katakana or Han
  return IsBetween(c, 0x3041, 0x3096) || IsBetween(c, 0x30a1, 0x30fa) || IsBetween(c, 0x31f0, 0x31ff) || c == 0x3005 ||
         c == 0x3007 || IsBetween(c, 0x3400, 0x4dbf) || IsBetween(c, 0x4e00, 0x9fff) || IsBetween(c, 0x20000, 0x3134a);
}

// The code points that the FreeformClass allows in some surroundings only, with the rules that IDNA has for them.
bool IsAllowedInContext(std::span<const CodePoint> text, size_t i) {
  constexpr uint8_t kVirama = 9;
  const uint32_t before = i > 0 ? text[i - 1].value : 0;
  const uint32_t after = i + 1 < text.size() ? text[i + 1].value : 0;
  const auto none_of = [&](uint32_t first, uint32_t last) {
    return std::ranges::none_of(text, [=](const CodePoint& c) { return IsBetween(c.value, first, last); });
  };
  switch (const uint32_t c = text[i].value) {
    case 0xb7:  // middle dot
      return before == 'l' && after == 'l';
    case 0x375:  // keraia
      return IsGreek(after);
    case 0x5f3:  // geresh and gershayim
    case 0x5f4:
      return IsHebrew(before);
    case 0x30fb:  // katakana middle dot
      return std::ranges::any_of(text, [](const CodePoint& other) { return IsJapanese(other.value); });
    case 0x200c:  // zero width non-joiner and joiner
    case 0x200d:
      return CombiningClass(before) == kVirama;
    default:  // the two sets of Arabic digits do not mix
      if (IsBetween(c, 0x660, 0x669)) return none_of(0x6f0, 0x6f9);
      return IsBetween(c, 0x6f0, 0x6f9) && none_of(0x660, 0x669);
  }
}

bool IsAllowed(std::span<const CodePoint> text, size_t i) {
  const uint32_t c = text[i].value;
  if (c < 0x80) return IsBetween(c, 0x20, 0x7e);
  return FindRange<CodePointRange>(kFreeform, c) != nullptr || IsAllowedInContext(text, i);
}

// Quick check of Unicode Standard Annex 15: the first code point that normalisation may change.
std::optional<size_t> FindUnnormalised(std::span<const CodePoint> text) {
  uint8_t last_class = 0;
  for (const CodePoint& c : text) {
    if (c.value < 0x300) {  // below the first one that any table names
      last_class = 0;
      continue;
    }
    const uint8_t combining_class = CombiningClass(c.value);
    const bool misplaced = combining_class != 0 && combining_class < last_class;
    if (misplaced || FindRange<CodePointRange>(kMayNeedNormalisation, c.value) != nullptr) return c.offset;
    last_class = combining_class;
  }
  return std::nullopt;
}

bool IsPrintableAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

Expected<std::string, OpaqueStringError> PrepareOpaqueString(std::string_view text) {
  using Failure = Unexpected<OpaqueStringError>;
  if (text.empty()) return Failure({OpaqueStringErrc::kEmpty, 0});
  if (IsPrintableAscii(text)) return std::string(text);
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8SequenceLength(text.substr(i));
    if (length == 0) return Failure({OpaqueStringErrc::kNotUtf8, i});
    i += length;
  }
  std::vector<CodePoint> points = Decode(text);
  for (size_t i = 0; i < points.size(); ++i) {
    if (!IsAllowed(points, i)) return Failure({OpaqueStringErrc::kDisallowed, points[i].offset});
  }
  // RFC 8265 §4.2.2 rule 2, then rule 4.
  std::string out;
  for (CodePoint& c : points) {
    if (IsNonAsciiSpace(c.value)) {
      c.value = ' ';
      out += ' ';
    } else {
      out += text.substr(c.offset, Utf8SequenceLength(text.substr(c.offset)));
    }
  }
  if (const auto offset = FindUnnormalised(points)) return Failure({OpaqueStringErrc::kNeedsNormalisation, *offset});
  return out;
}

std::string_view Describe(OpaqueStringErrc code) {
  switch (code) {
    case OpaqueStringErrc::kEmpty:
      return "the string is empty";
    case OpaqueStringErrc::kNotUtf8:
      return "the string is not UTF-8";
    case OpaqueStringErrc::kDisallowed:
      return "the string holds a character that user names and passwords must not hold";
    case OpaqueStringErrc::kNeedsNormalisation:
      return "the string is not in Unicode normalisation form C";
  }
  return {};
}

}  // namespace jsp::stun
