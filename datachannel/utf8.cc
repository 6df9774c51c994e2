#include "datachannel/utf8.h"

#include <algorithm>
#include <cstring>
namespace jsp::datachannel {
namespace {

// Octets of the multi-octet character that `lead` begins, 0 when it begins none. RFC 3629 §4: C0, C1 and F5 to FF never
// appear.
constexpr size_t CharacterLength(uint8_t lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// RFC 3629 §4: the second octet carries the bounds that exclude overlong forms, surrogates and what lies past U+10FFFF.
constexpr bool IsSecondOctet(uint8_t lead, uint8_t second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

// The first octet at or after `at` that is not ASCII; eight at a time.
size_t SkipAscii(std::span<const uint8_t> text, size_t at) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  while (text.size() - at >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & kHighBits) != 0) break;
    at += sizeof(word);
  }
  while (at < text.size() && text[at] < 0x80) ++at;
  return at;
}

// How many octets at the end of `text` begin a character that they do not end.
size_t UnfinishedTail(std::span<const uint8_t> text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const uint8_t octet = text[text.size() - back];
    if ((octet & 0xC0) == 0x80) continue;
    return CharacterLength(octet) > back ? back : 0;
  }
  return 0;
}

}  // namespace

bool IsValidUtf8(std::span<const uint8_t> text) {
  for (size_t at = SkipAscii(text, 0); at < text.size(); at = SkipAscii(text, at)) {
    const size_t length = CharacterLength(text[at]);
    if (length == 0 || length > text.size() - at) return false;
    if (!IsSecondOctet(text[at], text[at + 1])) return false;
    for (size_t i = 2; i < length; ++i) {
      if ((text[at + i] & 0xC0) != 0x80) return false;
    }
    at += length;
  }
  return true;
}

bool IsValidUtf8(std::string_view text) {
  return IsValidUtf8(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

bool Utf8Checker::Accept(std::span<const uint8_t> piece) {
  if (pending_size_ > 0) {
    const size_t length = CharacterLength(pending_[0]);
    const size_t taken = std::min(length - pending_size_, piece.size());
    std::copy_n(piece.begin(), taken, pending_.begin() + static_cast<std::ptrdiff_t>(pending_size_));
    pending_size_ += taken;
    piece = piece.subspan(taken);
    if (pending_size_ < length) return true;
    if (!IsValidUtf8(std::span(pending_).first(length))) return false;
    pending_size_ = 0;
  }
  const size_t tail = UnfinishedTail(piece);
  const auto whole = piece.first(piece.size() - tail);
  std::ranges::copy(piece.last(tail), pending_.begin());
  pending_size_ = tail;
  return IsValidUtf8(whole);
}

}  // namespace jsp::datachannel
