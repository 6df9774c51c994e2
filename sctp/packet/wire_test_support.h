#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_writer.h"
#include "sctp/packet/tlv.h"
namespace jsp::sctp {

// Octets of pairs of hexadecimal digits; blanks are ignored.
inline std::vector<uint8_t> Hex(std::string_view text) {
  std::vector<uint8_t> octets;
  int high = -1;
  for (char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      octets.push_back(static_cast<uint8_t>(high * 16 + digit));
      high = -1;
    }
  }
  return octets;
}

inline std::vector<uint8_t> Copy(std::span<const uint8_t> octets) { return {octets.begin(), octets.end()}; }

// What `item` writes, which must be as long as it says.
template <class T>
std::vector<uint8_t> Written(const T& item) {
  std::vector<uint8_t> buffer(item.Size() + 8);
  ByteWriter writer(buffer);
  item.Write(writer);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.size(), item.Size());
  buffer.resize(writer.size());
  return buffer;
}

// The chunk, parameter or cause that is all of `octets`.
template <class View>
View ViewOf(std::span<const uint8_t> octets) {
  EXPECT_EQ(FrontTlvSize(octets), octets.size());
  return View::FromOctets(octets);
}

template <class T, class View>
Expected<T, ParseError> ParseOctets(std::span<const uint8_t> octets) {
  return T::Parse(ViewOf<View>(octets));
}

// The first `size` octets, with a length field that says so.
inline std::vector<uint8_t> CutTo(std::span<const uint8_t> octets, size_t size) {
  std::vector<uint8_t> cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
  cut[2] = static_cast<uint8_t>(size >> 8);
  cut[3] = static_cast<uint8_t>(size);
  return cut;
}

// A buffer that ends early is never taken for a whole item; and a length field that ends inside of the first
// `fixed_size` octets is refused by the parser.
template <class T, class View>
void ExpectEveryTruncationRefused(std::span<const uint8_t> octets, size_t fixed_size) {
  for (size_t size = 0; size < octets.size(); ++size) {
    EXPECT_EQ(FrontTlvSize(octets.first(size)), 0u) << size;
  }
  for (size_t size = kTlvHeaderSize; size < fixed_size; ++size) {
    const auto cut = CutTo(octets, size);
    EXPECT_FALSE((ParseOctets<T, View>(cut).has_value())) << size;
  }
}

// A parser looks at the type before anything else.
template <class T, class View>
void ExpectOtherTypeRefused(std::vector<uint8_t> octets) {
  octets[0] ^= 0x40;
  const auto parsed = ParseOctets<T, View>(octets);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error(), (ParseError{ParseErrc::kBadType, 0}));
}

}  // namespace jsp::sctp
