#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip_fragmentation.h"
#include "base/socket_address.h"
namespace jsp::netsim {

// What follows an IP header, by its number in the Protocol field of IPv4 and the Next Header field of IPv6.
inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIpv6Fragment = 44;
inline constexpr uint8_t kProtocolIcmpV6 = 58;

inline constexpr size_t kIpv4Octets = 20;  // of a header without options
inline constexpr size_t kIpv6Octets = 40;

// What the headers of IPv4 (RFC 791) and IPv6 (RFC 8200) say alike. Both addresses are of the same family, which is the
// header's.
struct IpHeader {
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;
  uint8_t hop_limit = 64;
  uint8_t traffic_class = 0;                                    // with the ECN field in its last two bits
  uint16_t identification = 0;                                  // of IPv4
  IpFragmentation fragmentation = IpFragmentation::kForbidden;  // of IPv4: "don't fragment"
  bool is_fragment = false;                                     // one of several
  bool operator==(const IpHeader&) const = default;
};

struct IpPacket {
  IpHeader header;
  size_t payload_octets = 0;           // as the header says
  std::span<const uint8_t> payload{};  // a view; shorter than that in a quote that was cut
};

// Both ends of a UDP or TCP packet.
struct PacketEnds {
  SocketAddress from;
  SocketAddress to;
};

// An ICMP error quotes a packet as far as there is room.
enum class Extent : uint8_t { kWhole, kQuote };

// A packet of either family; what is behind its end is left out. IPv4's options are passed over, IPv6's extension
// headers are the payload. nullopt: it is cut off, contradicts itself, or its IPv4 header's checksum is wrong.
std::optional<IpPacket> ParseIp(std::span<const uint8_t> octets, Extent extent = Extent::kWhole);
// Behind what `out` has, with the header's checksum if it has one. A fragment's header is not written.
void AppendIpHeader(const IpHeader& header, size_t payload_octets, std::vector<uint8_t>& out);

// A sum of one's complements, the internet checksum of IPv4, UDP, TCP and ICMP: of all that it covers, or, with
// the inverse of an old checksum in it, of what changed. Words begin at even places.
class InternetChecksum {
 public:
  void Add(uint16_t word) { sum_ += word; }
  void Add(std::span<const uint8_t> octets);
  void Remove(uint16_t word) { sum_ += static_cast<uint16_t>(~word); }
  void Remove(std::span<const uint8_t> octets);
  uint16_t Value() const;

 private:
  uint64_t sum_ = 0;
};

// Of what UDP, TCP and ICMPv6 cover besides their own octets (RFC 8200 §8.1).
void AddPseudoHeader(const IpHeader& header, size_t payload_octets, InternetChecksum& checksum);

}  // namespace jsp::netsim
