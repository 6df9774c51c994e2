#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/payload.h"
#include "base/strong_types.h"
#include "base/time.h"
#include "datachannel/incoming_pieces.h"
#include "datachannel/message_codec.h"
#include "datachannel/utf8.h"
#include "sctp/message.h"
#include "sctp/types.h"
namespace jsp::datachannel {

// Names a channel of one ChannelSet for as long as the set lives; never reused, unlike stream ids.
using ChannelId = StrongId<struct ChannelIdTag, uint32_t>;

// RFC 8831 §6.1, RFC 8832 §5.1: the six channel types are ordered × {reliable, rexmit, timed}.
struct ChannelOptions {
  std::string label{};     // UTF-8, at most 65535 octets
  std::string protocol{};  // UTF-8, at most 65535 octets
  bool ordered = true;
  std::optional<uint16_t> max_retransmits{};
  std::optional<Duration> max_lifetime{};  // milliseconds on the wire, RFC 8832 §5.1; a fraction counts as a whole one
  std::optional<uint16_t> negotiated_id{};  // opened on both sides without DCEP (RFC 8831 §6.5)
  uint16_t priority = 256;                  // RFC 8832 §5.1 / RFC 8831 §6.4
};

enum class ChannelState : uint8_t { kConnecting, kOpen, kClosing, kClosed };
const char* ToString(ChannelState state);

struct ChannelStats {
  ChannelId id;
  std::optional<sctp::StreamId> stream;
  ChannelOptions options;
  ChannelState state = ChannelState::kConnecting;
  uint64_t messages_sent = 0;  // handed to SCTP
  uint64_t bytes_sent = 0;
  uint64_t messages_received = 0;  // accepted, read or not
  uint64_t bytes_received = 0;
  uint64_t messages_expired = 0;  // past max_lifetime before they were handed to SCTP
  // RFC 3758 §3.5 A: given up after that. ChannelSet does not know it; its owner fills it in, and adds to the next one.
  uint64_t messages_abandoned = 0;
  size_t buffered_amount = 0;     // octets not transmitted for the first time yet
  uint64_t messages_aborted = 0;  // read in part, and then given up by the peer
};

struct ReceivedMessage {
  ChannelId channel;
  MessageKind kind;
  Payload payload;
  sctp::Part part = sctp::Part::kWhole;  // another one only where SetDelivery asked for it
};

// One data channel: its options, the DCEP message that it still owes, what waits to be sent and what waits to be read.
// Knows its stream, but neither other channels nor when a stream is reset: ChannelSet, the only caller, decides when a
// channel opens and closes, and this class keeps the order in which its messages leave (RFC 8832 §6).
class Channel {
 public:
  enum class Opener : uint8_t { kLocal, kPeer, kNegotiated };
  struct Output {
    sctp::Message message;
    sctp::SendOptions options;
  };
  struct Unread {
    ReceivedMessage message;
    size_t octets;  // of the SCTP user message, which the receive window still counts
  };

  Channel(ChannelId id, ChannelOptions options, Opener opener);

  // The stream is known and SCTP is up. Channels of the peer and negotiated ones are open from here on.
  void Attach(sctp::StreamId stream);
  void Detach() { stream_.reset(); }
  // The peer answered, by DATA_CHANNEL_ACK or by any other message (RFC 8832 §6). True when that opened the channel.
  bool MarkAnswered();
  // RFC 8832 §5.2: the one DATA_CHANNEL_ACK that our OPEN asked for; false when there is none to come.
  bool TakeAck() { return std::exchange(ack_awaited_, false); }
  void set_state(ChannelState state) { state_ = state; }

  // `now` starts the lifetime of the message (RFC 8832 §5.1).
  void Queue(Timestamp now, MessageKind kind, Payload payload, sctp::Part part = sctp::Part::kWhole);
  // The message that the application sends in pieces and has not ended.
  struct Unfinished {
    MessageKind kind;
    uint64_t octets = 0;
    Utf8Checker utf8{};
    bool abandoned = false;  // its lifetime is over, or SCTP gave it up
  };
  std::optional<Unfinished>& open_message() { return open_; }
  // SCTP gave up the message of the piece it was handed last: what is queued of it is forgotten. Returns the octets.
  size_t DiscardPieces();
  // SCTP was handed the beginning of a message and not its end.
  bool HasHandedPart() const { return has_handed_part_; }
  // Forgets what was not handed over, DCEP included. Returns the octets of user messages forgotten.
  size_t DiscardOutput();
  // Gives back what queues that are empty hold.
  void Trim();
  // Forgets messages at the head of the queue whose lifetime is over. Returns their octets.
  size_t DiscardExpired(Timestamp now);
  bool HasOutput() const { return owed_ != Owed::kNothing || !outgoing_.empty(); }
  bool HasUserOutput() const { return !outgoing_.empty(); }
  // Octets of the next SCTP message, DCEP or user; HasOutput() must hold.
  size_t NextOutputSize() const;
  // The next message for SCTP: DCEP first, then user messages in the order of Queue. Attached, and HasOutput() holds.
  Output TakeOutput(Timestamp now);
  // True while the peer cannot have heard of this channel.
  bool IsUnannounced() const { return owed_ == Owed::kOpen; }

  IncomingPieces& incoming() { return incoming_; }
  const IncomingPieces& incoming() const { return incoming_; }
  void Receive(DecodedPiece piece);
  std::optional<Unread> TakeUnread();

  ChannelId id() const { return id_; }
  const ChannelOptions& options() const { return options_; }
  ChannelState state() const { return state_; }
  std::optional<sctp::StreamId> stream() const { return stream_; }
  size_t queued_bytes() const { return queued_bytes_; }
  size_t unread_messages() const { return unread_.size(); }
  ChannelStats stats() const;

  // Whether the channel stands in ChannelSet's lists; kept here so that each lists it once.
  struct Listing {
    bool output = false;
    bool unread = false;
    bool low_reported = false;
    bool close_reported = false;
  };
  Listing& listing() { return listing_; }

 private:
  // The DCEP message that goes out before any user message.
  enum class Owed : uint8_t { kNothing, kOpen, kAck };
  struct Outgoing {
    Payload payload;
    Timestamp queued_at;
    MessageKind kind;
    sctp::Part part;
  };
  struct Counters {
    uint64_t messages_sent = 0;
    uint64_t bytes_sent = 0;
    uint64_t messages_received = 0;
    uint64_t bytes_received = 0;
    uint64_t messages_expired = 0;
    uint64_t messages_aborted = 0;
  };

  bool IsExpired(const Outgoing& outgoing, Timestamp now) const;
  Output TakeDcep();

  ChannelId id_;
  ChannelOptions options_;
  std::optional<sctp::StreamId> stream_;
  ChannelState state_ = ChannelState::kConnecting;
  Owed owed_;
  bool answered_;  // RFC 8832 §6: until then everything is sent ordered
  bool ack_awaited_ = false;
  Listing listing_;
  boost::circular_buffer<Outgoing> outgoing_;
  size_t queued_bytes_ = 0;
  std::optional<Unfinished> open_;
  bool has_handed_part_ = false;
  IncomingPieces incoming_;
  boost::circular_buffer<Unread> unread_;
  Counters counters_;
};

}  // namespace jsp::datachannel
