#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/overloaded.h"
#include "datachannel/channel_set_impl.h"
#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

DropReason ReasonOf(PieceError error) {
  switch (error) {
    case PieceError::kInvalidUtf8:
      return DropReason::kBadUtf8;
    case PieceError::kTooLarge:
      return DropReason::kTooLarge;
    case PieceError::kBadOrder:
      return DropReason::kBadOrder;
    case PieceError::kUnknownPpid:
      break;
  }
  return DropReason::kUnknownPpid;
}

DropReason ReasonOf(DcepError::Code code) {
  return code == DcepError::Code::kInvalidUtf8 ? DropReason::kBadUtf8 : DropReason::kBadDcep;
}

}  // namespace

void ChannelSet::Impl::HandleConnected(DtlsRole role, uint16_t max_streams) {
  if (link == Link::kUp) return;
  link = Link::kUp;
  ids.SetRole(role, max_streams);
  for (Channel* channel : InOrder()) {
    if (channel->state() == ChannelState::kClosed) continue;
    std::optional<sctp::StreamId> stream;
    if (channel->options().negotiated_id) {
      stream = sctp::StreamId(*channel->options().negotiated_id);
      if (!ids.Exists(*stream)) {
        ReleaseUnused(stream->value);
        stream.reset();
      }
    } else {
      stream = ids.Allocate();
    }
    if (stream) {
      AttachAndAnnounce(*channel, *stream);
    } else {
      FinishClosing(*channel);
    }
  }
}

// RFC 8831 §6.2: the end of the association closes every channel.
void ChannelSet::Impl::HandleDisconnected() {
  link = Link::kDown;
  ids.Clear();
  streams.Clear();
  to_reset.clear();
  turns = {};
  std::vector<uint16_t> waiting;
  deferred.ForEach([&](uint16_t stream, const auto&) { waiting.push_back(stream); });
  for (const uint16_t stream : waiting) ForgetDeferred(sctp::StreamId(stream));
  for (Channel* channel : InOrder()) {
    channel->listing().output = false;
    if (channel->state() != ChannelState::kClosed) FinishClosing(*channel);
  }
}

void ChannelSet::Impl::HandleMessage(sctp::Message message) {
  const sctp::StreamId stream = message.stream;
  const size_t octets = message.payload.size();
  Channel* channel = FindOn(stream);
  const bool is_live = channel != nullptr && channel->state() != ChannelState::kClosing;
  if (is_live && message.ppid != kPpidDcep) return HandleUserMessage(*channel, std::move(message));
  if (!is_live && ids.IsAwaitingOutgoingReset(stream)) return Defer(stream, std::move(message));

  usage.consumed_bytes += octets;
  if (link != Link::kUp) return Drop(DropReason::kClosedChannel);
  if (message.ppid == kPpidDcep && message.part != sctp::Part::kWhole) {
    Drop(DropReason::kBadDcep);
    return Refuse(stream);
  }
  if (message.ppid == kPpidDcep) return HandleDcep(stream, message.payload);
  if (streams.Contains(stream.value)) return Drop(DropReason::kClosedChannel);
  // RFC 8832 §6: "receiving a message containing user data on an unused stream indicates an error".
  Drop(ids.Exists(stream) ? DropReason::kNoSuchChannel : DropReason::kBadStreamId);
  Refuse(stream);
}

void ChannelSet::Impl::HandleUserMessage(Channel& channel, sctp::Message message) {
  const size_t octets = message.payload.size();
  auto piece = channel.incoming().Add(std::move(message), limits.max_message_size);
  usage.consumed_bytes += channel.incoming().TakeDropped();
  if (!piece) {
    // RFC 8831 §6.6: after an unsupported PPID or another error the receiver "SHOULD close the corresponding data
    // channel".
    usage.consumed_bytes += octets;
    Drop(ReasonOf(piece.error()));
    return StartClosing(channel, Remaining::kDiscard);
  }
  if (channel.MarkAnswered()) {
    ++metrics.channels_opened;
    events.Push(event::ChannelOpen{channel.id()});
  }
  if (piece->has_value()) Deliver(channel, std::move(**piece));
}

