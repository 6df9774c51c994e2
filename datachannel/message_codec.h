#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "base/payload.h"
#include "datachannel/ppid.h"
#include "sctp/message.h"
namespace jsp::datachannel {

enum class MessageKind : uint8_t { kString, kBinary };

// RFC 3629 §3 as RFC 8831 §6.6 asks of strings: no overlong form, no surrogate, nothing past U+10FFFF. Linear, with a
// fast path for ASCII.
bool IsValidUtf8(std::span<const uint8_t> text);
bool IsValidUtf8(std::string_view text);

// RFC 8831 §6.6: one application message as one SCTP user message. The payload is moved. An empty one becomes a single
// zero octet under its own identifier, because SCTP cannot send empty messages.
sctp::Message EncodeMessage(sctp::StreamId stream, MessageKind kind, Payload payload);

enum class DecodeError : uint8_t { kUnknownPpid, kInvalidUtf8 };

// What an SCTP user message that is not DCEP says.
struct DecodedMessage {
  MessageKind kind;
  Payload payload;
  bool ignored_payload = false;  // "empty", yet with more than the one placeholder octet
};

// RFC 8831 §6.6: the content of a message under an empty identifier is ignored. The payload is moved.
Expected<DecodedMessage, DecodeError> DecodeMessage(sctp::Message message);

}  // namespace jsp::datachannel
