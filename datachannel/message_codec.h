#pragma once
#include <cstdint>

#include "base/payload.h"
#include "datachannel/ppid.h"
#include "datachannel/utf8.h"
#include "sctp/message.h"
namespace jsp::datachannel {

enum class MessageKind : uint8_t { kString, kBinary };

// RFC 8831 §6.6: one application message as one SCTP user message. The payload is moved. An empty one becomes a single
// zero octet under its own identifier, because SCTP cannot send empty messages. A piece of a message is not empty.
sctp::Message EncodeMessage(sctp::StreamId stream, MessageKind kind, Payload payload,
                            sctp::Part part = sctp::Part::kWhole);

}  // namespace jsp::datachannel
