#include "sctp/packet/sctp_packet.h"

#include <array>

#include "base/crc32c.h"
namespace jsp::sctp {
namespace {

// RFC 9260 §A: the CRC's octets are put on the wire with the least significant one first.
uint32_t LoadChecksum(std::span<const uint8_t> packet) {
  const uint8_t* p = packet.data() + kChecksumOffset;
  return uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}

bool HasAcceptedChecksum(std::span<const uint8_t> packet, ChecksumPolicy policy) {
  const uint32_t received = LoadChecksum(packet);
  if (policy == ChecksumPolicy::kAcceptZero && received == 0) return true;
  return received == PacketChecksum(packet);
}

}  // namespace

uint32_t PacketChecksum(std::span<const uint8_t> packet) {
  static constexpr std::array<uint8_t, kChecksumSize> kZeros{};
  const uint32_t before = Crc32c(packet.first(kChecksumOffset));
  return Crc32c(packet.subspan(kCommonHeaderSize), Crc32c(kZeros, before));
}

Expected<PacketView, ParseError> PacketView::Parse(std::span<const uint8_t> datagram, ChecksumPolicy policy) {
  if (datagram.size() < kCommonHeaderSize + kTlvHeaderSize) return Unexpected(ParseError{ParseErrc::kTruncated, 0});
  if (!HasAcceptedChecksum(datagram, policy)) return Unexpected(ParseError{ParseErrc::kBadChecksum, kChecksumOffset});
  const auto body = datagram.subspan(kCommonHeaderSize);
  const size_t whole = WholeTlvOctets(body);
  if (whole == 0) return Unexpected(ParseError{ParseErrc::kBadLength, kCommonHeaderSize + 2});
  return PacketView{*wire::Read<CommonHeader>(datagram), ChunkRange(body.first(whole)), body.size() - whole};
}

}  // namespace jsp::sctp
