#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/payload.h"
#include "base/time.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Where in its message a payload belongs. Messages of any size are sent and delivered in pieces (RFC 9260 §6.9: "a
// partial delivery API"), one message at a time on a stream; what is not asked to be in pieces is whole.
enum class Part : uint8_t {
  kWhole,
  kBegin,
  kMiddle,
  kEnd,
  kAborted,  // without octets: what has begun never gets its end
};
constexpr bool Begins(Part part) { return part == Part::kWhole || part == Part::kBegin; }
constexpr bool Ends(Part part) { return part != Part::kBegin && part != Part::kMiddle; }

// One user message, or a piece of one. Moved, never copied, between the layers.
struct Message {
  StreamId stream;
  Ppid ppid;
  Payload payload;
  Part part = Part::kWhole;
};

// How ordered messages of a stream are given out. In pieces: each as soon as it is next, whatever its message's size.
enum class Delivery : uint8_t { kWhole, kPieces };

// When a message may be given up (RFC 3758, RFC 7496 §3); kApplication: because Part::kAborted said so.
enum class AbandonPolicy : uint8_t { kRetransmissions, kLifetime, kPriority, kReplaceable, kApplication, kCount };

// How one message travels. Reliably, or with one of four limits (RFC 3758, RFC 7496 §3, RFC 8831 §6.1), which
// bind once the peer has said that it understands FORWARD TSN; more than one is SendError::kBadOptions. So are
// buffer_priority and replaceable with a message in pieces: it would give way while it is being written.
struct SendOptions {
  bool unordered = false;

  std::optional<uint16_t> max_retransmits;  // 0: sent once
  std::optional<Duration> lifetime;  // from Send(); past it the message is abandoned, also before its first sending
  // RFC 7496 §3.2: gives way when the send buffer has no room for a message that is without it or has a smaller number,
  // be it unsent or outstanding. 0 is the highest priority.
  std::optional<uint32_t> buffer_priority;
  // Gives way to any later message that the send buffer has no room for, the oldest first: of samples the newest count.
  bool replaceable = false;

  uint16_t priority = 256;        // of the stream, from this message on (RFC 8831 §6.4); see StreamScheduling
  bool control = false;           // does not count in buffered_amount() (DCEP, placeholders of empty messages)
  bool sack_immediately = false;  // the I bit of its last fragment (RFC 9260 §6.1)

  size_t policies() const {
    return size_t{max_retransmits.has_value()} + size_t{lifetime.has_value()} + size_t{buffer_priority.has_value()} +
           size_t{replaceable};
  }
};

}  // namespace jsp::sctp
