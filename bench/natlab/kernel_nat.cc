#include "bench/natlab/kernel_nat.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

namespace jsp::natlab {
namespace {

constexpr int kPool = 1024;  // a larger map does not fit into what nft may send to the kernel without being root
constexpr int kFirstPort = 40000;
constexpr auto kTcpLifetime = std::chrono::seconds(120);  // longer than a run

// How rules speak of one family.
struct Words {
  std::string family;   // of tables and matches
  std::string address;  // its type
  explicit Words(const IpAddress& ip)
      : family(ip.is_v4() ? "ip" : "ip6"), address(ip.is_v4() ? "ipv4_addr" : "ipv6_addr") {}
};

std::string WithPort(const IpAddress& ip) { return ip.is_v4() ? ip.ToString() : "[" + ip.ToString() + "]"; }

// A port out of the pool, of what is hashed or counted. The map is there because nftables takes a number that is no
// map's value in the wrong byte order.
std::string Spread(const std::string& expression) {
  std::string map;
  for (int i = 0; i < kPool; ++i) {
    map += (i == 0 ? "" : ", ") + std::to_string(i) + " : " + std::to_string(kFirstPort + i);
  }
  return expression + " map { " + map + " }";
}

std::string Hash(const KernelNat& nat, const std::string& what) {
  char seed[16];
  std::snprintf(seed, sizeof(seed), "0x%x", static_cast<unsigned>(nat.seed * 2654435761U % 0x7fffffffU + 1));
  return Spread("jhash " + what + " mod " + std::to_string(kPool) + " seed " + seed);
}

// Which port of the outside a UDP session from inside gets; empty: the one that it has inside, if that is free.
// RFC 4787 §4.1, §4.2.
std::string UdpTranslation(const KernelNat& nat, const Words& words) {
  // An IPv6 host is alone behind its NAT; with its address, too, there would be more to hash than nft has registers
  // for.
  const std::string inside = (nat.outside.is_v4() ? "ip saddr . " : "") + std::string("udp sport");
  const std::string to = "meta l4proto udp snat to " + WithPort(nat.outside) + ":";
  if (nat.ports.overload) return {};
  if (nat.type == "port-rnd") return to + Hash(nat, inside);
  if (nat.type == "adm") return to + Hash(nat, inside + " . " + words.family + " daddr");
  if (nat.type == "sym" || nat.type == "sym-eif") {
    return to + Hash(nat, inside + " . " + words.family + " daddr . udp dport");
  }
  if (nat.type == "sym-seq") return to + Spread("numgen inc mod " + std::to_string(kPool));
  if (nat.type == "sym-linux") return "meta l4proto udp masquerade fully-random";
  return {};
}

// Which packets from outside go in although the kernel knows no session of theirs. RFC 4787 §5. "learnt" has the inside
// of each outside port, "asked" whom each has sent to. For IPv6 it is the port inside alone: nft has too few registers
// for a map to addresses.
std::string ToLearnt(const KernelNat& nat) {
  if (nat.outside.is_v4()) return "dnat to udp dport map @learnt";
  return "dnat to " + WithPort(nat.inside) + ":udp dport map @learnt";
}

std::string Admission(const KernelNat& nat, const Words& words) {
  const std::string here = "iif wan " + words.family + " daddr " + nat.outside.ToString() + " ";
  if (nat.type == "one2one") return here + "dnat to " + nat.inside.ToString();
  if (nat.type == "fullcone" || nat.type == "sym-eif") return here + "meta l4proto udp " + ToLearnt(nat);
  if (nat.type == "addr") return here + "udp dport . " + words.family + " saddr @asked " + ToLearnt(nat);
  return {};
}

bool Learns(const KernelNat& nat) {
  return nat.hairpin || nat.type == "fullcone" || nat.type == "sym-eif" || nat.type == "addr";
}

// How long an element of a set lives without packets.
std::string Lifetime(std::chrono::seconds timeout) {
  return "; flags dynamic, timeout; timeout " + std::to_string(timeout.count()) + "s; size ";
}

std::string Learning(const KernelNat& nat, const Words& words) {
  const bool is_v4 = words.family == "ip";
  std::string text = " map learnt { type inet_service : " + std::string(is_v4 ? "ipv4_addr . " : "") + "inet_service" +
                     Lifetime(nat.udp_timeout) + "65535; }\n";
  text += " set asked { type inet_service . " + words.address + Lifetime(nat.udp_timeout) + "65535; }\n";
  text += " chain learning { type filter hook postrouting priority 110;\n";
  for (const std::string direction : {"original", "reply"}) {
    text += "  oif wan meta l4proto udp ct direction " + direction +
            " update @learnt { udp sport : " + (is_v4 ? "ct " + direction + " ip saddr . " : "") + "ct " + direction +
            " proto-src }\n";
  }
  return text + "  oif wan meta l4proto udp update @asked { udp sport . " + words.family + " daddr }\n }\n";
}

// Which outside ports have been used from inside for less than the timeout, and what that means for those who send to
// one. The kernel's own session may live on, by packets that get no further; where it is to reject what it has no
// session of, it sees all of them first.
std::string Refreshing(const KernelNat& nat, const Words& words) {
  if (nat.refresh == netsim::Refresh::kBoth) return {};
  const bool translates = nat.type != "fw";
  const bool rejects = nat.type == "port-rej";
  const std::string outside = nat.outside.ToString();
  std::string text =
      " set alive { type " + words.address + " . inet_service" + Lifetime(nat.udp_timeout) + "65535; }\n";
  text += " chain refreshing { type filter hook postrouting priority 110;\n  ";
  text += translates ? words.family + " saddr " + outside : "oif wan";
  text += " meta l4proto udp update @alive { " + words.family + " saddr . udp sport }\n }\n";
  text += " chain expiry { type filter hook prerouting priority " + std::string(rejects ? "-150" : "-300") + ";\n  ";
  text += translates ? words.family + " daddr " + outside : "iif wan";
  text += std::string(" meta l4proto udp ") + (rejects ? "ct state established " : "");
  return text + words.family + " daddr . udp dport != @alive drop\n }\n";
}

// What of a session makes a mapping of its own, in the words of a rule and as a set's type. RFC 4787 §4.1.
struct MappingKey {
  std::string words;
  std::string type;
};

MappingKey KeyOf(const KernelNat& nat, const Words& words, const std::string& protocol) {
  const auto type = netsim::ParseNatType(nat.type);
  const auto mapping = type ? netsim::OptionsFor(*type).mapping : netsim::MappingBehavior::kEndpointIndependent;
  MappingKey key{words.family + " saddr . " + protocol + " sport", words.address + " . inet_service"};
  if (mapping == netsim::MappingBehavior::kEndpointIndependent) return key;
  key.words += " . " + words.family + " daddr";
  key.type += " . " + words.address;
  if (mapping == netsim::MappingBehavior::kAddressDependent) return key;
  return {key.words + " . " + protocol + " dport", key.type + " . inet_service"};
}

// Sessions from inside that would need a mapping more than there may be are dropped: a set that is full takes no
// element, and the rule that would add it ends there. RFC 6888 §3 REQ-4.
struct PortChains {
  std::string sets;   // and chains
  std::string jumps;  // into them, of the forward chain

