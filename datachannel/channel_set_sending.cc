#include <utility>

#include "datachannel/channel_set_impl.h"
namespace jsp::datachannel {

using sctp::Part;

Expected<void, SendError> ChannelSet::Impl::Send(Timestamp now, ChannelId id, Outgoing outgoing) {
  Channel* channel = Find(id);
  if (channel == nullptr) {
    const bool existed = id.value != 0 && id.value <= last_id;
    return Unexpected(existed ? SendError::kClosed : SendError::kUnknownChannel);
  }
  if (channel->state() == ChannelState::kClosed) return Unexpected(SendError::kClosed);
  if (channel->state() == ChannelState::kClosing) return Unexpected(SendError::kNotOpen);
  const size_t size = outgoing.payload.size();
  auto& open = channel->open_message();
  // RFC 8841 §6.1: never more than the peer said it takes, of the whole message.
  const size_t remote_limit = limits.remote_max_message_size;
  const uint64_t before = open && !sctp::Begins(outgoing.part) ? open->octets : 0;
  if ((remote_limit != 0 && before + size > remote_limit) || size > limits.max_queued_bytes) {
    return Unexpected(SendError::kTooLarge);
  }
  if (size > limits.max_queued_bytes - usage.queued_bytes) return Unexpected(SendError::kQueueFull);
  if (outgoing.part == Part::kWhole) {
    if (open) return Unexpected(SendError::kMessageOpen);
    if (outgoing.kind == MessageKind::kString && !IsValidUtf8(outgoing.payload)) {
      return Unexpected(SendError::kInvalidUtf8);
    }
  } else if (auto taken = TakePiece(*channel, outgoing); !taken) {
    return taken;
  }
  usage.queued_bytes += size;
  channel->Queue(now, outgoing.kind, std::move(outgoing.payload), outgoing.part);
  ListOutput(*channel);
  return {};
}

// Notes what the piece does to the open message, if it fits to it.
Expected<void, SendError> ChannelSet::Impl::TakePiece(Channel& channel, const Outgoing& piece) {
  auto& open = channel.open_message();
  const bool begins = piece.part == Part::kBegin;
  if (begins && open) return Unexpected(SendError::kMessageOpen);
  if (!begins && !open) return Unexpected(SendError::kNoOpenMessage);
  if (open && open->abandoned) {
    if (sctp::Ends(piece.part)) open.reset();
    return Unexpected(SendError::kMessageAbandoned);
  }
  if (piece.part == Part::kAborted) {
    open.reset();
    return {};
  }
  if (begins && (link != Link::kUp || streaming == Streaming::kImpossible)) return Unexpected(SendError::kNoStreaming);
  if (piece.payload.empty()) return Unexpected(SendError::kEmptyPiece);
  Channel::Unfinished next = open ? *open : Channel::Unfinished{.kind = piece.kind};
  if (next.kind != piece.kind) return Unexpected(SendError::kNoOpenMessage);
  next.octets += piece.payload.size();
  if (piece.kind == MessageKind::kString) {
    const bool is_text = next.utf8.Accept(piece.payload);
    if (!is_text || (sctp::Ends(piece.part) && !next.utf8.IsComplete())) return Unexpected(SendError::kInvalidUtf8);
  }
  open = next;
  if (sctp::Ends(piece.part)) open.reset();
  return {};
}

void ChannelSet::Impl::HandleAbandoned(ChannelId id) {
  if (Channel* channel = Find(id)) usage.queued_bytes -= channel->DiscardPieces();
}

// The next channel with something to send, made ready: nothing expired and nothing too large for the peer at its head.
Channel* ChannelSet::Impl::NextSender(Timestamp now) {
  while (turns.sending || !turns.waiting.empty()) {
    if (!turns.sending) turns.sending = turns.waiting.Pop();
    Channel* channel = Find(*turns.sending);
    if (channel != nullptr) {
      usage.queued_bytes -= channel->DiscardExpired(now);
      const size_t limit = limits.remote_max_message_size;
      const bool fits = limit == 0 || !channel->HasOutput() || channel->NextOutputSize() <= limit;
      // The limit became known after the message was accepted. A reliable channel cannot leave out a message.
      if (!fits) StartClosing(*channel, Remaining::kDiscard);
      if (channel->stream() && channel->HasOutput()) return channel;
      channel->listing().output = false;
      HandleDrained(*channel);
    }
    turns.sending.reset();
  }
  return nullptr;
}

// RFC 8831 §6.7: a closing channel resets its stream once all that was sent before has left.
void ChannelSet::Impl::HandleDrained(const Channel& channel) {
  if (channel.state() == ChannelState::kClosing && channel.stream()) RequestReset(*channel.stream());
}

std::optional<ChannelSet::Transmit> ChannelSet::Impl::TakeTransmit(Timestamp now) {
  Channel* channel = NextSender(now);
  if (channel == nullptr) return std::nullopt;
  const size_t queued = channel->queued_bytes();
  Channel::Output output = channel->TakeOutput(now);
  usage.queued_bytes -= queued - channel->queued_bytes();
  turns.sending.reset();
  if (channel->HasOutput()) {
    turns.waiting.Push(channel->id());
  } else {
    channel->listing().output = false;
    HandleDrained(*channel);
  }
  return Transmit{std::move(output.message), output.options, channel->id()};
}

void ChannelSet::Impl::ListOutput(Channel& channel) {
  if (!channel.stream() || !channel.HasOutput() || channel.listing().output) return;
  channel.listing().output = true;
  turns.waiting.Push(channel.id());
}

}  // namespace jsp::datachannel
