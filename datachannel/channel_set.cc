#include "datachannel/channel_set.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "datachannel/channel_set_impl.h"
#include "datachannel/dcep_message.h"
namespace jsp::datachannel {
namespace {

// RFC 8832 §5.1: the lifetime travels as 32 bits of milliseconds.
constexpr Duration kMaxLifetime = std::chrono::milliseconds(std::numeric_limits<uint32_t>::max());

std::optional<OpenError> FindMistake(const ChannelOptions& options, size_t remote_max_message_size) {
  if (options.label.size() > kMaxTextSize) return OpenError::kLabelTooLong;
  if (options.protocol.size() > kMaxTextSize) return OpenError::kProtocolTooLong;
  if (!IsValidUtf8(options.label) || !IsValidUtf8(options.protocol)) return OpenError::kInvalidUtf8;
  if (options.max_retransmits && options.max_lifetime) return OpenError::kBothReliabilityLimits;
  if (options.max_lifetime && (*options.max_lifetime < Duration::zero() || *options.max_lifetime > kMaxLifetime)) {
    return OpenError::kBadLifetime;
  }
  // RFC 8841 §6.1 holds for DATA_CHANNEL_OPEN as for any other user message.
  const size_t open_size = kOpenFixedSize + options.label.size() + options.protocol.size();
  if (!options.negotiated_id && remote_max_message_size != 0 && open_size > remote_max_message_size) {
    return OpenError::kLabelTooLong;
  }
  return std::nullopt;
}

}  // namespace

Channel* ChannelSet::Impl::Find(ChannelId id) const {
  const auto* found = channels.Find(id.value);
  return found == nullptr ? nullptr : found->get();
}

Channel* ChannelSet::Impl::FindOn(sctp::StreamId stream) const {
  Channel* const* found = streams.Find(stream.value);
  return found == nullptr ? nullptr : *found;
}

std::vector<Channel*> ChannelSet::Impl::InOrder() const {
  std::vector<Channel*> all;
  all.reserve(channels.size());
  channels.ForEach([&](uint32_t, const auto& channel) { all.push_back(channel.get()); });
  std::ranges::sort(all, {}, [](const Channel* channel) { return channel->id(); });
  return all;
}

Channel& ChannelSet::Impl::Create(ChannelOptions wanted, Channel::Opener opener) {
  const ChannelId id(++last_id);
  return **channels.TryEmplace(id.value, std::make_unique<Channel>(id, std::move(wanted), opener)).first;
}

Expected<ChannelId, OpenError> ChannelSet::Impl::Open(ChannelOptions wanted) {
  EraseFinished();
  if (link == Link::kDown) return Unexpected(OpenError::kClosed);
  if (auto mistake = FindMistake(wanted, limits.remote_max_message_size)) return Unexpected(*mistake);
  if (channels.size() >= limits.max_channels || last_id == std::numeric_limits<uint32_t>::max()) {
    return Unexpected(OpenError::kTooManyChannels);
  }
  if (wanted.negotiated_id) {
    const sctp::StreamId stream(*wanted.negotiated_id);
    if (!ids.Exists(stream)) return Unexpected(OpenError::kBadNegotiatedId);
    // RFC 8831 §6.5: reusing the stream of an existing channel "MUST fail".
    if (!ids.Take(stream)) return Unexpected(OpenError::kIdInUse);
    Channel& channel = Create(std::move(wanted), Channel::Opener::kNegotiated);
    streams[stream.value] = &channel;
    if (link == Link::kUp) AttachAndAnnounce(channel, stream);
    return channel.id();
  }
  if (link == Link::kNew) return Create(std::move(wanted), Channel::Opener::kLocal).id();
  const auto stream = ids.Allocate();
  if (!stream) return Unexpected(OpenError::kTooManyChannels);
  Channel& channel = Create(std::move(wanted), Channel::Opener::kLocal);
  AttachAndAnnounce(channel, *stream);
  return channel.id();
}

// RFC 8832 §6: from here on the channel may send; a local one begins with its DATA_CHANNEL_OPEN.
void ChannelSet::Impl::AttachAndAnnounce(Channel& channel, sctp::StreamId stream) {
  streams[stream.value] = &channel;
  channel.Attach(stream);
  ListOutput(channel);
  if (channel.state() != ChannelState::kOpen) return;
  ++metrics.channels_opened;
  if (channel.options().negotiated_id) {
    events.Push(event::ChannelOpen{channel.id()});
  } else {
    events.Push(event::ChannelOpenedByPeer{channel.id()});
  }
}

// RFC 8831 §6.7: closing is resetting our outgoing stream; it is complete when the peer has reset its own.
void ChannelSet::Impl::StartClosing(Channel& channel, Remaining remaining) {
  if (channel.state() == ChannelState::kClosing || channel.state() == ChannelState::kClosed) return;
  channel.set_state(ChannelState::kClosing);
  const bool unannounced = channel.IsUnannounced();
  if (remaining == Remaining::kDiscard) usage.queued_bytes -= channel.DiscardOutput();
  GiveUpUnfinished(channel, remaining);
  AbortIncoming(channel);
  const auto stream = channel.stream();
  if (channel.HasUserOutput()) return;
  if (stream && !unannounced) {
    if (!channel.HasOutput()) RequestReset(*stream);
    return;
  }
  // The peer never heard of it: nothing is to be reset.
  ReleaseUnused(stream ? std::optional(stream->value) : channel.options().negotiated_id);
  FinishClosing(channel);
}

// RFC 3758 §3.5 A3: nobody can end any more what has begun and lost, or never had, its end.
void ChannelSet::Impl::GiveUpUnfinished(Channel& channel, Remaining remaining) {
  const auto open = std::exchange(channel.open_message(), std::nullopt);
  const bool is_open = open && !open->abandoned;
  if (remaining == Remaining::kDiscard ? !channel.HasHandedPart() : !is_open) return;
  channel.Queue(Timestamp(), MessageKind::kBinary, {}, sctp::Part::kAborted);
  ListOutput(channel);
}

void ChannelSet::Impl::ReleaseUnused(std::optional<uint16_t> stream) {
  if (!stream) return;
  ids.ReleaseUnused(sctp::StreamId(*stream));
  streams.Erase(*stream);
}

void ChannelSet::Impl::FinishClosing(Channel& channel) {
  usage.queued_bytes -= channel.DiscardOutput();
  AbortIncoming(channel);
  channel.Detach();
  channel.set_state(ChannelState::kClosed);
  ++metrics.channels_closed;
  events.Push(event::ChannelClosed{channel.id()});
}

void ChannelSet::Impl::EraseFinished() {
  for (ChannelId id : finished) channels.Erase(id.value);
  finished.clear();
}

void ChannelSet::Impl::RequestReset(sctp::StreamId stream) {
  if (ids.RequestOutgoingReset(stream)) to_reset.push_back(stream);
}

std::optional<ReceivedMessage> ChannelSet::Impl::TakeUnread(Channel& channel) {
  auto unread = channel.TakeUnread();
  if (!unread) return std::nullopt;
  --usage.unread_messages;
  usage.consumed_bytes += unread->octets;
  if (channel.listing().close_reported && channel.unread_messages() == 0) finished.push_back(channel.id());
  return std::move(unread->message);
}

std::optional<ReceivedMessage> ChannelSet::Impl::TakeAnyUnread() {
  while (auto id = unread_turns.Pop()) {
    Channel* channel = Find(*id);
    if (channel == nullptr) continue;
    auto message = TakeUnread(*channel);
    if (channel->unread_messages() > 0) {
      unread_turns.Push(*id);
    } else {
      channel->listing().unread = false;
    }
    if (message) return message;
  }
  return std::nullopt;
}

std::optional<ChannelSet::Event> ChannelSet::Impl::TakeEvent() {
  auto next = events.Pop();
  if (!next) return std::nullopt;
  if (const auto* low = std::get_if<event::BufferedAmountLow>(&*next)) {
    if (Channel* channel = Find(low->channel)) channel->listing().low_reported = false;
  } else if (const auto* closed = std::get_if<event::ChannelClosed>(&*next)) {
    Channel* channel = Find(closed->channel);
    channel->listing().close_reported = true;
    if (channel->unread_messages() == 0) finished.push_back(closed->channel);
  }
  return next;
}

ChannelSet::ChannelSet(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
ChannelSet::~ChannelSet() = default;
ChannelSet::ChannelSet(ChannelSet&&) noexcept = default;
ChannelSet& ChannelSet::operator=(ChannelSet&&) noexcept = default;

Expected<ChannelId, OpenError> ChannelSet::OpenChannel(Timestamp, ChannelOptions options) {
  return impl_->Open(std::move(options));
}

Expected<void, SendError> ChannelSet::Send(Timestamp now, ChannelId channel, MessageKind kind, Payload payload,
                                           sctp::Part part) {
  return impl_->Send(now, channel, {kind, std::move(payload), part});
}

void ChannelSet::SetDelivery(ChannelId channel, sctp::Delivery delivery) {
  Channel* found = impl_->Find(channel);
  if (found != nullptr && found->options().ordered) found->incoming().SetDelivery(delivery);
}

sctp::Delivery ChannelSet::delivery(ChannelId channel) const {
  const Channel* found = impl_->Find(channel);
  return found == nullptr ? sctp::Delivery::kWhole : found->incoming().delivery();
}

void ChannelSet::HandleAbandoned(Timestamp, ChannelId channel) { impl_->HandleAbandoned(channel); }

void ChannelSet::CloseChannel(Timestamp, ChannelId channel) {
  if (Channel* found = impl_->Find(channel)) impl_->StartClosing(*found, Remaining::kDeliver);
}

void ChannelSet::SetRemoteMaxMessageSize(size_t bytes) { impl_->limits.remote_max_message_size = bytes; }

void ChannelSet::HandleConnected(Timestamp, DtlsRole role, uint16_t max_streams, Streaming streaming) {
  impl_->streaming = streaming;
  impl_->HandleConnected(role, max_streams);
}

void ChannelSet::HandleDisconnected(Timestamp) { impl_->HandleDisconnected(); }

void ChannelSet::HandleMessage(Timestamp, sctp::Message message) {
  impl_->EraseFinished();
  impl_->HandleMessage(std::move(message));
}

void ChannelSet::HandleIncomingReset(Timestamp, std::span<const sctp::StreamId> streams) {
  for (sctp::StreamId stream : impl_->OrAll(streams)) impl_->HandleIncomingReset(stream);
}

void ChannelSet::HandleOutgoingResetRequested(Timestamp, std::span<const sctp::StreamId> streams) {
  for (sctp::StreamId stream : impl_->OrAll(streams)) impl_->HandleOutgoingResetRequested(stream);
}

void ChannelSet::HandleStreamsAdded(Timestamp, uint16_t max_streams) { impl_->ids.AddStreams(max_streams); }

void ChannelSet::HandleOutgoingReset(Timestamp, std::span<const sctp::StreamId> streams) {
  for (sctp::StreamId stream : streams) impl_->HandleOutgoingReset(stream);
}

void ChannelSet::HandleOutgoingResetFailed(Timestamp, std::span<const sctp::StreamId> streams) {
  for (sctp::StreamId stream : streams) impl_->HandleOutgoingResetFailed(stream);
}

bool ChannelSet::HandleBufferedAmountLow(Timestamp, sctp::StreamId stream) {
  return impl_->HandleBufferedAmountLow(stream);
}

void ChannelSet::HandleTimeout(Timestamp) {}  // this core has no timer

std::optional<ChannelSet::Transmit> ChannelSet::PollTransmit(Timestamp now, std::span<uint8_t>) {
  return impl_->TakeTransmit(now);
}

void ChannelSet::Trim() {
  impl_->turns.waiting.Trim();
  impl_->unread_turns.Trim();
  impl_->events.Trim();
  impl_->channels.ForEach([](uint32_t, auto& channel) { channel->Trim(); });
}

std::optional<ChannelSet::Event> ChannelSet::PollEvent() {
  impl_->EraseFinished();
  return impl_->TakeEvent();
}

Timestamp ChannelSet::NextTimeout() const { return Timestamp::Never(); }

size_t ChannelSet::NextTransmitSize(Timestamp now) {
  const Channel* channel = impl_->NextSender(now);
  return channel == nullptr ? 0 : channel->NextOutputSize();
}

std::vector<sctp::StreamId> ChannelSet::TakeStreamsToReset() { return std::exchange(impl_->to_reset, {}); }

size_t ChannelSet::TakeConsumedBytes() { return std::exchange(impl_->usage.consumed_bytes, 0); }

std::optional<ReceivedMessage> ChannelSet::PollMessage(ChannelId channel) {
  impl_->EraseFinished();
  Channel* found = impl_->Find(channel);
  return found == nullptr ? std::nullopt : impl_->TakeUnread(*found);
}

std::optional<ReceivedMessage> ChannelSet::PollAnyMessage() {
  impl_->EraseFinished();
  return impl_->TakeAnyUnread();
}

ChannelState ChannelSet::state(ChannelId channel) const {
  const Channel* found = impl_->Find(channel);
  return found == nullptr ? ChannelState::kClosed : found->state();
}

const ChannelOptions* ChannelSet::options(ChannelId channel) const {
  const Channel* found = impl_->Find(channel);
  return found == nullptr ? nullptr : &found->options();
}

std::optional<sctp::StreamId> ChannelSet::stream(ChannelId channel) const {
  const Channel* found = impl_->Find(channel);
  return found == nullptr ? std::nullopt : found->stream();
}

size_t ChannelSet::channel_count() const { return impl_->channels.size(); }
size_t ChannelSet::total_queued_bytes() const { return impl_->usage.queued_bytes; }

size_t ChannelSet::queued_bytes(ChannelId channel) const {
  const Channel* found = impl_->Find(channel);
  return found == nullptr ? 0 : found->queued_bytes();
}

std::vector<ChannelStats> ChannelSet::stats() const {
  std::vector<ChannelStats> all;
  for (const Channel* channel : impl_->InOrder()) all.push_back(channel->stats());
  return all;
}

const Metrics& ChannelSet::metrics() const { return impl_->metrics; }

const char* ToString(OpenError error) {
  switch (error) {
    case OpenError::kLabelTooLong:
      return "label too long";
    case OpenError::kProtocolTooLong:
      return "protocol too long";
    case OpenError::kInvalidUtf8:
      return "label or protocol is not UTF-8";
    case OpenError::kBothReliabilityLimits:
      return "both max_retransmits and max_lifetime given";
    case OpenError::kBadLifetime:
      return "max_lifetime out of range";
    case OpenError::kBadNegotiatedId:
      return "negotiated id out of range";
    case OpenError::kIdInUse:
      return "negotiated id in use";
    case OpenError::kTooManyChannels:
      return "too many channels";
    case OpenError::kOutOfMemory:
      return "out of memory";
    case OpenError::kClosed:
      return "association closed";
  }
  return "unknown";
}

const char* ToString(SendError error) {
  switch (error) {
    case SendError::kUnknownChannel:
      return "unknown channel";
    case SendError::kNotOpen:
      return "channel is closing";
    case SendError::kTooLarge:
      return "message too large";
    case SendError::kQueueFull:
      return "send queue full";
    case SendError::kClosed:
      return "channel closed";
    case SendError::kInvalidUtf8:
      return "string message is not UTF-8";
    case SendError::kMessageOpen:
      return "a message in pieces has not ended";
    case SendError::kNoOpenMessage:
      return "a piece of no message";
    case SendError::kEmptyPiece:
      return "empty piece";
    case SendError::kMessageAbandoned:
      return "message abandoned";
    case SendError::kOutOfMemory:
      return "out of memory";
    case SendError::kNoStreaming:
      return "the peer does not interleave messages";
  }
  return "unknown";
}

const char* ToString(DropReason reason) {
  switch (reason) {
    case DropReason::kUnknownPpid:
      return "unknown-ppid";
    case DropReason::kNoSuchChannel:
      return "no-such-channel";
    case DropReason::kBadDcep:
      return "bad-dcep";
    case DropReason::kWrongParity:
      return "wrong-parity";
    case DropReason::kStreamInUse:
      return "stream-in-use";
    case DropReason::kTooManyChannels:
      return "too-many-channels";
    case DropReason::kBadUtf8:
      return "bad-utf8";
    case DropReason::kClosedChannel:
      return "closed-channel";
    case DropReason::kEmptyPpidWithPayload:
      return "empty-ppid-with-payload";
    case DropReason::kBadStreamId:
      return "bad-stream-id";
    case DropReason::kTooManyUnread:
      return "too-many-unread";
    case DropReason::kTooLarge:
      return "too-large";
    case DropReason::kBadOrder:
      return "bad-order";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace jsp::datachannel
