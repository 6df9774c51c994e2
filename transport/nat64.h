#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/socket_address.h"
#include "ice/candidate.h"
namespace jsp::transport {

// The prefix under which a NAT64 of the own network reaches IPv4 addresses: Pref64::/n of RFC 6052 §2.2. A value.
class Nat64Prefix {
 public:
  // nullopt unless `address` is IPv6 and `length` one of 32, 40, 48, 56, 64 and 96. Bits behind the prefix are dropped;
  // bits 64 to 71 of a 96-bit prefix have to be zero (RFC 6052 §2.2).
  static std::optional<Nat64Prefix> Make(const IpAddress& address, uint8_t length);

  // The IPv6 address of an IPv4 address (RFC 6052 §2.3). nullopt where no NAT64 may be asked: for IPv6, for addresses
  // that mean something on one host or link only, and, with the Well-Known Prefix, for private ones (RFC 6052 §3.1).
  std::optional<IpAddress> Embed(const IpAddress& v4) const;
  // The reverse (RFC 6052 §2.3); nullopt when `v6` is not under the prefix, or bits 64 to 71 are not zero (RFC 6052
  // §2.2). The suffix, which should be, is not looked at.
  std::optional<IpAddress> Extract(const IpAddress& v6) const;

  const IpAddress& address() const { return address_; }
  uint8_t length() const { return length_; }
  bool IsWellKnown() const;  // 64:ff9b::/96, RFC 6052 §2.1
  bool operator==(const Nat64Prefix&) const = default;

 private:
  Nat64Prefix(const IpAddress& address, uint8_t length) : address_(address), length_(length) {}

  IpAddress address_;
  uint8_t length_;
};

// The name whose only addresses are IPv4's Well-Known Addresses 192.0.0.170 and .171: an AAAA record of it was made by
// the DNS64 of a network with a NAT64 (RFC 7050 §2.2, §3).
inline constexpr char kIpv4OnlyName[] = "ipv4only.arpa";

// RFC 7050 §3: every distinct prefix that these AAAA records tell of, in their order; at most kMaxNat64Prefixes.
// Records without a Well-Known Address are passed over. One in which it stands at several places decides nothing by
// itself: the place where the other records have theirs counts.
inline constexpr size_t kMaxNat64Prefixes = 4;
std::vector<Nat64Prefix> FindNat64Prefixes(std::span<const IpAddress> records);

// For a host with IPv6 only: how it reaches a server that is configured as an IPv4 literal, which no DNS64 ever sees
// (RFC 8305 §7.1). IPv6, and what the prefix cannot carry, comes back as it is.
SocketAddress ThroughNat64(const std::optional<Nat64Prefix>& prefix, const SocketAddress& address);

// Likewise a peer's IPv4 candidate, to be checked beside the original, which relays of ours may reach. nullopt: IPv6,
// or not reachable from here; so are private addresses, which are of the peer's network: behind a prefix of our
// operator's there may be somebody else.
std::optional<ice::Candidate> ThroughNat64(const std::optional<Nat64Prefix>& prefix, const ice::Candidate& candidate);

}  // namespace jsp::transport
