#include "netsim/ip_packet.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace jsp::netsim {
namespace {

constexpr uint16_t kDontFragment = 0x4000;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint16_t kFragmentOffset = 0x1fff;

uint16_t Sum(std::span<const uint8_t> octets) {
  InternetChecksum checksum;
  checksum.Add(octets);
  return checksum.Value();
}

IpAddress ReadV4(ByteReader& in) { return IpAddress::V4(in.Read<uint32_t>()); }

// nullopt: an IPv4-mapped address, which is IpAddress' IPv4 and belongs on no wire (RFC 4291 §2.5.5.2).
std::optional<IpAddress> ReadV6(ByteReader& in) {
  const auto octets = in.ReadBytes(16);
  if (octets.size() != 16) return std::nullopt;
  const IpAddress address = IpAddress::V6(std::span<const uint8_t, 16>(octets.data(), 16));
  return address.is_v6() ? std::optional(address) : std::nullopt;
}

// Gives the payload the length that the header says, as far as it is there.
std::optional<IpPacket> Finish(IpPacket packet, const ByteReader& in, Extent extent) {
  if (!in.ok() || (extent == Extent::kWhole && in.remaining() < packet.payload_octets)) return std::nullopt;
  packet.payload = in.rest().first(std::min(in.remaining(), packet.payload_octets));
  return packet;
}

//    0                   1                   2                   3
//   |Version|  IHL  |Type of Service|          Total Length         |
//   |         Identification        |Flags|      Fragment Offset    |
//   |  Time to Live |    Protocol   |         Header Checksum       |
//   |                       Source Address                          |
//   |                    Destination Address                        |
std::optional<IpPacket> ParseV4(std::span<const uint8_t> octets, Extent extent) {
  ByteReader in(octets);
  IpPacket packet;
  const size_t header_octets = size_t{in.Read<uint8_t>()} % 16 * 4;
  packet.header.traffic_class = in.Read<uint8_t>();
  const size_t total = in.Read<uint16_t>();
  packet.header.identification = in.Read<uint16_t>();
  const auto flags = in.Read<uint16_t>();
  packet.header.hop_limit = in.Read<uint8_t>();
  packet.header.protocol = in.Read<uint8_t>();
  in.Skip(2);
  packet.header.source = ReadV4(in);
  packet.header.destination = ReadV4(in);
  if (!in.ok() || header_octets < kIpv4Octets || total < header_octets || octets.size() < header_octets) return {};
  in.Skip(header_octets - kIpv4Octets);
  if (Sum(octets.first(header_octets)) != 0) return {};
  packet.header.is_fragment = (flags & (kMoreFragments | kFragmentOffset)) != 0;
  const bool is_whole = (flags & kDontFragment) != 0;
  packet.header.fragmentation = is_whole ? IpFragmentation::kForbidden : IpFragmentation::kAllowed;
  packet.payload_octets = total - header_octets;
  return Finish(packet, in, extent);
}

//   |Version| Traffic Class |           Flow Label                  |
//   |         Payload Length        |  Next Header  |   Hop Limit   |
//   +                         Source Address (16 octets)            +
//   +                      Destination Address (16 octets)          +
std::optional<IpPacket> ParseV6(std::span<const uint8_t> octets, Extent extent) {
  ByteReader in(octets);
  IpPacket packet;
  packet.header.traffic_class = static_cast<uint8_t>(in.Read<uint32_t>() >> 20);
  packet.payload_octets = in.Read<uint16_t>();
  packet.header.protocol = in.Read<uint8_t>();
  packet.header.hop_limit = in.Read<uint8_t>();
  const auto source = ReadV6(in);
  const auto destination = ReadV6(in);
  if (!source || !destination) return {};
  packet.header.source = *source;
  packet.header.destination = *destination;
  packet.header.is_fragment = packet.header.protocol == kProtocolIpv6Fragment;
  return Finish(packet, in, extent);
}

}  // namespace

std::optional<IpPacket> ParseIp(std::span<const uint8_t> octets, Extent extent) {
  if (octets.empty()) return std::nullopt;
  const int version = octets[0] >> 4;
  if (version == 4) return ParseV4(octets, extent);
  return version == 6 ? ParseV6(octets, extent) : std::nullopt;
}

void AppendIpHeader(const IpHeader& header, size_t payload_octets, std::vector<uint8_t>& out) {
  const bool is_v4 = header.source.is_v4();
  const size_t begin = out.size();
  out.resize(begin + (is_v4 ? kIpv4Octets : kIpv6Octets));
  const auto place = std::span(out).subspan(begin);
  ByteWriter writer(place);
  if (is_v4) {
    writer.Write<uint8_t>(0x45);
    writer.Write(header.traffic_class);
    writer.Write(static_cast<uint16_t>(kIpv4Octets + payload_octets));
    writer.Write(header.identification);
    writer.Write(header.fragmentation == IpFragmentation::kForbidden ? kDontFragment : uint16_t{0});
    writer.Write(header.hop_limit);
    writer.Write(header.protocol);
    writer.Write<uint16_t>(0);
  } else {
    writer.Write(uint32_t{6} << 28 | uint32_t{header.traffic_class} << 20);
    writer.Write(static_cast<uint16_t>(payload_octets));
    writer.Write(header.protocol);
    writer.Write(header.hop_limit);
  }
  writer.WriteBytes(header.source.octets());
  writer.WriteBytes(header.destination.octets());
  if (is_v4) ByteWriter(place.subspan(10)).Write(Sum(place));
}

void InternetChecksum::Add(std::span<const uint8_t> octets) {
  for (size_t i = 0; i + 1 < octets.size(); i += 2) sum_ += uint64_t{octets[i]} << 8 | octets[i + 1];
  if (octets.size() % 2 != 0) sum_ += uint64_t{octets.back()} << 8;
}

void InternetChecksum::Remove(std::span<const uint8_t> octets) {
  ByteReader in(octets);
  while (in.remaining() >= 2) Remove(in.Read<uint16_t>());
}

uint16_t InternetChecksum::Value() const {
  uint64_t folded = sum_;
  while (folded >> 16 != 0) folded = (folded & 0xffff) + (folded >> 16);
  return static_cast<uint16_t>(~folded);
}

void AddPseudoHeader(const IpHeader& header, size_t payload_octets, InternetChecksum& checksum) {
  checksum.Add(header.source.octets());
  checksum.Add(header.destination.octets());
  checksum.Add(static_cast<uint16_t>(payload_octets));
  checksum.Add(header.protocol);
}

}  // namespace jsp::netsim
