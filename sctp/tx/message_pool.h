#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/time.h"
#include "sctp/message.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Names one slot of a MessagePool.
using MessageHandle = StrongId<struct MessageHandleTag, uint32_t>;
inline constexpr MessageHandle kNoMessage{std::numeric_limits<uint32_t>::max()};

// Which of the messages that give way for want of room does so first (RFC 7496 §3.2): of the lowest priority, one that
// was not sent yet, the oldest.
struct YieldKey {
  uint64_t rank = 0;  // larger gives way first
  bool begun = false;
  uint64_t order = 0;
  friend bool operator<(const YieldKey& a, const YieldKey& z) {
    if (a.rank != z.rank) return a.rank > z.rank;
    return a.begun != z.begun ? z.begun : a.order < z.order;
  }
};

// Which limit a message has, and its place among YieldingMessages while it is there.
struct Abandonment {
  std::optional<AbandonPolicy> policy;
  std::optional<uint16_t> max_retransmits;  // RFC 3758 §3.5 A2 by number of retransmissions
  std::optional<YieldKey> yields;
};

// Pieces of the same user message that are still here, in the order in which they were given to Send.
struct PieceLinks {
  MessageHandle before = kNoMessage;
  MessageHandle after = kNoMessage;
};

// One user message, or one piece of a message that is sent in pieces, from Send until the peer has acknowledged all of
// its fragments cumulatively. Fragments refer to it; its payload is never copied before it is written into a packet.
struct OutgoingMessage {
  Message message;
  Timestamp expires_at;  // RFC 3758 §4.1; Never without a lifetime
  Abandonment abandonment;
  bool unordered = false;
  bool control = false;
  bool sack_immediately = false;  // the I bit of its last fragment (RFC 9260 §6.1)
  bool abandoned = false;         // RFC 3758 §3.5 A3: all of its TSNs are
  // Valid once a fragment exists. The SSN of DATA is its low 16 bits, of ordered messages only (RFC 9260 §6.5); I-DATA
  // counts ordered and unordered messages apart (RFC 8260 §2.1).
  Mid mid;
  uint32_t fragmented = 0;              // octets of the payload that fragments carry so far
  uint32_t fragments = 0;               // TSNs that it has
  uint32_t unacknowledged = 0;          // of them, those above the cumulative TSN ack point
  UnwrappedTsn last_tsn{0};             // valid once fragments > 0; each names the one before (OutstandingData::Chunk)
  MessageHandle next = kNoMessage;      // behind it in its stream's queue, or in the list of free slots
  MessageHandle previous = kNoMessage;  // before it in its stream's queue
  PieceLinks pieces;

  size_t size() const { return message.payload.size(); }
  Ssn ssn() const { return Ssn(static_cast<uint16_t>(mid.value)); }
  bool IsFragmentedWhole() const { return abandoned || fragmented == size(); }
};

// The storage of all messages of one association, as a slab: a slot is reused as soon as its message is done with, so
// that a steady state allocates nothing. Owned by SendQueue. A handle is valid until Release; references are valid
// until the next Add.
class MessagePool {
 public:
  MessageHandle Add(OutgoingMessage message);
  void Release(MessageHandle handle);
  // Of an abandoned message only what FORWARD TSN says about it is needed any more.
  void DropPayload(MessageHandle handle);
  // Gives the slab back when it is empty: what a peak took is kept until the owner is idle.
  void Trim();

  OutgoingMessage& operator[](MessageHandle handle) { return slots_[handle.value]; }
  const OutgoingMessage& operator[](MessageHandle handle) const { return slots_[handle.value]; }

  // Octets of the payloads held.
  size_t octets() const { return octets_; }
  size_t size() const { return live_; }

 private:
  std::vector<OutgoingMessage> slots_;
  MessageHandle free_ = kNoMessage;
  size_t live_ = 0;
  size_t octets_ = 0;
};

}  // namespace jsp::sctp
