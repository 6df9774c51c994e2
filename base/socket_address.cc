#include "base/socket_address.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <system_error>

#include "base/check.h"
#include "base/wire_layout.h"

namespace jsp {
namespace {

constexpr size_t kGroups = 8;
using Groups = std::array<uint16_t, kGroups>;

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Plain decimal: digits only, no sign, no leading zero, at most `max`.
std::optional<uint32_t> ParseDecimal(std::string_view text, uint32_t max) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

// One to four hexadecimal digits.
std::optional<uint16_t> ParseGroup(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<uint32_t> ParseV4(std::string_view text) {
  uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto octet = ParseDecimal(text.substr(0, dot), 255);
    if (!octet) return std::nullopt;
    address = address << 8 | *octet;
    if (part < 3) text.remove_prefix(dot + 1);
  }
  return address;
}

// One side of the "::", or all of the address: groups joined by colons, the last one possibly dotted decimal. Appends
// to groups[0..count) and returns the new count.
std::optional<size_t> ParseGroups(std::string_view text, Groups& groups, size_t count) {
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      const auto v4 = ParseV4(group);
      if (!v4 || count + 2 > kGroups) return std::nullopt;
      groups[count] = static_cast<uint16_t>(*v4 >> 16);
      groups[count + 1] = static_cast<uint16_t>(*v4);
      return count + 2;
    }
    const auto value = ParseGroup(group);
    if (!value || count == kGroups) return std::nullopt;
    groups[count++] = *value;
    if (colon == std::string_view::npos) return count;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;  // a colon at the end
  }
  return count;
}

std::optional<Groups> ParseV6(std::string_view text) {
  Groups groups{};
  const size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto count = ParseGroups(text, groups, 0);
    return count == kGroups ? std::optional(groups) : std::nullopt;
  }
  if (text.substr(0, gap).find('.') != std::string_view::npos) return std::nullopt;
  const auto head = ParseGroups(text.substr(0, gap), groups, 0);
  if (!head) return std::nullopt;
  const auto count = ParseGroups(text.substr(gap + 2), groups, *head);
  // RFC 4291 §2.2: the "::" stands for one group or more.
  if (!count || *count >= kGroups) return std::nullopt;
  const auto tail = groups.begin() + static_cast<std::ptrdiff_t>(*head);
  std::rotate(tail, groups.begin() + static_cast<std::ptrdiff_t>(*count), groups.end());
  return groups;
}

std::array<uint8_t, 16> ToOctets(const Groups& groups) {
  std::array<uint8_t, 16> octets;
  for (size_t i = 0; i < kGroups; ++i) wire::Codec<uint16_t>::Store(&octets[2 * i], groups[i]);
  return octets;
}

// fe80::/10, and multicast of interface-local and link-local scope, RFC 4291 §2.7.
bool HasScope(std::span<const uint8_t, 16> octets) {
  const bool unicast = octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
  const bool multicast = octets[0] == 0xff && ((octets[1] & 15) == 1 || (octets[1] & 15) == 2);
  return unicast || multicast;
}

void AppendNumber(std::string& text, uint32_t value, int base) {
  std::array<char, 12> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  text.append(digits.data(), end);
}

struct Run {
  size_t begin = kGroups;
  size_t length = 0;
};

// RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals.
Run LongestZeroRun(const Groups& groups) {
  Run best;
  for (size_t i = 0; i < kGroups; ++i) {
    size_t end = i;
    while (end < kGroups && groups[end] == 0) ++end;
    if (end - i > best.length && end - i >= 2) best = {i, end - i};
    i = end > i ? end - 1 : i;
  }
  return best;
}

void AppendV6(std::string& text, std::span<const uint8_t> octets) {
  Groups groups;
  for (size_t i = 0; i < kGroups; ++i) groups[i] = wire::Codec<uint16_t>::Load(&octets[2 * i]);
  const Run gap = LongestZeroRun(groups);
  for (size_t i = 0; i < kGroups; ++i) {
    if (i == gap.begin) {
      text += "::";
      i += gap.length - 1;
      continue;
    }
    if (i > 0 && text.back() != ':') text += ':';
    AppendNumber(text, groups[i], 16);
  }
}

