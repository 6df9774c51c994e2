#include "turn/server/peer_policy.h"

#include <algorithm>
#include <array>
namespace jsp::turn {
namespace {

// What the registries of RFC 6890 say is not globally reachable; RFC 8656 §21.4 adds that Teredo and 6to4 MUST NOT be
// accepted.
constexpr std::array kSpecial{
    std::string_view("0.0.0.0/8"),       std::string_view("10.0.0.0/8"),      std::string_view("100.64.0.0/10"),
    std::string_view("127.0.0.0/8"),     std::string_view("169.254.0.0/16"),  std::string_view("172.16.0.0/12"),
    std::string_view("192.0.0.0/24"),    std::string_view("192.0.2.0/24"),    std::string_view("192.31.196.0/24"),
    std::string_view("192.52.193.0/24"), std::string_view("192.88.99.0/24"),  std::string_view("192.168.0.0/16"),
    std::string_view("192.175.48.0/24"), std::string_view("198.18.0.0/15"),   std::string_view("198.51.100.0/24"),
    std::string_view("203.0.113.0/24"),  std::string_view("224.0.0.0/4"),     std::string_view("240.0.0.0/4"),
    std::string_view("::/96"),           std::string_view("64:ff9b::/96"),    std::string_view("64:ff9b:1::/48"),
    std::string_view("100::/64"),        std::string_view("2001::/23"),       std::string_view("2001:db8::/32"),
    std::string_view("2002::/16"),       std::string_view("3fff::/20"),       std::string_view("5f00::/16"),
    std::string_view("fc00::/7"),        std::string_view("fe80::/10"),       std::string_view("fec0::/10"),
    std::string_view("ff00::/8"),        std::string_view("::ffff:0:0:0/96"),
};

const std::vector<Prefix>& SpecialPrefixes() {
  static const std::vector<Prefix> prefixes = [] {
    std::vector<Prefix> parsed;
    for (const std::string_view text : kSpecial) {
      if (const auto prefix = Prefix::Parse(text)) parsed.push_back(*prefix);
    }
    return parsed;
  }();
  return prefixes;
}

IpAddress V4At(std::span<const uint8_t> octets, size_t at, uint8_t mask) {
  const auto octet = [&](size_t i) { return static_cast<uint8_t>(octets[at + i] ^ mask); };
  return IpAddress::V4(octet(0), octet(1), octet(2), octet(3));
}

bool Matches(const IpAddress& ip, std::string_view prefix) { return Prefix::Parse(prefix)->Contains(ip); }

}  // namespace

std::optional<IpAddress> EmbeddedV4(const IpAddress& ip) {
  if (ip.is_v4()) return std::nullopt;  // IpAddress has made IPv4 of a mapped address
  const auto octets = ip.octets();
  if (Matches(ip, "2002::/16")) return V4At(octets, 2, 0);
  if (Matches(ip, "2001::/32")) return V4At(octets, 12, 0xff);
  const bool last_four = Matches(ip, "::/96") || Matches(ip, "::ffff:0:0:0/96") || Matches(ip, "64:ff9b::/96") ||
                         Matches(ip, "64:ff9b:1::/48");
  const bool isatap = (octets[8] & 0xfd) == 0 && octets[9] == 0 && octets[10] == 0x5e && octets[11] == 0xfe;
  if (last_four || isatap) return V4At(octets, 12, 0);
  return std::nullopt;
}

PeerPolicy::Verdict PeerPolicy::Judge(const IpAddress& peer) const {
  Verdict verdict = Verdict::kAllow;
  int longest = -1;
  for (const Prefix& prefix : SpecialPrefixes()) {
    if (!prefix.Contains(peer)) continue;
    verdict = Verdict::kDeny;
    longest = std::max<int>(longest, prefix.length);
  }
  int longest_rule = -1;
  for (const Rule& rule : rules_) {
    const int length = rule.prefix.length;
    if (length < longest || length < longest_rule || !rule.prefix.Contains(peer)) continue;
    const bool ties = length == longest_rule;
    if (!ties || rule.verdict == Verdict::kDeny) verdict = rule.verdict;
    longest_rule = length;
  }
  return verdict;
}

bool PeerPolicy::IsAllowed(const IpAddress& peer) const {
  if (Judge(peer) == Verdict::kDeny) return false;
  const auto inner = EmbeddedV4(peer);
  return !inner || Judge(*inner) == Verdict::kAllow;
}

}  // namespace jsp::turn
