#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <functional>
namespace jsp {

// An IPv4 or IPv6 address. IPv4-mapped IPv6 (::ffff:a.b.c.d) is canonicalised to IPv4 at construction, so that the
// same host never compares unequal to itself.
class IpAddress {
 public:
  enum class Family : uint8_t { kV4 = 4, kV6 = 6 };

  constexpr IpAddress() = default;  // 0.0.0.0
  static IpAddress V4(uint32_t host_order);
  static IpAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
  // 16 octets in network order; `scope_id` only matters for link-local addresses.
  static IpAddress V6(std::span<const uint8_t, 16> octets, uint32_t scope_id = 0);
  // Textual form of either family, without brackets; "%N" gives a numeric scope. nullopt for anything else.
  static std::optional<IpAddress> Parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  bool is_v6() const { return family_ == Family::kV6; }
  uint32_t scope_id() const { return scope_id_; }
  // 4 or 16 octets, network order.
  std::span<const uint8_t> octets() const { return std::span(octets_).first(is_v4() ? size_t{4} : size_t{16}); }
  uint32_t v4_host_order() const;

  bool IsUnspecified() const;
  bool IsLoopback() const;   // 127/8, ::1
  bool IsLinkLocal() const;  // 169.254/16, fe80::/10
  bool IsMulticast() const;  // 224/4, ff00::/8
  bool IsBroadcast() const;  // 255.255.255.255
  bool IsPrivate() const;    // RFC 1918, RFC 6598, fc00::/7

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

  // "192.0.2.1:80", "[2001:db8::1]:80"
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
