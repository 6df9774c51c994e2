#include "datachannel/dcep_message.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <tuple>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/check.h"
#include "base/wire_layout.h"
#include "datachannel/message_codec.h"
namespace jsp {
namespace datachannel {
namespace {

struct OpenFixed {
  uint8_t message_type = 0;
  uint8_t channel_type = 0;
  uint16_t priority = 0;
  uint32_t reliability = 0;
  uint16_t label_length = 0;
  uint16_t protocol_length = 0;
};

constexpr uint8_t kUnorderedBit = 0x80;

bool IsKnown(uint8_t channel_type) { return (channel_type & ~kUnorderedBit) <= static_cast<int>(ChannelType::kTimed); }

bool IsUnordered(ChannelType type) { return (static_cast<uint8_t>(type) & kUnorderedBit) != 0; }

ChannelType Reliability(ChannelType type) {
  return static_cast<ChannelType>(static_cast<uint8_t>(type) & ~kUnorderedBit);
}

std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace
}  // namespace datachannel

template <>
struct wire::Layout<datachannel::OpenFixed> {
  using T = datachannel::OpenFixed;
  static constexpr std::tuple kFields{&T::message_type, &T::channel_type, &T::priority,
                                      &T::reliability,  &T::label_length, &T::protocol_length};
};

namespace datachannel {
static_assert(wire::kSize<OpenFixed> == kOpenFixedSize);

const char* ToString(ChannelType type) {
  switch (type) {
    case ChannelType::kReliable:
      return "reliable";
    case ChannelType::kReliableUnordered:
      return "reliable-unordered";
    case ChannelType::kRexmit:
      return "rexmit";
    case ChannelType::kRexmitUnordered:
      return "rexmit-unordered";
    case ChannelType::kTimed:
      return "timed";
    case ChannelType::kTimedUnordered:
      return "timed-unordered";
  }
  return "unknown";
}

OpenMessage OpenMessage::FromOptions(const ChannelOptions& options) {
  OpenMessage open{.priority = options.priority, .label = options.label, .protocol = options.protocol};
  ChannelType type = ChannelType::kReliable;
  if (options.max_retransmits) {
    type = ChannelType::kRexmit;
    open.reliability = *options.max_retransmits;
  } else if (options.max_lifetime) {
    type = ChannelType::kTimed;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(*options.max_lifetime).count();
    open.reliability = static_cast<uint32_t>(
        std::clamp<decltype(milliseconds)>(milliseconds, 0, std::numeric_limits<uint32_t>::max()));
  }
  open.type = options.ordered ? type : static_cast<ChannelType>(static_cast<uint8_t>(type) | kUnorderedBit);
  return open;
}

ChannelOptions OpenMessage::ToOptions() const {
  ChannelOptions options;
  options.label = label;
  options.protocol = protocol;
  options.priority = priority;
  options.ordered = !IsUnordered(type);
  // RFC 8832 §5.1: on a reliable channel the reliability parameter "MUST be ignored on the receiving side".
  if (Reliability(type) == ChannelType::kRexmit) {
    options.max_retransmits =
        static_cast<uint16_t>(std::min<uint32_t>(reliability, std::numeric_limits<uint16_t>::max()));
  } else if (Reliability(type) == ChannelType::kTimed) {
    options.max_lifetime = std::chrono::milliseconds(reliability);
  }
  return options;
}

std::string OpenMessage::ToString() const {
  return std::string("OPEN ") + datachannel::ToString(type) + " priority=" + std::to_string(priority) +
         " reliability=" + std::to_string(reliability) + " label=" + std::to_string(label.size()) +
         "B protocol=" + std::to_string(protocol.size()) + "B";
}

// RFC 8832 §5.1
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |  Message Type |  Channel Type |            Priority           |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                    Reliability Parameter                      |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |         Label Length          |       Protocol Length         |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  \                             Label                             /
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  \                            Protocol                           /
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// and RFC 8832 §5.2: an ACK is its message type alone.
Expected<DcepMessage, DcepError> ParseDcepMessage(std::span<const uint8_t> in) {
  using Code = DcepError::Code;
  if (in.empty()) return Unexpected(DcepError{Code::kTooShort, 0});
  if (in[0] == static_cast<uint8_t>(DcepType::kAck)) {
    if (in.size() != 1) return Unexpected(DcepError{Code::kBadLength, 1});
    return AckMessage{};
  }
  if (in[0] != static_cast<uint8_t>(DcepType::kOpen)) return Unexpected(DcepError{Code::kUnknownType, 0});

  ByteReader reader(in);
  const auto fixed = reader.ReadStruct<OpenFixed>();
  if (!reader.ok()) return Unexpected(DcepError{Code::kTooShort, in.size()});
  if (!IsKnown(fixed.channel_type)) return Unexpected(DcepError{Code::kUnknownChannelType, 1});
  // RFC 8832 §7: lengths that disagree with the message are an error.
  if (reader.remaining() != size_t{fixed.label_length} + fixed.protocol_length) {
    return Unexpected(DcepError{Code::kBadLength, 8});
  }
  OpenMessage open{.type = static_cast<ChannelType>(fixed.channel_type),
                   .priority = fixed.priority,
                   .reliability = fixed.reliability,
                   .label = AsText(reader.ReadBytes(fixed.label_length)),
                   .protocol = AsText(reader.ReadBytes(fixed.protocol_length))};
  if (!IsValidUtf8(open.label)) return Unexpected(DcepError{Code::kInvalidUtf8, kOpenFixedSize});
  if (!IsValidUtf8(open.protocol)) return Unexpected(DcepError{Code::kInvalidUtf8, kOpenFixedSize + open.label.size()});
  return open;
}

std::vector<uint8_t> WriteOpen(const OpenMessage& open) {
  JSP_CHECK(open.label.size() <= kMaxTextSize && open.protocol.size() <= kMaxTextSize);
  std::vector<uint8_t> out(kOpenFixedSize + open.label.size() + open.protocol.size());
  ByteWriter writer(out);
  writer.WriteStruct(OpenFixed{
      .message_type = static_cast<uint8_t>(DcepType::kOpen),
      .channel_type = static_cast<uint8_t>(open.type),
      .priority = open.priority,
      // RFC 8832 §5.1: zero on reliable channels.
      .reliability = Reliability(open.type) == ChannelType::kReliable ? 0 : open.reliability,
      .label_length = static_cast<uint16_t>(open.label.size()),
      .protocol_length = static_cast<uint16_t>(open.protocol.size()),
  });
  writer.WriteText(open.label);
  writer.WriteText(open.protocol);
  return out;
}

std::vector<uint8_t> WriteAck() { return {static_cast<uint8_t>(DcepType::kAck)}; }

}  // namespace datachannel
}  // namespace jsp
