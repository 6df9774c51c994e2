#include "netsim/nat64_translator.h"

#include <algorithm>
#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/check.h"
#include "netsim/nat64.h"

namespace jsp::netsim {
namespace {

constexpr size_t kUdpOctets = 8;
constexpr size_t kTcpOctets = 20;
constexpr size_t kIcmpOctets = 8;
constexpr size_t kUdpChecksumAt = 6;
constexpr size_t kTcpChecksumAt = 16;
constexpr size_t kTcpFlagsAt = 13;
constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
constexpr size_t kIcmpChecksumAt = 2;
constexpr size_t kMostOfIcmpV4 = 576;  // RFC 1812 §4.3.2.3
constexpr size_t kFragmentHeaderOctets = 8;
constexpr size_t kFragmentPayload = (kLeastIpv6Mtu - kIpv6Octets - kFragmentHeaderOctets) / 8 * 8;
constexpr uint8_t kV4Unreachable = 3;
constexpr uint8_t kFragmentationNeeded = 4;
constexpr size_t kMostOfIpv4 = 65535 - kIpv4Octets;  // behind its header; IPv6 can have 20 octets more
// Packets that small may be cut on their way through IPv4, as IPv6 hosts are promised that 1280 octets arrive.
constexpr size_t kMayBeCutBelow = kLeastIpv6Mtu - kNat64Growth;

// Of UDP and TCP, as far as a quote has it.
struct Ports {
  uint16_t from = 0;
  uint16_t to = 0;
  PacketKind kind = PacketKind::kUdp;
};

PacketKind KindOf(uint8_t flags) {
  if ((flags & (kFin | kRst)) != 0) return PacketKind::kTcpFinOrRst;
  return (flags & (kSyn | kAck)) == kSyn ? PacketKind::kTcpSyn : PacketKind::kTcp;
}

// nullopt: neither UDP nor TCP, or too short to be.
std::optional<Ports> ReadPorts(const IpPacket& packet, Extent extent) {
  const bool is_tcp = packet.header.protocol == kProtocolTcp;
  if (!is_tcp && packet.header.protocol != kProtocolUdp) return std::nullopt;
  // A quote has eight octets at least, RFC 792.
  const size_t least = is_tcp && extent == Extent::kWhole ? kTcpOctets : kUdpOctets;
  if (packet.payload.size() < least) return std::nullopt;
  ByteReader in(packet.payload);
  Ports ports;
  ports.from = in.Read<uint16_t>();
  ports.to = in.Read<uint16_t>();
  if (!is_tcp) return ports;
  ports.kind = extent == Extent::kWhole ? KindOf(packet.payload[kTcpFlagsAt]) : PacketKind::kTcp;
  return ports;
}

void AddEnd(const SocketAddress& end, InternetChecksum& checksum) {
  checksum.Add(end.ip.octets());
  checksum.Add(end.port);
}

void RemoveEnd(const SocketAddress& end, InternetChecksum& checksum) {
  checksum.Remove(end.ip.octets());
  checksum.Remove(end.port);
}

// Puts other ports into a UDP or TCP header, and changes its checksum, as far as it is there, by what changed: what was
// corrupted stays so. A UDP checksum of 0 is none.
void Readdress(std::span<uint8_t> transport, uint8_t protocol, const PacketEnds& before, const PacketEnds& after) {
  ByteWriter ports(transport);
  ports.Write(after.from.port);
  ports.Write(after.to.port);
  const size_t at = protocol == kProtocolTcp ? kTcpChecksumAt : kUdpChecksumAt;
  if (transport.size() < at + 2) return;
  const auto old = wire::Codec<uint16_t>::Load(transport.data() + at);
  if (protocol == kProtocolUdp && old == 0) return;
  InternetChecksum checksum;
  checksum.Add(static_cast<uint16_t>(~old));
  RemoveEnd(before.from, checksum);
  RemoveEnd(before.to, checksum);
  AddEnd(after.from, checksum);
  AddEnd(after.to, checksum);
  const uint16_t value = checksum.Value();
  wire::Codec<uint16_t>::Store(transport.data() + at,
                               protocol == kProtocolUdp && value == 0 ? uint16_t{0xffff} : value);
}

// RFC 8200 §8.1: over IPv6 a UDP datagram has a checksum.
void FillUdpChecksum(const IpHeader& header, std::span<uint8_t> datagram) {
  InternetChecksum checksum;
  AddPseudoHeader(header, datagram.size(), checksum);
  checksum.Add(datagram);
  const uint16_t value = checksum.Value();
  wire::Codec<uint16_t>::Store(datagram.data() + kUdpChecksumAt, value == 0 ? uint16_t{0xffff} : value);
}

bool HasUdpChecksum(const IpPacket& packet) {
  return packet.header.protocol != kProtocolUdp || packet.payload[kUdpChecksumAt] != 0 ||
         packet.payload[kUdpChecksumAt + 1] != 0;
}

uint16_t IcmpChecksum(const IpHeader& header, std::span<const uint8_t> message) {
  InternetChecksum checksum;
  if (header.source.is_v6()) AddPseudoHeader(header, message.size(), checksum);
  checksum.Add(message);
  return checksum.Value();
}

}  // namespace

Nat64Translator::Nat64Translator(const NatOptions& options, IpAddress external, Rng rng, size_t inside_mtu)
    : nat_(options, external, std::move(rng)), prefix_(*options.nat64_prefix), inside_mtu_(inside_mtu) {
  JSP_CHECK(external.is_v4());
}

std::span<const std::vector<uint8_t>> Nat64Translator::Translate(Timestamp now, std::span<const uint8_t> octets) {
  out_count_ = 0;
  const auto packet = ParseIp(octets);
  if (!packet) {
    Drop(Nat64Drop::kMalformed);
  } else if (packet->header.is_fragment) {
    Drop(Nat64Drop::kFragment);
  } else if (packet->header.hop_limit <= 1) {
    Drop(Nat64Drop::kHopLimit);
  } else if (packet->header.source.is_v6()) {
    FromInside(now, *packet);
  } else {
    FromOutside(now, *packet, octets);
  }
  return std::span(out_).first(out_count_);
}

SocketAddress Nat64Translator::Embed(const SocketAddress& v4) const { return {EmbedIpv4(prefix_, v4.ip), v4.port}; }

std::optional<SocketAddress> Nat64Translator::Extract(const SocketAddress& v6) const {
  const auto v4 = ExtractIpv4(prefix_, v6.ip);
  return v4 ? std::optional(SocketAddress{*v4, v6.port}) : std::nullopt;
}

std::vector<uint8_t>& Nat64Translator::NextOut() {
  if (out_count_ == out_.size()) out_.emplace_back();
  out_[out_count_].clear();
  return out_[out_count_++];
}

// RFC 6146 §3.5. No host inside has an address under the prefix: such a source would be a packet that came out of here.
void Nat64Translator::FromInside(Timestamp now, const IpPacket& packet) {
  if (!ExtractIpv4(prefix_, packet.header.destination)) return Drop(Nat64Drop::kNotForUs);
  if (ExtractIpv4(prefix_, packet.header.source)) return Drop(Nat64Drop::kMalformed);
  if (packet.payload_octets > kMostOfIpv4) return Drop(Nat64Drop::kMalformed);
  if (packet.header.protocol == kProtocolIcmpV6) return ErrorFromInside(now, packet);
  const auto ports = ReadPorts(packet, Extent::kWhole);
  if (!ports) return Drop(Nat64Drop::kNoProtocol);
  if (!HasUdpChecksum(packet)) return Drop(Nat64Drop::kMalformed);
  const PacketEnds before{{packet.header.source, ports->from}, {packet.header.destination, ports->to}};
  const SocketAddress to = *Extract(before.to);
  const bool is_hairpin = to.ip == nat_.external();
  if (is_hairpin && !nat_.options().hairpin) return Drop(Nat64Drop::kNat);
  const auto from = nat_.Outbound(now, before.from, to, ports->kind);
  if (!from) return Drop(Nat64Drop::kNat);
  if (!is_hairpin) return SendV4(packet, before, {*from, to});
  // RFC 6146 §3.8: it comes back in at once.
  const auto inside = nat_.Inbound(now, to, *from, ports->kind);
  if (!inside) return Drop(Nat64Drop::kNat);
  SendV6(packet, before, {Embed(*from), *inside});
}

void Nat64Translator::FromOutside(Timestamp now, const IpPacket& packet, std::span<const uint8_t> octets) {
  if (packet.header.destination != nat_.external()) return Drop(Nat64Drop::kNotForUs);
  if (packet.header.protocol == kProtocolIcmp) return ErrorFromOutside(now, packet);
  const auto ports = ReadPorts(packet, Extent::kWhole);
  if (!ports) return Drop(Nat64Drop::kNoProtocol);
  const PacketEnds before{{packet.header.source, ports->from}, {packet.header.destination, ports->to}};
  const auto inside = nat_.Inbound(now, before.to, before.from, ports->kind);
  if (!inside) return Drop(Nat64Drop::kNat);
  const bool is_too_big = kIpv6Octets + packet.payload.size() > inside_mtu_;
  if (is_too_big && packet.header.fragmentation == IpFragmentation::kForbidden) return ReportTooBig(packet, octets);
  SendV6(packet, before, {Embed(before.from), *inside});
}

void Nat64Translator::SendV4(const IpPacket& packet, const PacketEnds& before, const PacketEnds& after) {
  IpHeader header = packet.header;
  header.source = after.from.ip;
  header.destination = after.to.ip;
  --header.hop_limit;
  if (kIpv4Octets + packet.payload.size() <= kMayBeCutBelow) {
    header.fragmentation = IpFragmentation::kAllowed;
    header.identification = next_identification_++;
  }
  auto& out = NextOut();
  AppendIpHeader(header, packet.payload.size(), out);
  out.insert(out.end(), packet.payload.begin(), packet.payload.end());
  Readdress(std::span(out).subspan(kIpv4Octets), header.protocol, before, after);
  ++stats_.to_v4;
}

void Nat64Translator::SendV6(const IpPacket& packet, const PacketEnds& before, const PacketEnds& after) {
  IpHeader header = packet.header;
  header.source = after.from.ip;
  header.destination = after.to.ip;
  --header.hop_limit;
  scratch_.assign(packet.payload.begin(), packet.payload.end());
  if (HasUdpChecksum(packet)) {
    Readdress(std::span(scratch_), header.protocol, before, after);
  } else {
    ByteWriter ports(scratch_);
    ports.Write(after.from.port);
    ports.Write(after.to.port);
    FillUdpChecksum(header, scratch_);
  }
  ++stats_.to_v6;
  if (kIpv6Octets + scratch_.size() > inside_mtu_) return SendFragments(header, scratch_);
  auto& out = NextOut();
  AppendIpHeader(header, scratch_.size(), out);
  out.insert(out.end(), scratch_.begin(), scratch_.end());
}

// RFC 8200 §4.5, of 1280 octets at most, which pass everywhere.
//   |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
//   |                         Identification                        |
void Nat64Translator::SendFragments(const IpHeader& header, std::span<const uint8_t> payload) {
  ++stats_.fragmented;
  IpHeader outer = header;
  outer.protocol = kProtocolIpv6Fragment;
  for (size_t offset = 0; offset < payload.size(); offset += kFragmentPayload) {
    const auto part = payload.subspan(offset, std::min(kFragmentPayload, payload.size() - offset));
    const bool is_last = offset + part.size() == payload.size();
    auto& out = NextOut();
    AppendIpHeader(outer, kFragmentHeaderOctets + part.size(), out);
    out.resize(out.size() + kFragmentHeaderOctets);
    ByteWriter writer({out.data() + out.size() - kFragmentHeaderOctets, kFragmentHeaderOctets});
    writer.Write(header.protocol);
    writer.WriteZeros(1);
    writer.Write(static_cast<uint16_t>(offset | (is_last ? 0 : 1)));
    writer.Write(uint32_t{header.identification});
    out.insert(out.end(), part.begin(), part.end());
  }
}

// RFC 1191 §4: the sender learns which MTU IPv4 has here.
void Nat64Translator::ReportTooBig(const IpPacket& packet, std::span<const uint8_t> octets) {
  Drop(Nat64Drop::kTooBig);
  const auto quote = octets.first(std::min(octets.size(), kMostOfIcmpV4 - kIpv4Octets - kIcmpOctets));
  const IpHeader header{.source = nat_.external(), .destination = packet.header.source, .protocol = kProtocolIcmp};
  auto& out = NextOut();
  AppendIpHeader(header, kIcmpOctets + quote.size(), out);
  out.resize(out.size() + kIcmpOctets);
  out.insert(out.end(), quote.begin(), quote.end());
  const auto message = std::span(out).subspan(kIpv4Octets);
  ByteWriter writer(message);
  writer.Write(kV4Unreachable);
  writer.Write(kFragmentationNeeded);
  writer.WriteZeros(2);
  writer.Write(static_cast<uint32_t>(inside_mtu_ - kNat64Growth));
  wire::Codec<uint16_t>::Store(message.data() + kIcmpChecksumAt, IcmpChecksum(header, message));
}

// RFC 5508 §4.1 REQ-3. nullopt: it was dropped, and counted.
std::optional<Nat64Translator::Report> Nat64Translator::ReadReport(const IpPacket& packet) {
  ByteReader in(packet.payload);
  Report report;
  report.error.type = in.Read<uint8_t>();
  report.error.code = in.Read<uint8_t>();
  in.Skip(2);
  report.error.rest = in.Read<uint32_t>();
  const auto quote = ParseIp(in.rest(), Extent::kQuote);
  const auto translated = packet.header.source.is_v4() ? ToIcmpV6(report.error) : ToIcmpV4(report.error);
  if (!translated) {
    Drop(Nat64Drop::kNoProtocol);
    return std::nullopt;
  }
  const bool is_whole = in.ok() && IcmpChecksum(packet.header, packet.payload) == 0;
  // It is about what its receiver sent, to somebody else of the same family.
  const bool is_possible = quote && quote->payload_octets <= kMostOfIpv4;
  if (!is_whole || !is_possible || quote->header.source != packet.header.destination) {
    Drop(Nat64Drop::kMalformed);
    return std::nullopt;
  }
  const auto ports = ReadPorts(*quote, Extent::kQuote);
  if (!ports || quote->header.is_fragment) {
    Drop(Nat64Drop::kNoProtocol);
    return std::nullopt;
  }
  report.error = *translated;
  report.quote = *quote;
  report.ends = {{quote->header.source, ports->from}, {quote->header.destination, ports->to}};
  report.kind = ports->kind;
  return report;
}

// RFC 5508 §4.2: about a packet that came in. Who sent the error has no IPv4 address of its own but the NAT's.
void Nat64Translator::ErrorFromInside(Timestamp now, const IpPacket& packet) {
  const auto report = ReadReport(packet);
  if (!report) return;
  const auto remote = Extract(report->ends.from);
  const auto external = remote ? nat_.ExternalOf(now, report->ends.to, *remote, report->kind) : std::nullopt;
  if (!external) return Drop(Nat64Drop::kNat);
  IpHeader header = packet.header;
  header.source = external->ip;
  header.destination = remote->ip;
  header.protocol = kProtocolIcmp;
  SendReport(header, *report, {*remote, *external});
}

// Likewise, about one that went out. Routers of IPv4 are known under the prefix, too.
void Nat64Translator::ErrorFromOutside(Timestamp now, const IpPacket& packet) {
  const auto report = ReadReport(packet);
  if (!report) return;
  const auto inside = nat_.InsideOf(now, report->ends.from, report->ends.to, report->kind);
  if (!inside) return Drop(Nat64Drop::kNat);
  IpHeader header = packet.header;
  header.source = EmbedIpv4(prefix_, packet.header.source);
  header.destination = inside->ip;
  header.protocol = kProtocolIcmpV6;
  SendReport(header, *report, {*inside, Embed(report->ends.to)});
}

// `quoted`: the ends of the quoted packet in the other family.
void Nat64Translator::SendReport(const IpHeader& header, const Report& report, const PacketEnds& quoted) {
  const bool is_v4 = header.source.is_v4();
  const size_t header_octets = is_v4 ? kIpv4Octets : kIpv6Octets;
  const size_t room = (is_v4 ? kMostOfIcmpV4 : kLeastIpv6Mtu) - 2 * header_octets - kIcmpOctets;
  const auto quote = report.quote.payload.first(std::min(report.quote.payload.size(), room));
  IpHeader outer = header;
  --outer.hop_limit;
  IpHeader inner = report.quote.header;
  inner.source = quoted.from.ip;
  inner.destination = quoted.to.ip;
  const size_t message_octets = kIcmpOctets + header_octets + quote.size();
  auto& out = NextOut();
  AppendIpHeader(outer, message_octets, out);
  out.resize(out.size() + kIcmpOctets);
  AppendIpHeader(inner, report.quote.payload_octets, out);
  out.insert(out.end(), quote.begin(), quote.end());
  const auto message = std::span(out).subspan(header_octets);
  Readdress(message.subspan(kIcmpOctets + header_octets), inner.protocol, report.ends, quoted);
  ByteWriter writer(message);
  writer.Write(report.error.type);
  writer.Write(report.error.code);
  writer.WriteZeros(2);
  writer.Write(report.error.rest);
  wire::Codec<uint16_t>::Store(message.data() + kIcmpChecksumAt, IcmpChecksum(outer, message));
  ++stats_.errors;
}

}  // namespace jsp::netsim
