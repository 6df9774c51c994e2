#pragma once
#include <cstdint>
namespace jsp::stun {

// RFC 8489 §5: the 14-bit message type interleaves a 12-bit method and a 2-bit class.
enum class MessageClass : uint8_t { kRequest = 0, kIndication = 1, kSuccessResponse = 2, kErrorResponse = 3 };

enum class Method : uint16_t {
  kBinding = 0x001,
  kAllocate = 0x003,  // RFC 8656 §17
  kRefresh = 0x004,
  kSend = 0x006,
  kData = 0x007,
  kCreatePermission = 0x008,
  kChannelBind = 0x009,
  kConnect = 0x00a,  // RFC 6062 §6.1
  kConnectionBind = 0x00b,
  kConnectionAttempt = 0x00c,
};

struct MessageType {
  Method method = Method::kBinding;
  MessageClass message_class = MessageClass::kRequest;
  bool operator==(const MessageType&) const = default;
  uint16_t ToWire() const;
  static MessageType FromWire(uint16_t type);  // the two top bits are ignored; test them first
};

}  // namespace jsp::stun
