#include "stun/message_type.h"
namespace jsp::stun {

// RFC 8489 §5, figure 3:
//    2  3  4 5 6 7 8 9 0 1 2 3 4 5
//   +--+--+-+-+-+-+-+-+-+-+-+-+-+-+
//   |M |M |M|M|M|C|M|M|M|C|M|M|M|M|
//   |11|10|9|8|7|1|6|5|4|0|3|2|1|0|
//   +--+--+-+-+-+-+-+-+-+-+-+-+-+-+
uint16_t MessageType::ToWire() const {
  const uint32_t m = static_cast<uint32_t>(method);
  const uint32_t c = static_cast<uint32_t>(message_class);
  return static_cast<uint16_t>((m & 0x00f) | (m & 0x070) << 1 | (m & 0xf80) << 2 | (c & 1) << 4 | (c & 2) << 7);
}

MessageType MessageType::FromWire(uint16_t type) {
  const uint32_t t = type;
  return {static_cast<Method>((t & 0x00f) | (t >> 1 & 0x070) | (t >> 2 & 0xf80)),
          static_cast<MessageClass>((t >> 4 & 1) | (t >> 7 & 2))};
}

}  // namespace jsp::stun
