#include "base/packet_tap.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/byte_writer.h"
#include "base/check.h"

namespace jsp {
namespace {

// Block types and values of the pcapng format (draft-ietf-opsawg-pcapng), written as a big-endian section.
constexpr uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kEnhancedPacket = 6;
constexpr uint32_t kDecryptionSecrets = 10;
constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint32_t kTlsKeyLog = 0x544c534b;
constexpr uint16_t kLinkTypeRaw = 101;  // packets begin with an IPv4 or IPv6 header

constexpr size_t kBlockFrame = 12;  // type and length in front, length again behind
constexpr size_t kPacketFields = 20;
constexpr size_t kSecretsFields = 8;
constexpr size_t kV4Header = 20;
constexpr size_t kV6Header = 40;
constexpr size_t kUdpHeader = 8;
constexpr uint8_t kUdpProtocol = 17;
constexpr size_t kTcpHeader = 20;
constexpr uint8_t kTcpProtocol = 6;
constexpr uint8_t kHopLimit = 64;
constexpr uint16_t kDontFragment = 0x4000;
// What 16 bits of IPv4 length leave, RFC 791 §3.1.
constexpr size_t kMaxDatagram = 65535 - kV4Header - kUdpHeader;
constexpr size_t kMaxSegment = 65535 - kV4Header - kTcpHeader;

constexpr size_t Padded4(size_t n) { return (n + 3) / 4 * 4; }

// The Internet checksum, RFC 1071 §1.
class Checksum {
 public:
  void Add(std::span<const uint8_t> data) {
    for (size_t i = 0; i + 1 < data.size(); i += 2) sum_ += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
    if (data.size() % 2 != 0) sum_ += static_cast<uint32_t>(data.back() << 8);
  }
  void Add(size_t number) { sum_ += number; }
  uint16_t Result() const {
    uint64_t folded = sum_;
    while (folded > 0xffff) folded = (folded & 0xffff) + (folded >> 16);
    return static_cast<uint16_t>(~folded);
  }

