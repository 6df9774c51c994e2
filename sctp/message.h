#pragma once
#include <cstdint>
#include <optional>

#include "base/payload.h"
#include "base/time.h"
#include "sctp/types.h"
namespace jsp::sctp {

// One user message, whole. Moved, never copied, between the layers.
struct Message {
  StreamId stream;
  Ppid ppid;
  Payload payload;
};

// How one message travels. At most one of max_retransmits and lifetime (RFC 3758, RFC 8831 §6.1).
struct SendOptions {
  bool unordered = false;
  std::optional<uint16_t> max_retransmits;  // 0: sent once
  std::optional<Duration> lifetime;  // from Send(); past it the message is abandoned, also before its first sending
  uint16_t priority = 256;           // of the stream, from this message on (RFC 8831 §6.4); see StreamScheduling
  bool control = false;              // does not count in buffered_amount() (DCEP, placeholders of empty messages)
};

}  // namespace jsp::sctp
