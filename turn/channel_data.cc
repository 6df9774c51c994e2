#include "turn/channel_data.h"

#include <algorithm>
#include <tuple>

#include "base/wire_layout.h"
namespace jsp::turn {
namespace {

// RFC 8656 §12.4:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |         Channel Number        |            Length             |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                                                               |
//   /                       Application Data                        /
//   /                                                               /
//   |                                                               |
//   |                               +-------------------------------+
//   |                               |
//   +-------------------------------+
struct ChannelDataFields {
  uint16_t channel = 0;
  uint16_t length = 0;
};

}  // namespace
}  // namespace jsp::turn

template <>
struct jsp::wire::Layout<jsp::turn::ChannelDataFields> {
  static constexpr std::tuple kFields{&jsp::turn::ChannelDataFields::channel, &jsp::turn::ChannelDataFields::length};
};

namespace jsp::turn {

std::optional<ChannelData> ParseChannelData(std::span<const uint8_t> message, ChannelRange range) {
  const auto fields = wire::Read<ChannelDataFields>(message);
  if (!fields) return std::nullopt;
  const ChannelNumber channel{fields->channel};
  // RFC 8656 §12.6: numbers from 0x5000 on, and datagrams "too short to contain the claimed length", are discarded.
  if (!Contains(range, channel) || message.size() - kChannelDataHeader < fields->length) return std::nullopt;
  return ChannelData{channel, message.subspan(kChannelDataHeader, fields->length)};
}

void WriteChannelDataHeader(ChannelNumber channel, size_t payload, std::span<uint8_t, kChannelDataHeader> out) {
  wire::Write(out, ChannelDataFields{channel.value, static_cast<uint16_t>(payload)});
}

std::span<const uint8_t> WriteChannelData(Framing framing, const ChannelData& message, std::span<uint8_t> out) {
  const size_t payload = message.data.size();
  const size_t size = ChannelDataSize(framing, payload);
  if (payload > kMaxChannelDataPayload || out.size() < size) return {};
  WriteChannelDataHeader(message.channel, payload, out.first<kChannelDataHeader>());
  std::copy_n(message.data.data(), payload, out.data() + kChannelDataHeader);
  // RFC 8656 §12.5: "The padding is not reflected in the length field".
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(kChannelDataHeader + payload),
            out.begin() + static_cast<std::ptrdiff_t>(size), uint8_t{0});
  return out.first(size);
}

}  // namespace jsp::turn