 private:
  uint64_t sum_ = 0;
};

// 16 octets, IPv4 mapped.
std::array<uint8_t, 16> MappedOctets(const IpAddress& ip) {
  std::array<uint8_t, 16> octets{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::ranges::copy(ip.octets(), octets.begin() + (ip.is_v4() ? 12 : 0));
  return octets;
}

// What is between the IP addresses and the payload.
struct Inner {
  uint8_t protocol;
  size_t header;
  size_t payload;
  size_t size() const { return header + payload; }
};

void WriteV4Header(ByteWriter& out, const IpAddress& from, const IpAddress& to, const Inner& inner) {
  const size_t start = out.size();
  out.Write<uint16_t>(0x4500);  // version 4, five words
  out.Write(static_cast<uint16_t>(kV4Header + inner.size()));
  out.Write<uint16_t>(0);  // identification
  out.Write(kDontFragment);
  out.Write(kHopLimit);
  out.Write(inner.protocol);
  const std::span<uint8_t> checksum_field = out.Reserve(2);
  out.WriteBytes(from.octets());
  out.WriteBytes(to.octets());
  std::ranges::fill(checksum_field, uint8_t{0});
  Checksum checksum;
  checksum.Add(out.written().subspan(start));
  wire::Codec<uint16_t>::Store(checksum_field.data(), checksum.Result());
}

void WriteV6Header(ByteWriter& out, const IpAddress& from, const IpAddress& to, const Inner& inner) {
  out.Write<uint32_t>(0x60000000);  // version 6
  out.Write(static_cast<uint16_t>(inner.size()));
  out.Write(inner.protocol);
  out.Write(kHopLimit);
  out.WriteBytes(MappedOctets(from));
  out.WriteBytes(MappedOctets(to));
}

// Sums what was written from `start` on, with the addresses in the last octets before it: what the pseudo-headers of
// RFC 768, RFC 9293 §3.1 and RFC 8200 §8.1 have in common.
uint16_t InnerChecksum(const ByteWriter& out, size_t start, bool v4, const Inner& inner) {
  Checksum checksum;
  checksum.Add(out.written().subspan(start - (v4 ? 8 : 32)));
  checksum.Add(inner.protocol);
  checksum.Add(inner.size());
  return checksum.Result();
}

void WriteUdp(ByteWriter& out, std::pair<uint16_t, uint16_t> ports, bool v4, std::span<const uint8_t> datagram) {
  const size_t start = out.size();
  const Inner inner{kUdpProtocol, kUdpHeader, datagram.size()};
  out.Write(ports.first);
  out.Write(ports.second);
  out.Write(static_cast<uint16_t>(inner.size()));
  const std::span<uint8_t> checksum_field = out.Reserve(2);
  std::ranges::fill(checksum_field, uint8_t{0});
  out.WriteBytes(datagram);
  // RFC 8200 §8.1: zero would mean that there is none.
  const uint16_t sum = InnerChecksum(out, start, v4, inner);
  wire::Codec<uint16_t>::Store(checksum_field.data(), sum == 0 ? uint16_t{0xffff} : sum);
}

void WriteTcp(ByteWriter& out, std::pair<uint16_t, uint16_t> ports, bool v4, const TapSegment& segment,
              std::span<const uint8_t> payload) {
  const size_t start = out.size();
  out.Write(ports.first);
  out.Write(ports.second);
  out.Write(segment.sequence);
  out.Write(segment.acknowledgment);
  out.Write<uint8_t>(kTcpHeader / 4 << 4);  // its length in words
  out.Write(static_cast<uint8_t>((segment.fin ? 1 : 0) | (segment.syn ? 2 : 0) | (segment.rst ? 4 : 0) |
                                 (segment.ack ? 16 : 0)));
  out.Write(segment.window);
  const std::span<uint8_t> checksum_field = out.Reserve(2);
  std::ranges::fill(checksum_field, uint8_t{0});
  out.Write<uint16_t>(0);  // nothing is urgent
  out.WriteBytes(payload);
  const Inner inner{kTcpProtocol, kTcpHeader, payload.size()};
  wire::Codec<uint16_t>::Store(checksum_field.data(), InnerChecksum(out, start, v4, inner));
}

void WriteIp(ByteWriter& out, const IpAddress& from, const IpAddress& to, bool v4, const Inner& inner) {
  if (v4) {
    WriteV4Header(out, from, to, inner);
  } else {
    WriteV6Header(out, from, to, inner);
  }
}

}  // namespace

PacketTap::PacketTap() {
  ByteWriter section(AppendBlock(kSectionHeader, 16));
  section.Write(kByteOrderMagic);
  section.Write<uint16_t>(1);  // version 1.0
  section.Write<uint16_t>(0);
  section.Write(~uint64_t{0});  // length not given
  ByteWriter interface(AppendBlock(kInterfaceDescription, 8));
  interface.Write(kLinkTypeRaw);
  interface.Write<uint16_t>(0);  // reserved
  interface.Write<uint32_t>(0);  // no snap length; the default time resolution is the microsecond
  JSP_DCHECK(section.ok() && interface.ok());
}

std::span<uint8_t> PacketTap::AppendBlock(uint32_t type, size_t body) {
  const size_t start = bytes_.size();
  const size_t size = kBlockFrame + Padded4(body);
  if (size > kMaxBufferedOctets - start) {
    ++dropped_;
    return {};
  }
  bytes_.resize(start + size);
  const std::span<uint8_t> block = std::span(bytes_).subspan(start);
  wire::Codec<uint32_t>::Store(&block[0], type);
  wire::Codec<uint32_t>::Store(&block[4], static_cast<uint32_t>(size));
  wire::Codec<uint32_t>::Store(&block[size - 4], static_cast<uint32_t>(size));
  return block.subspan(8, body);
}

std::span<uint8_t> PacketTap::AppendPacket(Timestamp now, size_t captured, size_t original) {
  const std::span<uint8_t> block = AppendBlock(kEnhancedPacket, kPacketFields + captured);
  if (block.empty()) return {};
  ByteWriter out(block);
  out.Write<uint32_t>(0);  // interface
  out.Write(static_cast<uint64_t>((now - Timestamp::FromEpoch(Duration::zero())).count()));
  out.Write(static_cast<uint32_t>(captured));
  out.Write(static_cast<uint32_t>(original));
  return block.subspan(kPacketFields);
}

void PacketTap::Record(Timestamp now, const SocketAddress& from, const SocketAddress& to,
                       std::span<const uint8_t> datagram) {
  const std::span<const uint8_t> data = datagram.first(std::min(datagram.size(), kMaxDatagram));
  const bool v4 = from.ip.is_v4() && to.ip.is_v4();
  const Inner inner{kUdpProtocol, kUdpHeader, data.size()};
  const size_t size = (v4 ? kV4Header : kV6Header) + inner.size();
  const std::span<uint8_t> packet = AppendPacket(now, size, size + (datagram.size() - data.size()));
  if (packet.empty()) return;
  ByteWriter out(packet);
  WriteIp(out, from.ip, to.ip, v4, inner);
  WriteUdp(out, {from.port, to.port}, v4, data);
  JSP_DCHECK(out.ok() && out.remaining() == 0);
}

void PacketTap::RecordSegment(Timestamp now, const SocketAddress& from, const SocketAddress& to,
                              const TapSegment& segment, std::span<const uint8_t> payload) {
  const std::span<const uint8_t> data = payload.first(std::min(payload.size(), kMaxSegment));
  const bool v4 = from.ip.is_v4() && to.ip.is_v4();
  const Inner inner{kTcpProtocol, kTcpHeader, data.size()};
  const size_t size = (v4 ? kV4Header : kV6Header) + inner.size();
  const std::span<uint8_t> packet = AppendPacket(now, size, size + (payload.size() - data.size()));
  if (packet.empty()) return;
  ByteWriter out(packet);
  WriteIp(out, from.ip, to.ip, v4, inner);
  WriteTcp(out, {from.port, to.port}, v4, segment, data);
  JSP_DCHECK(out.ok() && out.remaining() == 0);
}

void PacketTap::RecordPacket(Timestamp now, std::span<const uint8_t> packet) {
  const std::span<uint8_t> copy = AppendPacket(now, packet.size(), packet.size());
  if (copy.size() == packet.size()) std::ranges::copy(packet, copy.begin());
}

void PacketTap::RecordKeyLog(std::string_view lines) {
  const std::span<uint8_t> block = AppendBlock(kDecryptionSecrets, kSecretsFields + lines.size());
  if (block.empty()) return;
  ByteWriter out(block);
  out.Write(kTlsKeyLog);
  out.Write(static_cast<uint32_t>(lines.size()));
  out.WriteText(lines);
  JSP_DCHECK(out.ok() && out.remaining() == 0);
}

std::vector<uint8_t> PacketTap::Take() { return std::exchange(bytes_, {}); }

}  // namespace jsp
