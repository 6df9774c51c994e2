#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/expected.h"
#include "base/sans_io.h"
#include "datachannel/channel.h"
#include "datachannel/message_codec.h"
#include "datachannel/stream_id_allocator.h"
#include "sctp/message.h"
namespace jsp::datachannel {

enum class OpenError : uint8_t {
  kLabelTooLong,
  kProtocolTooLong,
  kInvalidUtf8,
  kBothReliabilityLimits,
  kBadLifetime,
  kBadNegotiatedId,  // 65535 or beyond the negotiated streams
  kIdInUse,
  kTooManyChannels,
  kClosed,
  kOutOfMemory,  // the owner's budget has no room
};
enum class SendError : uint8_t {
  kUnknownChannel,  // never existed
  kNotOpen,         // it is closing
  kTooLarge,        // for the peer (RFC 8841 §6.1), or for Options::max_queued_bytes
  kQueueFull,       // Options::max_queued_bytes; try again after BufferedAmountLow
  kClosed,          // the channel or the association
  kInvalidUtf8,     // a string message that is none
  kMessageOpen,     // a message in pieces has begun on the channel: end it first
  kNoOpenMessage,   // a piece of none
  kEmptyPiece,
  kMessageAbandoned,  // what was begun is given up: nothing more of it is sent (RFC 3758 §3.5 A3)
  kOutOfMemory,       // the owner's budget has no room; by its own limits the channel would take it
  kNoStreaming,       // in pieces only over a connection with message interleaving (RFC 8260)
};
const char* ToString(OpenError error);
const char* ToString(SendError error);

struct Options {
  size_t max_channels = 1024;  // more are refused by OpenChannel, and incoming ones are closed at once (ATTACKS R3)
  size_t remote_max_message_size = 256 * 1024;  // 0 = no limit
  size_t max_message_size = 256 * 1024;         // ours, for messages that come in fragments; 0 = no limit
  // Octets of messages accepted by Send and not yet handed to SCTP, over all channels (ATTACKS R7).
  size_t max_queued_bytes = 16 * 1024 * 1024;
  // Messages that nobody has read yet, over all channels. The receive window bounds their octets; this bounds how many
  // tiny ones fit into it. One more closes its channel.
  size_t max_unread_messages = 256 * 1024;
  bool operator==(const Options&) const = default;
};

namespace event {
// The peer opened a channel (RFC 8832 §5.1); it is usable.
struct ChannelOpenedByPeer {
  ChannelId channel;
};
// A channel of ours may be considered open: DATA_CHANNEL_ACK came, or it is negotiated and SCTP is up. Messages may be
// sent before (RFC 8832 §6).
struct ChannelOpen {
  ChannelId channel;
};
struct ChannelClosed {
  ChannelId channel;
};
// At least one message waits; edge triggered: emitted when the channel's queue was empty before.
struct MessagesWaiting {
  ChannelId channel;
};
struct BufferedAmountLow {
  ChannelId channel;
};
}  // namespace event
using Event = std::variant<event::ChannelOpenedByPeer, event::ChannelOpen, event::ChannelClosed, event::MessagesWaiting,
                           event::BufferedAmountLow>;

enum class DropReason : uint8_t {
  kUnknownPpid,
  kNoSuchChannel,
  kBadDcep,
  kWrongParity,
  kStreamInUse,
  kTooManyChannels,
  kBadUtf8,
  kClosedChannel,
  kEmptyPpidWithPayload,  // only the payload: the message is delivered as the empty one that it claims to be
  kBadStreamId,           // an id that does not exist, such as 65535
  kTooManyUnread,
  kTooLarge,  // deprecated fragments that make more than our max-message-size
  kBadOrder,  // fragments that do not make up messages
  kCount,
};
const char* ToString(DropReason reason);
struct Metrics {
  uint64_t channels_opened = 0;
  uint64_t channels_closed = 0;
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};
};

// Whether messages may be sent in pieces: when the association interleaves (RFC 8260).
enum class Streaming : uint8_t { kImpossible, kPossible };

// The data channels of one SCTP association (RFC 8831, RFC 8832). Owns channels, DCEP, stream ids and the messages that
// nobody has read yet; knows SCTP only by its message type. The owner (transport::Peer) carries what PollTransmit gives
// to the association, its events back here, and performs the stream resets asked for.
// What is known about a channel stays readable until its ChannelClosed event was polled and its last message was read,
// and then until the next call that is not const. Events and records are bounded by Options::max_channels.
class ChannelSet {
 public:
  // Not octets but one message for sctp::Association::Send; `out` of PollTransmit is not used.
  struct Transmit {
    sctp::Message message;
    sctp::SendOptions options;
    ChannelId channel;  // to be closed if the association refuses the message
  };
  using Event = datachannel::Event;

