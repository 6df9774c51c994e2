#include "sctp/packet/packet_builder.h"

#include "sctp/packet/sctp_packet.h"
namespace jsp::sctp {

PacketBuilder::PacketBuilder(std::span<uint8_t> out, const CommonHeader& header) : writer_(out) {
  writer_.WriteStruct(header);
  writer_.WriteZeros(kChecksumSize);
}

size_t PacketBuilder::Finish(SentChecksum checksum_kind) {
  if (!writer_.ok() || empty()) return 0;
  const auto packet = writer_.written();
  if (checksum_kind == SentChecksum::kZero) return packet.size();  // which the constructor wrote
  const uint32_t checksum = PacketChecksum(packet);
  // RFC 9260 §A: least significant octet first.
  for (size_t i = 0; i < kChecksumSize; ++i) packet[kChecksumOffset + i] = static_cast<uint8_t>(checksum >> (8 * i));
  return packet.size();
}

}  // namespace jsp::sctp
