#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_prefix.h"
#include "base/socket_address.h"
namespace jsp::turn {

using Prefix = IpPrefix;

// Which peers a relay may reach (RFC 8656 §10.2, §21.4): the public internet, and what is allowed beyond it. Denied by
// default is every address that IANA's special-purpose registries (RFC 6890) keep from the public internet: this
// host, loopback, private, shared, link-local, unique-local, multicast, documentation, benchmarking, reserved, and
// every IPv6 form that carries an IPv4 address inside: who lets one of those forms pass still has the inner address
// judged (T1, T2). The longest matching prefix decides: a rule beats a built-in one of its length, so that 127.0.0.0/8
// allows loopback and 0.0.0.0/0 does not; of two rules of one length, deny.
//
// Addresses of our own relays are always reachable, because two of our clients may well be each other's peers, and our
// own listeners never are; both need a port and are the server's to say (server.h).
class PeerPolicy {
 public:
  void Allow(const Prefix& prefix) { rules_.push_back({prefix, Verdict::kAllow}); }
  void Deny(const Prefix& prefix) { rules_.push_back({prefix, Verdict::kDeny}); }
  bool IsAllowed(const IpAddress& peer) const;

 private:
  enum class Verdict : uint8_t { kAllow, kDeny };
  struct Rule {
    Prefix prefix;
    Verdict verdict;
  };
  Verdict Judge(const IpAddress& peer) const;

  std::vector<Rule> rules_;
};

// The IPv4 address inside an IPv6 one: IPv4-compatible, translated, NAT64 (RFC 6052 and RFC 8215, the last 32 bits),
// 6to4 (RFC 3056), Teredo (RFC 4380, the client's), ISATAP (RFC 5214). nullopt for any other.
std::optional<IpAddress> EmbeddedV4(const IpAddress& ip);

}  // namespace jsp::turn