  explicit ChannelSet(const Options& options);
  ~ChannelSet();
  ChannelSet(ChannelSet&&) noexcept;
  ChannelSet& operator=(ChannelSet&&) noexcept;

  // Commands. Channels may be opened and written before anything is connected; ids are assigned when the role is known.
  Expected<ChannelId, OpenError> OpenChannel(Timestamp now, ChannelOptions options);
  // The payload is moved. An empty message is sent as RFC 8831 §6.6 says. A message of any size goes in pieces, one
  // message at a time on a channel: Part::kBegin, kMiddle …, kEnd, each with at least one octet; or kAborted, without
  // octets, gives it up. After kMessageAbandoned for a piece with the end, or for kAborted, no message is open.
  Expected<void, SendError> Send(Timestamp now, ChannelId channel, MessageKind kind, Payload payload,
                                 sctp::Part part = sctp::Part::kWhole);
  // Messages that arrive on an ordered channel are given out in pieces from now on, or whole again after the one under
  // way. The owner tells the association the same for the channel's stream. On an unordered channel nothing changes.
  void SetDelivery(ChannelId channel, sctp::Delivery delivery);
  sctp::Delivery delivery(ChannelId channel) const;
  // RFC 8831 §6.7: what was sent before is still delivered, then both directions are reset. A message that is open is
  // given up; where the peer does not understand that (RFC 3758 §3.3.1) the reset ends it.
  void CloseChannel(Timestamp now, ChannelId channel);
  void SetRemoteMaxMessageSize(size_t bytes);

  // Inputs, from the association. `max_streams`: the smaller of its incoming and outgoing streams. After
  // HandleDisconnected a new HandleConnected starts anew, with no channel.
  void HandleConnected(Timestamp now, DtlsRole role, uint16_t max_streams, Streaming streaming = Streaming::kPossible);
  void HandleDisconnected(Timestamp now);  // every channel closes
  void HandleMessage(Timestamp now, sctp::Message message);
  // The association refused the piece that was polled last: it has given up the message.
  void HandleAbandoned(Timestamp now, ChannelId channel);
  // There are more of them (RFC 6525 §5.1.5).
  void HandleStreamsAdded(Timestamp now, uint16_t max_streams);
  // Here and in HandleOutgoingResetRequested, no streams: all.
  void HandleIncomingReset(Timestamp now, std::span<const sctp::StreamId> streams);
  // The peer asks for the reset of our streams (RFC 6525 §5.2.3): it wants their channels closed.
  void HandleOutgoingResetRequested(Timestamp now, std::span<const sctp::StreamId> streams);
  void HandleOutgoingReset(Timestamp now, std::span<const sctp::StreamId> streams);
  void HandleOutgoingResetFailed(Timestamp now, std::span<const sctp::StreamId> streams);
  // False when it is not so yet: octets of the channel still wait here for room. Tell it again when they left.
  bool HandleBufferedAmountLow(Timestamp now, sctp::StreamId stream);
  void HandleTimeout(Timestamp now);

  // Outputs.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  // Gives back what a burst of events took.
  void Trim();
  [[nodiscard]] Timestamp NextTimeout() const;
  // Octets of what PollTransmit would return, 0 when it would return nothing: poll only when the association has room.
  [[nodiscard]] size_t NextTransmitSize(Timestamp now);
  // Streams to hand to sctp::Association::ResetStreams, once all output of PollTransmit was handed over.
  [[nodiscard]] std::vector<sctp::StreamId> TakeStreamsToReset();
  // Octets of received messages that the application took since the last call, for HandleConsumed.
  [[nodiscard]] size_t TakeConsumedBytes();

  // The next unread message of a channel, or of any channel; still readable after the channel closed.
  std::optional<ReceivedMessage> PollMessage(ChannelId channel);
  std::optional<ReceivedMessage> PollAnyMessage();  // channels take turns

  ChannelState state(ChannelId channel) const;  // kClosed for an unknown one
  const ChannelOptions* options(ChannelId channel) const;
  std::optional<sctp::StreamId> stream(ChannelId channel) const;
  // Octets still here, not yet handed to SCTP (before the connection exists).
  size_t queued_bytes(ChannelId channel) const;
  size_t total_queued_bytes() const;
  size_t channel_count() const;  // of all states
  std::vector<ChannelStats> stats() const;
  const Metrics& metrics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
static_assert(SansIoCore<ChannelSet>);

}  // namespace jsp::datachannel