  PortChains(const KernelNat& nat, const Words& words) {
    if (nat.ports.pool) Add(nat, words, "pool", "", *nat.ports.pool);
    if (!nat.ports.quota) return;
    for (size_t i = 0; i < nat.subscribers.size(); ++i) {
      const std::string who = words.family + " saddr " + nat.subscribers[i].ToString() + " ";
      Add(nat, words, "quota" + std::to_string(i), who, *nat.ports.quota);
    }
  }

 private:
  void Add(const KernelNat& nat, const Words& words, const std::string& name, const std::string& who, uint16_t most) {
    for (const std::string protocol : {"udp", "tcp"}) {
      const MappingKey key = KeyOf(nat, words, protocol);
      const std::string set = name + "_" + protocol;
      const auto lifetime = protocol == "udp" ? nat.udp_timeout : kTcpLifetime;
      sets += " set " + set + " { type " + key.type + Lifetime(lifetime) + std::to_string(most) + "; }\n chain limit_" +
              set + " {\n  update @" + set + " { " + key.words + " } return\n  drop\n }\n";
      jumps += "  oif wan ct state new meta l4proto " + protocol + " " + who + "jump limit_" + set + "\n";
    }
  }
};

std::string TranslationChains(const KernelNat& nat, const Words& words) {
  std::string text = Learns(nat) ? Learning(nat, words) : std::string();
  text += " chain admission { type nat hook prerouting priority dstnat;\n  " + Admission(nat, words) + "\n";
  if (nat.hairpin) {
    text += "  iif != wan " + words.family + " daddr " + nat.outside.ToString() + " meta l4proto udp " + ToLearnt(nat) +
            "\n";
  }
  text += " }\n chain translation { type nat hook postrouting priority srcnat;\n";
  const std::string udp = UdpTranslation(nat, words);
  for (const std::string way : {"oif wan", "iif != wan oif != wan ct status dnat"}) {
    if (way != "oif wan" && !nat.hairpin) continue;
    if (!udp.empty()) text += "  " + way + " " + udp + "\n";
    text += "  " + way + " snat to " + nat.outside.ToString() + "\n";
  }
  return text + " }\n";
}

}  // namespace

std::vector<std::string> KernelNatTypes() {
  std::vector<std::string> types;
  for (const auto type : netsim::AllNatTypes()) {
    if (type != netsim::NatType::kPublic) types.emplace_back(netsim::ToString(type));
  }
  types.insert(types.end(), {std::string(netsim::ToString(netsim::NatType::kTcp443)), "one2one", "sym-linux"});
  return types;
}

bool IsKernelNatType(std::string_view type) {
  const auto types = KernelNatTypes();
  return std::ranges::find(types, type) != types.end();
}

std::string NftRules(const KernelNat& nat) {
  const Words words(nat.outside);
  const std::string neighbours = nat.outside.is_v4() ? "" : "  iif wan meta l4proto ipv6-icmp accept\n";
  const PortChains limits(nat, words);
  std::string text = "table " + words.family + " natlab {\n" + limits.sets + Refreshing(nat, words);
  if (nat.type != "fw") text += TranslationChains(nat, words);
  // Dropped in silence, or answered with an ICMP error by the kernel.
  if (nat.type != "port-rej") {
    text += " chain input { type filter hook input priority 0;\n" + neighbours + "  iif wan ct state new drop\n";
    text += "  iif != wan " + words.family + " daddr " + nat.outside.ToString() + " drop\n }\n";
  }
  text += " chain forward { type filter hook forward priority 0; policy accept;\n" + neighbours;
  text += limits.jumps;
  if (nat.type == "udpblock") text += "  oif wan meta l4proto udp drop\n";
  if (nat.type == "tcp443") text += "  oif wan tcp dport 443 accept\n  oif wan drop\n";
  text += "  iif wan ct state established,related accept\n  iif wan ct status dnat accept\n  iif wan drop\n }\n";
  return text + "}\n";
}

std::string NftRulesOfDown(IpAddress::Family family) {
  const bool is_v4 = family == IpAddress::Family::kV4;
  return std::string("table ") + (is_v4 ? "ip" : "ip6") +
         " natlab {\n chain input { type filter hook input priority 0;\n" +
         (is_v4 ? "" : "  meta l4proto ipv6-icmp accept\n") +
         "  drop\n }\n chain forward { type filter hook forward priority 0;\n  drop\n }\n}\n";
}

}  // namespace jsp::natlab