void ChannelSet::Impl::Deliver(Channel& channel, DecodedPiece piece) {
  if (piece.ignored_payload) Drop(DropReason::kEmptyPpidWithPayload);
  if (usage.unread_messages >= limits.max_unread_messages) {
    usage.consumed_bytes += piece.octets;
    Drop(DropReason::kTooManyUnread);
    return StartClosing(channel, Remaining::kDiscard);
  }
  PushUnread(channel, std::move(piece));
}

// The rest of a message that is under way will not come, or not be taken. The mark for its reader is one more than
// max_unread_messages allows, once for each channel.
void ChannelSet::Impl::AbortIncoming(Channel& channel) {
  auto mark = channel.incoming().Abort();
  usage.consumed_bytes += channel.incoming().TakeDropped();
  if (mark) PushUnread(channel, std::move(*mark));
}

void ChannelSet::Impl::PushUnread(Channel& channel, DecodedPiece piece) {
  ++usage.unread_messages;
  const bool was_empty = channel.unread_messages() == 0;
  channel.Receive(std::move(piece));
  if (was_empty) events.Push(event::MessagesWaiting{channel.id()});
  if (!std::exchange(channel.listing().unread, true)) unread_turns.Push(channel.id());
}

void ChannelSet::Impl::HandleDcep(sctp::StreamId stream, std::span<const uint8_t> payload) {
  const auto message = ParseDcepMessage(payload);
  if (!message) {
    // RFC 8832 §7: such errors "must also be handled by closing the corresponding data channel".
    Drop(ReasonOf(message.error().code));
    return Refuse(stream);
  }
  std::visit(Overloaded{[&](const OpenMessage& open) { HandleOpen(stream, open); },
                        [&](const AckMessage&) { HandleAck(stream); }},
             *message);
}

// RFC 8832 §6: an OPEN on a used stream, on one of our parity or beyond the limits closes the stream and is not
// acknowledged.
void ChannelSet::Impl::HandleOpen(sctp::StreamId stream, const OpenMessage& open) {
  std::optional<DropReason> refusal;
  if (!ids.Exists(stream)) {
    refusal = DropReason::kBadStreamId;
  } else if (ids.IsInUse(stream)) {
    refusal = DropReason::kStreamInUse;
  } else if (!ids.HasPeerParity(stream)) {
    refusal = DropReason::kWrongParity;
  } else if (channels.size() >= limits.max_channels || last_id == std::numeric_limits<uint32_t>::max()) {
    refusal = DropReason::kTooManyChannels;
  }
  if (refusal) {
    Drop(*refusal);
    return Refuse(stream);
  }
  ids.Take(stream);
  AttachAndAnnounce(Create(open.ToOptions(), Channel::Opener::kPeer), stream);
}

void ChannelSet::Impl::HandleAck(sctp::StreamId stream) {
  Channel* channel = FindOn(stream);
  if (channel == nullptr || !channel->TakeAck()) return Drop(DropReason::kBadDcep);
  if (!channel->MarkAnswered()) return;  // unordered data overtook it, or we are closing
  ++metrics.channels_opened;
  events.Push(event::ChannelOpen{channel->id()});
}

void ChannelSet::Impl::HandleIncomingReset(sctp::StreamId stream) {
  if (!ids.IsInUse(stream)) return;
  if (ids.IsIncomingReset(stream)) {
    // Of the next user of this id: it counts only after what was kept for that one.
    if (deferred.Contains(stream.value)) Defer(stream, std::nullopt);
    return;
  }
  // RFC 8831 §6.7: "When the peer sees that an incoming stream was reset, it also resets its corresponding outgoing
  // stream." Before an ACK it means that the opening failed (RFC 8832 §6). The peer reads no more, so what is left is
  // not sent.
  if (Channel* channel = FindOn(stream)) StartClosing(*channel, Remaining::kDiscard);
  if (ids.MarkReset(stream, Direction::kIncoming)) HandleFreed(stream);
}