// The finaliser of a 64-bit mixing hash.
uint64_t Mix(uint64_t v) {
  v = (v ^ (v >> 32)) * 0xd6e8feb86659fd93u;
  v = (v ^ (v >> 32)) * 0xd6e8feb86659fd93u;
  return v ^ (v >> 32);
}

}  // namespace

IpAddress IpAddress::V6(std::span<const uint8_t, 16> octets, uint32_t scope_id) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin())) {
    return V4(octets[12], octets[13], octets[14], octets[15]);
  }
  IpAddress ip;
  std::ranges::copy(octets, ip.octets_.begin());
  ip.scope_id_ = HasScope(octets) ? scope_id : 0;
  ip.family_ = Family::kV6;
  return ip;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto v4 = ParseV4(text);
    return v4 ? std::optional(V4(*v4)) : std::nullopt;
  }
  uint32_t scope_id = 0;
  if (const size_t percent = text.find('%'); percent != std::string_view::npos) {
    const auto scope = ParseDecimal(text.substr(percent + 1), std::numeric_limits<uint32_t>::max());
    if (!scope) return std::nullopt;
    scope_id = *scope;
    text = text.substr(0, percent);
  }
  const auto groups = ParseV6(text);
  if (!groups) return std::nullopt;
  return V6(ToOctets(*groups), scope_id);
}

uint32_t IpAddress::v4_host_order() const {
  JSP_DCHECK(is_v4());
  return wire::Codec<uint32_t>::Load(octets_.data());
}

bool IpAddress::IsUnspecified() const {
  return std::ranges::all_of(octets(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::IsLoopback() const {
  if (is_v4()) return octets_[0] == 127;
  return octets_[15] == 1 && std::all_of(octets_.begin(), octets_.end() - 1, [](uint8_t b) { return b == 0; });
}

bool IpAddress::IsLinkLocal() const {
  if (is_v4()) return octets_[0] == 169 && octets_[1] == 254;
  return octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80;
}

bool IpAddress::IsMulticast() const { return is_v4() ? (octets_[0] & 0xf0) == 0xe0 : octets_[0] == 0xff; }

bool IpAddress::IsBroadcast() const { return *this == V4(255, 255, 255, 255); }

bool IpAddress::IsPrivate() const {
  if (is_v6()) return (octets_[0] & 0xfe) == 0xfc;
  return octets_[0] == 10 || (octets_[0] == 172 && (octets_[1] & 0xf0) == 16) ||
         (octets_[0] == 192 && octets_[1] == 168) || (octets_[0] == 100 && (octets_[1] & 0xc0) == 64);
}

std::string IpAddress::ToString() const {
  std::string text;
  if (is_v6()) {
    AppendV6(text, octets_);
    if (scope_id_ != 0) {
      text += '%';
      AppendNumber(text, scope_id_, 10);
    }
    return text;
  }
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) text += '.';
    AppendNumber(text, octets_[i], 10);
  }
  return text;
}

std::optional<SocketAddress> SocketAddress::Parse(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const size_t host_end = bracketed ? text.find(']') : text.find(':');
  if (host_end == std::string_view::npos) return std::nullopt;
  const std::string_view host = bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end);
  if (bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
  std::string_view rest = text.substr(host_end + (bracketed ? 1 : 0));
  if (!rest.starts_with(':')) return std::nullopt;
  rest.remove_prefix(1);
  const auto ip = IpAddress::Parse(host);
  const auto port = ParseDecimal(rest, std::numeric_limits<uint16_t>::max());
  if (!ip || !port) return std::nullopt;
  return SocketAddress{*ip, static_cast<uint16_t>(*port)};
}

std::string SocketAddress::ToString() const {
  std::string text = ip.is_v6() ? "[" + ip.ToString() + "]:" : ip.ToString() + ":";
  AppendNumber(text, port, 10);
  return text;
}

size_t HashValue(const SocketAddress& address) {
  std::array<uint8_t, 16> octets{};
  std::ranges::copy(address.ip.octets(), octets.begin());
  uint64_t high;
  uint64_t low;
  std::memcpy(&high, octets.data(), sizeof high);
  std::memcpy(&low, octets.data() + sizeof high, sizeof low);
  const uint64_t rest =
      uint64_t{address.ip.scope_id()} << 32 | uint64_t{address.port} << 8 | static_cast<uint64_t>(address.ip.family());
  return static_cast<size_t>(Mix(Mix(Mix(high) ^ low) ^ rest));
}

}  // namespace jsp
