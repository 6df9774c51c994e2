#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "netsim/ip_packet.h"
#include "netsim/nat.h"
#include "netsim/nat64_icmp.h"
namespace jsp::netsim {

// Why a packet went no further.
enum class Nat64Drop : uint8_t {
  kMalformed,   // no packet, or none that IPv4 can hold, a wrong checksum where the translation needs a right one, a
                // source under the prefix
  kNotForUs,    // neither under the prefix nor to the outside address
  kNoProtocol,  // neither UDP, TCP, nor an ICMP error that both families know
  kFragment,    // its ports are elsewhere
  kHopLimit,    // it was at its last hop
  kNat,         // as Nat::stats says: no mapping, filtered, no port left, hairpinning that is not done
  kTooBig,      // for the link of the inside; its sender was told (RFC 1191 §4)
};
inline constexpr size_t kNat64Drops = 7;

struct Nat64Stats {
  uint64_t to_v4 = 0;
  uint64_t to_v6 = 0;
  uint64_t errors = 0;      // of ICMP, that were translated
  uint64_t fragmented = 0;  // packets that were cut
  std::array<uint64_t, kNat64Drops> dropped{};
};

// A stateful NAT64 for real IP packets: the mappings and filters of a Nat (RFC 6146 §3), and the headers and ICMP
// errors of both families (RFC 7915), where World moves addresses alone. UDP, TCP and errors about them pass. Told the
// time and the packets; owns its mappings. What is for IPv6 hosts alone is not its matter: a router sends it what goes
// to the prefix, and to the outside address.
class Nat64Translator {
 public:
  // `options` has a prefix, `external` is IPv4. No packet to the inside is larger than `inside_mtu`.
  Nat64Translator(const NatOptions& options, IpAddress external, Rng rng, size_t inside_mtu = 1500);

  // What becomes of a packet of either family: nothing, a packet of the other family, or several where it had to be
  // cut. Valid until the next call.
  std::span<const std::vector<uint8_t>> Translate(Timestamp now, std::span<const uint8_t> packet);

  const Nat& nat() const { return nat_; }
  const Nat64Stats& stats() const { return stats_; }
  uint64_t dropped(Nat64Drop reason) const { return stats_.dropped[static_cast<size_t>(reason)]; }

 private:
  // What an ICMP error says, and about what.
  struct Report {
    IcmpError error;
    IpPacket quote;
    PacketEnds ends;  // of the quoted packet
    PacketKind kind;
  };

  void FromInside(Timestamp now, const IpPacket& packet);
  void FromOutside(Timestamp now, const IpPacket& packet, std::span<const uint8_t> octets);
  void ErrorFromInside(Timestamp now, const IpPacket& packet);
  void ErrorFromOutside(Timestamp now, const IpPacket& packet);
  std::optional<Report> ReadReport(const IpPacket& packet);
  void SendV4(const IpPacket& packet, const PacketEnds& before, const PacketEnds& after);
  void SendV6(const IpPacket& packet, const PacketEnds& before, const PacketEnds& after);
  void SendReport(const IpHeader& header, const Report& report, const PacketEnds& quoted);
  void SendFragments(const IpHeader& header, std::span<const uint8_t> payload);
  void ReportTooBig(const IpPacket& packet, std::span<const uint8_t> octets);
  SocketAddress Embed(const SocketAddress& v4) const;
  std::optional<SocketAddress> Extract(const SocketAddress& v6) const;
  std::vector<uint8_t>& NextOut();
  void Drop(Nat64Drop reason) { ++stats_.dropped[static_cast<size_t>(reason)]; }

  Nat nat_;
  IpAddress prefix_;
  size_t inside_mtu_;
  uint16_t next_identification_ = 1;
  std::vector<std::vector<uint8_t>> out_;  // the first out_count_ count; buffers are reused
  size_t out_count_ = 0;
  std::vector<uint8_t> scratch_;
  Nat64Stats stats_;
};

}  // namespace jsp::netsim