std::vector<sctp::StreamId> ChannelSet::Impl::OrAll(std::span<const sctp::StreamId> listed) const {
  std::vector<sctp::StreamId> result(listed.begin(), listed.end());
  if (!result.empty()) return result;
  streams.ForEach([&](uint16_t id, const Channel*) { result.emplace_back(id); });
  std::ranges::sort(result);
  return result;
}

// SCTP takes no more messages on the stream, so what is left here is not sent.
void ChannelSet::Impl::HandleOutgoingResetRequested(sctp::StreamId stream) {
  if (Channel* channel = FindOn(stream)) StartClosing(*channel, Remaining::kDiscard);
}

void ChannelSet::Impl::HandleOutgoingReset(sctp::StreamId stream) {
  if (ids.MarkReset(stream, Direction::kOutgoing)) HandleFreed(stream);
}

// Both directions are reset: the channel is closed, and what the peer sent for the next user of the id is read.
void ChannelSet::Impl::HandleFreed(sctp::StreamId stream) {
  Channel* channel = FindOn(stream);
  streams.Erase(stream.value);
  if (channel != nullptr) FinishClosing(*channel);
  auto* kept = deferred.Find(stream.value);
  if (kept == nullptr) return;
  auto items = std::move(*kept);
  deferred.Erase(stream.value);
  for (auto& item : items) {
    if (item) {
      --usage.unread_messages;
      HandleMessage(std::move(*item));
    } else {
      HandleIncomingReset(stream);
    }
  }
}

// Without the peer's consent to the reset its stream keeps its sequence numbers, so the id is never used again
// (RFC 6525 §5.2.7); the channel is closed all the same.
void ChannelSet::Impl::HandleOutgoingResetFailed(sctp::StreamId stream) {
  if (!ids.IsOutgoingResetPending(stream)) return;
  ids.Retire(stream);
  ForgetDeferred(stream);
  Channel* channel = FindOn(stream);
  if (channel == nullptr) return;
  streams[stream.value] = nullptr;
  FinishClosing(*channel);
}

bool ChannelSet::Impl::HandleBufferedAmountLow(sctp::StreamId stream) {
  Channel* channel = FindOn(stream);
  if (channel == nullptr) return true;
  if (channel->queued_bytes() > 0) return false;
  if (!std::exchange(channel->listing().low_reported, true)) events.Push(event::BufferedAmountLow{channel->id()});
  return true;
}

void ChannelSet::Impl::Defer(sctp::StreamId stream, std::optional<sctp::Message> item) {
  if (!item) {
    auto& items = deferred[stream.value];
    if (items.back()) items.push_back(std::nullopt);
    return;
  }
  if (usage.unread_messages >= limits.max_unread_messages) {
    // Without its beginning the next user of the id is refused when its turn comes.
    usage.consumed_bytes += item->payload.size();
    Drop(DropReason::kTooManyUnread);
    return ForgetDeferred(stream);
  }
  ++usage.unread_messages;
  deferred[stream.value].push_back(std::move(item));
}

void ChannelSet::Impl::ForgetDeferred(sctp::StreamId stream) {
  const auto* found = deferred.Find(stream.value);
  if (found == nullptr) return;
  for (const auto& item : *found) {
    if (!item) continue;
    --usage.unread_messages;
    usage.consumed_bytes += item->payload.size();
  }
  deferred.Erase(stream.value);
}

void ChannelSet::Impl::Refuse(sctp::StreamId stream) {
  if (Channel* const* found = streams.Find(stream.value)) {
    if (*found != nullptr) StartClosing(**found, Remaining::kDiscard);
    return;
  }
  if (!ids.Take(stream)) return;
  streams[stream.value] = nullptr;
  RequestReset(stream);
}

}  // namespace jsp::datachannel
