#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include "base/strong_types.h"
#include "base/time.h"
#include "sctp/types.h"
namespace jsp::datachannel {

// Names a channel of one ChannelSet for as long as the set lives; never reused, unlike stream ids.
using ChannelId = StrongId<struct ChannelIdTag, uint32_t>;

// RFC 8831 §6.1, RFC 8832 §5.1: the six channel types are ordered × {reliable, rexmit, timed}.
struct ChannelOptions {
  std::string label;     // UTF-8, at most 65535 octets
  std::string protocol;  // UTF-8, at most 65535 octets
  bool ordered = true;
  std::optional<uint16_t> max_retransmits;
  std::optional<Duration> max_lifetime;  // milliseconds on the wire, RFC 8832 §5.1
  std::optional<uint16_t> negotiated_id;  // opened on both sides without DCEP (RFC 8831 §6.4)
  uint16_t priority = 256;                // RFC 8832 §5.1 / RFC 8831 §6.4
};

enum class ChannelState : uint8_t { kConnecting, kOpen, kClosing, kClosed };
const char* ToString(ChannelState state);

struct ChannelStats {
  ChannelId id;
  std::optional<sctp::StreamId> stream;
  ChannelOptions options;
  ChannelState state = ChannelState::kConnecting;
  uint64_t messages_sent = 0;
  uint64_t bytes_sent = 0;
  uint64_t messages_received = 0;
  uint64_t bytes_received = 0;
};

}  // namespace jsp::datachannel
