#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/event_queue.h"
#include "base/few_map.h"
#include "datachannel/channel.h"
#include "datachannel/channel_set.h"
#include "datachannel/dcep_message.h"
#include "datachannel/incoming_pieces.h"
#include "datachannel/message_codec.h"
#include "datachannel/stream_id_allocator.h"
namespace jsp::datachannel {

enum class Link : uint8_t { kNew, kUp, kDown };

// What becomes of the messages that a closing channel has not sent yet.
enum class Remaining : uint8_t { kDeliver, kDiscard };

// What stands behind ChannelSet: commands and outputs in channel_set.cc, those of sending in channel_set_sending.cc,
// inputs in channel_set_inputs.cc.
//
// Life of a stream id: free → in use by a channel, or by none when the peer's use of it was refused (`streams` then
// holds nullptr) → our outgoing stream is reset and the peer's reset is awaited, in either order → free.
// What the peer sends on a stream that it has reset, before our own reset is confirmed, belongs to the next user of
// the id and is kept in `deferred` until then (RFC 8831 §6.7).
struct ChannelSet::Impl {
  explicit Impl(const Options& given) : limits(given) {}

  Expected<ChannelId, OpenError> Open(ChannelOptions wanted);
  // What Send was given.
  struct Outgoing {
    MessageKind kind;
    Payload payload;
    sctp::Part part;
  };
  Expected<void, SendError> Send(Timestamp now, ChannelId id, Outgoing outgoing);
  Expected<void, SendError> TakePiece(Channel& channel, const Outgoing& piece);
  void HandleAbandoned(ChannelId id);
  void HandleConnected(DtlsRole role, uint16_t max_streams);
  void HandleDisconnected();
  void HandleMessage(sctp::Message message);
  void HandleIncomingReset(sctp::StreamId stream);
  void HandleOutgoingResetRequested(sctp::StreamId stream);
  void HandleOutgoingReset(sctp::StreamId stream);
  void HandleOutgoingResetFailed(sctp::StreamId stream);
  bool HandleBufferedAmountLow(sctp::StreamId stream);

  // `listed`, or when that is none, the streams in use.
  std::vector<sctp::StreamId> OrAll(std::span<const sctp::StreamId> listed) const;
  Channel* Find(ChannelId id) const;
  Channel* FindOn(sctp::StreamId stream) const;  // nullptr also where a refused use awaits its resets
  std::vector<Channel*> InOrder() const;
  Channel& Create(ChannelOptions wanted, Channel::Opener opener);
  void AttachAndAnnounce(Channel& channel, sctp::StreamId stream);
  void StartClosing(Channel& channel, Remaining remaining);
  void GiveUpUnfinished(Channel& channel, Remaining remaining);
  void ReleaseUnused(std::optional<uint16_t> stream);
  void FinishClosing(Channel& channel);
  void EraseFinished();

  void HandleDcep(sctp::StreamId stream, std::span<const uint8_t> payload);
  void HandleOpen(sctp::StreamId stream, const OpenMessage& open);
  void HandleAck(sctp::StreamId stream);
  void HandleUserMessage(Channel& channel, sctp::Message message);
  void Deliver(Channel& channel, DecodedPiece piece);
  void PushUnread(Channel& channel, DecodedPiece piece);
  void AbortIncoming(Channel& channel);
  void Drop(DropReason reason) { ++metrics.dropped[static_cast<size_t>(reason)]; }
  // Closes whatever stands on `stream`, or resets it when nothing does (RFC 8832 §6).
  void Refuse(sctp::StreamId stream);
  void RequestReset(sctp::StreamId stream);
  void HandleFreed(sctp::StreamId stream);
  void Defer(sctp::StreamId stream, std::optional<sctp::Message> item);
  void ForgetDeferred(sctp::StreamId stream);

  Channel* NextSender(Timestamp now);
  void HandleDrained(const Channel& channel);
  std::optional<Transmit> TakeTransmit(Timestamp now);
  void ListOutput(Channel& channel);
  std::optional<ReceivedMessage> TakeUnread(Channel& channel);
  std::optional<ReceivedMessage> TakeAnyUnread();
  std::optional<Event> TakeEvent();

  // What a peer can make us hold, in octets and messages.
  struct Usage {
    size_t queued_bytes = 0;
    size_t unread_messages = 0;  // deferred ones included
    size_t consumed_bytes = 0;
  };
  // Who has output, in turn; `sending` was taken from the front and not served yet.
  struct SendTurns {
    EventQueue<ChannelId> waiting;
    std::optional<ChannelId> sending;
  };

  Options limits;
  Metrics metrics;
  Usage usage;
  Link link = Link::kNew;
  Streaming streaming = Streaming::kPossible;
  uint32_t last_id = 0;
  StreamIdAllocator ids;
  FewMap<uint32_t, std::unique_ptr<Channel>> channels;
  FewMap<uint16_t, Channel*> streams;
  // nullopt stands for a further reset by the peer.
  FewMap<uint16_t, std::vector<std::optional<sctp::Message>>> deferred;
  std::vector<sctp::StreamId> to_reset;
  std::vector<ChannelId> finished;
  SendTurns turns;
  EventQueue<ChannelId> unread_turns;
  EventQueue<Event> events;
};

}  // namespace jsp::datachannel
