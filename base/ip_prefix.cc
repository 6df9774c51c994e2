#include "base/ip_prefix.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
namespace jsp {
namespace {

size_t BitsOf(const IpAddress& ip) { return ip.octets().size() * 8; }

bool SameBits(std::span<const uint8_t> a, std::span<const uint8_t> b, size_t bits) {
  const size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00u >> rest & 0xffu)) == 0;
}

}  // namespace

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto ip = IpAddress::Parse(text.substr(0, slash));
  if (!ip || ip->scope_id() != 0) return std::nullopt;
  size_t length = BitsOf(*ip);
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc() || end != digits.data() + digits.size() || length > BitsOf(*ip)) return std::nullopt;
  }
  // A prefix with bits behind its length is a mistake, and which one cannot be told.
  for (size_t bit = length; bit < BitsOf(*ip); ++bit) {
    if ((ip->octets()[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return IpPrefix{*ip, static_cast<uint8_t>(length)};
}

bool IpPrefix::Contains(const IpAddress& other) const {
  return other.family() == ip.family() && SameBits(ip.octets(), other.octets(), length);
}

}  // namespace jsp
