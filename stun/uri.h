#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/expected.h"
#include "base/socket_address.h"
namespace jsp::stun {

enum class UriScheme : uint8_t { kStun, kStuns, kTurn, kTurns };
// Below TLS or DTLS, where the scheme is a secure one.
enum class UriTransport : uint8_t { kUdp, kTcp };

constexpr uint16_t kDefaultPort = 3478;        // RFC 8489 §8.1, RFC 7065 §3.2
constexpr uint16_t kDefaultSecurePort = 5349;  // RFC 8489 §8.1, RFC 7065 §3.2

// A stun:, stuns:, turn: or turns: URI (RFC 7064 §3, RFC 7065 §3). Resolving the host is the owner's affair.
struct Uri {
  UriScheme scheme = UriScheme::kStun;
  std::string host;             // a DNS name as written, or an IP address without brackets
  std::optional<IpAddress> ip;  // when the host is one
  uint16_t port = kDefaultPort;
  // Whether it was written; where it was not, and the host is a name, SRV records say more (RFC 8489 §8.1, RFC 5928
  // §3).
  bool has_port = false;
  UriTransport transport = UriTransport::kUdp;  // defaults: udp, and tcp (that is, TLS) for stuns and turns

  bool IsSecure() const { return scheme == UriScheme::kStuns || scheme == UriScheme::kTurns; }
  bool IsTurn() const { return scheme == UriScheme::kTurn || scheme == UriScheme::kTurns; }
  // Canonical: the port always, the transport for TURN.
  std::string ToString() const;
  // Of servers: where the port comes from does not matter.
  bool operator==(const Uri& other) const {
    return std::tie(scheme, host, ip, port, transport) ==
           std::tie(other.scheme, other.host, other.ip, other.port, other.transport);
  }
  // RFC 8489 §8.1, RFC 5928 §3: the name whose SRV records tell where the service is, "_turns._tcp.example.org";
  // nullopt when the URI says so itself.
  std::optional<std::string> ServiceName() const;
};

enum class UriErrc : uint8_t {
  kUnknownScheme,
  kHierarchical,  // "stun://…"
  kEmptyHost,
  kBadHost,
  kUserInfo,         // "turn:user@…": credentials are given beside the URI
  kUnclosedBracket,  // "[" without "]"
  kBadIpv6,
  kBareIpv6,  // IPv6 needs brackets
  kBadPort,
  kQueryOnStun,  // only TURN URIs have one
  kBadQuery,
  kUnknownTransport,
  kSecureIpAddress,  // RFC 8489 §8.1: a stuns URI with an IP address is rejected
};
struct UriError {
  UriErrc code;
  size_t offset;  // octets into the URI
  bool operator==(const UriError&) const = default;
};

Expected<Uri, UriError> ParseUri(std::string_view text);
// What is wrong and what to write instead, in one phrase for a person.
std::string_view Describe(UriErrc code);

}  // namespace jsp::stun
