#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
namespace jsp {

// An IPv4 or IPv6 address. IPv4-mapped IPv6 (::ffff:a.b.c.d) is canonicalised to IPv4 at construction, so that the
// same host never compares unequal to itself; for the same reason a scope is kept only where it means something. A
// value without invariants beyond that; every layer uses it, and only transport/asio turns it into a sockaddr.
class IpAddress {
 public:
  enum class Family : uint8_t { kV4 = 4, kV6 = 6 };

  constexpr IpAddress() = default;  // 0.0.0.0
  static constexpr IpAddress V4(uint32_t host_order) {
    return V4(static_cast<uint8_t>(host_order >> 24), static_cast<uint8_t>(host_order >> 16),
              static_cast<uint8_t>(host_order >> 8), static_cast<uint8_t>(host_order));
  }
  static constexpr IpAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    IpAddress ip;
    ip.octets_[0] = a;
    ip.octets_[1] = b;
    ip.octets_[2] = c;
    ip.octets_[3] = d;
    return ip;
  }
  // 16 octets in network order; `scope_id` is kept for link-local addresses (RFC 4007 §6) and dropped for all others.
  static IpAddress V6(std::span<const uint8_t, 16> octets, uint32_t scope_id = 0);
  // Textual form of either family (RFC 4291 §2.2), without brackets; "%N" gives a numeric scope. nullopt for anything
  // else, including the octal, hexadecimal and short IPv4 forms that inet_aton takes.
  static std::optional<IpAddress> Parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  bool is_v6() const { return family_ == Family::kV6; }
  uint32_t scope_id() const { return scope_id_; }
  // 4 or 16 octets, network order.
  std::span<const uint8_t> octets() const { return std::span(octets_).first(is_v4() ? size_t{4} : size_t{16}); }
  // IPv4 only.
  uint32_t v4_host_order() const;

  bool IsUnspecified() const;
  bool IsLoopback() const;   // 127/8, ::1
  bool IsLinkLocal() const;  // 169.254/16, fe80::/10
  bool IsMulticast() const;  // 224/4, ff00::/8
  bool IsBroadcast() const;  // 255.255.255.255
  bool IsPrivate() const;    // RFC 1918 §3, RFC 6598 §7 (100.64/10), RFC 4193 §3.1 (fc00::/7)

  // Dotted decimal, or RFC 5952 §4 with "%N" where there is a scope; Parse takes it back.
  std::string ToString() const;
  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<uint8_t, 16> octets_{};
  uint32_t scope_id_ = 0;
  Family family_ = Family::kV4;
};

// A transport address without its protocol: IP address and port.
struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;

  // "192.0.2.1:80", "[2001:db8::1]:80", nothing else; the port in plain decimal, 0 to 65535.
  static std::optional<SocketAddress> Parse(std::string_view text);
  std::string ToString() const;
  auto operator<=>(const SocketAddress&) const = default;
};

// Mixes all octets; not keyed. Tables that a peer can fill must be bounded, as everywhere.
size_t HashValue(const SocketAddress& address);

}  // namespace jsp

template <>
struct std::hash<jsp::SocketAddress> {
  size_t operator()(const jsp::SocketAddress& a) const { return jsp::HashValue(a); }
};
