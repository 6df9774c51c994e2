#pragma once
#include <chrono>
#include <cstdint>

#include "base/time.h"
#include "turn/channel_data.h"
namespace jsp::turn {

// Between a client and its server (RFC 8656 §3.1). DTLS over UDP is kUdp to a core: its owner opens the records.
enum class ControlTransport : uint8_t { kUdp, kTcp, kTls };
constexpr bool IsStream(ControlTransport transport) { return transport != ControlTransport::kUdp; }
constexpr Framing FramingOf(ControlTransport transport) {
  return IsStream(transport) ? Framing::kStream : Framing::kDatagram;
}

// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds". RFC 8656 §12: a channel binding lasts 10 minutes, and
// neither its number nor its peer is bound otherwise for 5 minutes more.
constexpr Duration kPermissionLifetime = std::chrono::seconds(300);
constexpr Duration kChannelLifetime = std::chrono::seconds(600);
constexpr Duration kChannelCoolDown = std::chrono::seconds(300);

// RFC 6062 §5.2, §5.3: a peer's connection that no client binds is closed after 30 seconds.
constexpr Duration kConnectionBindTimeout = std::chrono::seconds(30);

}  // namespace jsp::turn
