#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.h"
#include "datachannel/channel.h"
namespace jsp::datachannel {

// RFC 8832 §8.2.1
enum class DcepType : uint8_t { kAck = 0x02, kOpen = 0x03 };

// RFC 8832 §5.1: the low bits say how reliable, the top bit says unordered.
enum class ChannelType : uint8_t {
  kReliable = 0x00,
  kReliableUnordered = 0x80,
  kRexmit = 0x01,
  kRexmitUnordered = 0x81,
  kTimed = 0x02,
  kTimedUnordered = 0x82,
};
const char* ToString(ChannelType type);

// RFC 8832 §5.1, DATA_CHANNEL_OPEN. The texts are views into the parsed buffer and valid UTF-8.
struct OpenMessage {
  ChannelType type = ChannelType::kReliable;
  uint16_t priority = 256;   // RFC 8831 §6.4
  uint32_t reliability = 0;  // retransmissions or milliseconds, by `type`; ignored on reliable channels
  std::string_view label;
  std::string_view protocol;

  // The message that announces a channel with `options`; its texts are views into `options`, which must outlive it.
  static OpenMessage FromOptions(const ChannelOptions& options);
  // A number of retransmissions past 65535 is taken as 65535.
  ChannelOptions ToOptions() const;
  std::string ToString() const;
};

// RFC 8832 §5.2, DATA_CHANNEL_ACK: one octet.
struct AckMessage {};

using DcepMessage = std::variant<OpenMessage, AckMessage>;

struct DcepError {
  enum class Code : uint8_t { kTooShort, kUnknownType, kUnknownChannelType, kBadLength, kInvalidUtf8 };
  Code code;
  size_t offset;  // of the field that was refused
};

// The fixed part of DATA_CHANNEL_OPEN, and its longest label and protocol.
inline constexpr size_t kOpenFixedSize = 12;
inline constexpr size_t kMaxTextSize = 65535;

// A message under PPID 50. Nothing may follow the last field (RFC 8832 §7: "inconsistent lengths of fields").
Expected<DcepMessage, DcepError> ParseDcepMessage(std::span<const uint8_t> in);
// Texts past kMaxTextSize are the caller's mistake.
std::vector<uint8_t> WriteOpen(const OpenMessage& open);
std::vector<uint8_t> WriteAck();

}  // namespace jsp::datachannel
