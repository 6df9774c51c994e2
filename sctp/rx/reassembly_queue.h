#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/buffer_pool.h"
#include "sctp/message.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/wire_list.h"
#include "sctp/rx/interleaved_streams.h"
#include "sctp/rx/message_assembler.h"
#include "sctp/rx/stream_sequencer.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Turns DATA chunks into messages: fragments into whole messages (RFC 9260 §6.9), ordered messages into the order of
// their stream (RFC 9260 §6.6). A façade that routes; the work is MessageAssembler's and StreamSequencer's, or that of
// InterleavedStreams. Does not own TSN tracking and the receive window. Association adds each chunk once: what
// DataTracker classifies as duplicate or too far never comes here.
class ReassemblyQueue {
 public:
  struct Limits {
    // Octets of one message; 0: no limit. Give the receive window when there is no other limit: a message that is
    // larger than the window can never become whole.
    size_t max_message_size = 0;
    // The same of messages that are given out in pieces, which need not fit into the window.
    size_t max_size_in_pieces = 0;
    Delivery delivery = Delivery::kWhole;  // of streams without SetDelivery
    // Streams that the peer may send on, from 0; at most 65536.
    uint32_t incoming_streams = 65536;
    Framing framing = Framing::kData;
    uint64_t hash_key = 0;  // a random number: which numbers of the peer share a bucket (numbered_table.h)
  };
  enum class AddResult : uint8_t {
    kAccepted,
    kInvalidStream,      // chunk dropped; RFC 9260 §6.5: acknowledge it and report Invalid Stream Identifier
    kNoUserData,         // RFC 9260 §6.2: abort with No User Data
    kMessageTooLarge,    // abort
    kProtocolViolation,  // abort: B after an unfinished message, E without B, another stream, SSN or U bit inside
                         // of one message (RFC 9260 §6.9), an SSN that was delivered before (RFC 9260 §6.5)
  };

  // `pool`: where payloads and bookkeeping come from.
  explicit ReassemblyQueue(const Limits& limits, const BufferPool& pool = {}) : limits_(limits) {
    if (IsInterleaved()) {
      interleaved_ = std::make_unique<InterleavedStreams>(pool, limits.hash_key);
    } else {
      plain_ = std::make_unique<PlainStreams>(pool, limits.hash_key);
    }
  }

  // On any result but kAccepted the chunk is not kept.
  AddResult Add(UnwrappedTsn tsn, const DataChunk& chunk);
  // Call after DataTracker moved. kProtocolViolation when what arrived up to `cumulative` can never become whole
  // messages (a fragment whose predecessor arrived as another message's end); such octets would hold the window for
  // ever. O(1).
  AddResult CheckProgress(UnwrappedTsn cumulative);
  // RFC 3758 §3.6, after DataTracker::HandleForwardTsn accepted it: drops messages that miss TSNs up to
  // `new_cumulative`, and releases ordered messages behind the skipped ones. O(dropped + listed).
  void HandleForwardTsn(UnwrappedTsn new_cumulative, const WireList<SkippedStream>& skipped);
  // The same for I-FORWARD-TSN (RFC 8260 §2.3.1).
  void HandleIForwardTsn(const WireList<SkippedMessages>& skipped);
  // RFC 6525 §5.2.2, when all DATA up to the sender's last assigned TSN has arrived: the next SSN of these streams is
  // 0. No streams listed: all. Ordered messages still waiting on them are dropped; a right sender leaves none.
  void ResetStreams(std::span<const StreamId> streams);
  // From now on, until the stream is reset. A message that was given out in part stays in pieces.
  void SetDelivery(StreamId stream, Delivery delivery);
  // RFC 6525 §5.2.5: the peer added outgoing streams.
  void SetIncomingStreams(uint32_t count) { limits_.incoming_streams = count; }

  // The next message, or piece of one. Its octets leave buffered_bytes().
  std::optional<Message> PopMessage() { return interleaved_ ? interleaved_->Pop() : plain_->sequencer.Pop(); }

  // Octets held: payload that is incomplete, out of order or not popped yet, and the bookkeeping around it, so that a
  // peer cannot fill memory with headers. Never more than what the peer sent plus a fixed charge per chunk.
  size_t buffered_bytes() const {
    return interleaved_ ? interleaved_->buffered_bytes()
                        : plain_->assembler.buffered_bytes() + plain_->sequencer.buffered_bytes();
  }
  // Fragments dropped by FORWARD TSN, and messages dropped by resets.
  uint64_t dropped_fragments() const {
    return interleaved_ ? interleaved_->dropped_fragments() : plain_->assembler.dropped_fragments();
  }
  uint64_t dropped_messages() const {
    return interleaved_ ? interleaved_->dropped_messages() : plain_->sequencer.dropped_messages();
  }
  // Idle: gives back what the largest moment took.
  void Trim() {
    if (interleaved_) return interleaved_->Trim();
    plain_->assembler.Trim();
    plain_->sequencer.Trim();
  }
  // For tests and fuzzing.
  bool IsConsistent() const {
    return interleaved_ ? interleaved_->IsConsistent()
                        : plain_->assembler.IsConsistent() && plain_->sequencer.IsConsistent();
  }

 private:
  struct PlainStreams {
    PlainStreams(const BufferPool& pool, uint64_t hash_key) : assembler(pool), sequencer(hash_key) {}
    MessageAssembler assembler;
    StreamSequencer sequencer;
  };

  bool IsInterleaved() const { return limits_.framing == Framing::kIData; }
  Delivery DeliveryOf(StreamId stream) const;
  AddResult AddToAssembler(UnwrappedTsn tsn, const DataChunk& chunk, size_t max_message_size, Delivery delivery);
  void DeliverAborted();

  Limits limits_;
  boost::unordered_flat_map<uint16_t, Delivery> deliveries_;  // that the application set
  // One of the two, as the framing wants it: an idle association holds no more than it uses.
  std::unique_ptr<PlainStreams> plain_;
  std::unique_ptr<InterleavedStreams> interleaved_;
};

}  // namespace jsp::sctp
