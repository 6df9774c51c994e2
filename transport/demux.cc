#include "transport/demux.h"
namespace jsp::transport {

// RFC 7983 §7:
//                    +----------------+
//                    |        [0..3] -+--> forward to STUN
//                    |      [16..19] -+--> forward to ZRTP
//        packet -->  |      [20..63] -+--> forward to DTLS
//                    |      [64..79] -+--> forward to TURN Channel
//                    |    [128..191] -+--> forward to RTP/RTCP
//                    +----------------+
// All else "MUST be dropped".
PacketKind ClassifyPacket(std::span<const uint8_t> datagram) {
  if (datagram.empty()) return PacketKind::kUnknown;
  const uint8_t first = datagram[0];
  if (first <= 3) return PacketKind::kStun;
  if (first >= 16 && first <= 19) return PacketKind::kZrtp;
  if (first >= 20 && first <= 63) return PacketKind::kDtls;
  if (first >= 64 && first <= 79) return PacketKind::kTurnChannel;
  if (first >= 128 && first <= 191) return PacketKind::kRtp;
  return PacketKind::kUnknown;
}

}  // namespace jsp::transport
