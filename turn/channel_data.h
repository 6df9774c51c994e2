#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "turn/attributes.h"
namespace jsp::turn {

// ChannelData messages (RFC 8656 §12.4) and what tells them from STUN messages, in datagrams and in streams.

// How messages are cut apart between a client and its server.
enum class Framing : uint8_t {
  kDatagram,  // UDP: one message each; padding may follow a ChannelData message, and is not sent
  kStream,    // TCP and TLS: one behind the other; a ChannelData message is padded to a multiple of four
};

// Which channel numbers there are. A server may take the wider range from clients of the obsolete RFC 5766, which pick
// among all of it: turnutils_uclient of coturn 4.6 does, libwebrtc does not.
enum class ChannelRange : uint8_t {
  kRfc8656,  // 0x4000 to 0x4FFF (RFC 8656 §12)
  kLegacy,   // 0x4000 to 0x7FFF
};
constexpr bool Contains(ChannelRange range, ChannelNumber channel) {
  return channel.IsUsable() || (range == ChannelRange::kLegacy && channel.value >= 0x4000 && channel.value <= 0x7fff);
}

constexpr size_t kChannelDataHeader = 4;
constexpr size_t kMaxChannelDataPayload = 0xffff;

struct ChannelData {
  ChannelNumber channel;          // in the range that was asked for
  std::span<const uint8_t> data;  // a view into the message, without padding; may be empty
};

// What the first octet says (RFC 8656 §12, table 3).
enum class MessageKind : uint8_t { kStun, kChannelData, kOther };
constexpr MessageKind KindOf(uint8_t first_octet, ChannelRange range = ChannelRange::kRfc8656) {
  const uint8_t last_channel = range == ChannelRange::kRfc8656 ? 79 : 127;
  return first_octet <= 3                                   ? MessageKind::kStun
         : first_octet >= 64 && first_octet <= last_channel ? MessageKind::kChannelData
                                                            : MessageKind::kOther;
}

// A message at the beginning of `message`, which may be longer (RFC 8656 §12.5 allows padding over UDP). nullopt when
// it is shorter than it claims, or the channel is not in the range.
std::optional<ChannelData> ParseChannelData(std::span<const uint8_t> message,
                                            ChannelRange range = ChannelRange::kRfc8656);

// Octets on the wire of a message with `payload` octets of data.
constexpr size_t ChannelDataSize(Framing framing, size_t payload) {
  const size_t size = kChannelDataHeader + payload;
  return framing == Framing::kStream ? (size + 3) & ~size_t{3} : size;
}
// The four octets in front of the data; payload <= kMaxChannelDataPayload.
void WriteChannelDataHeader(ChannelNumber channel, size_t payload, std::span<uint8_t, kChannelDataHeader> out);
// A whole message; padding is zero. Returns a view of it, empty when `out` is too small or the data too long.
std::span<const uint8_t> WriteChannelData(Framing framing, const ChannelData& message, std::span<uint8_t> out);

}  // namespace jsp::turn
