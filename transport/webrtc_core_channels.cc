#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "transport/webrtc_core.h"

namespace jsp {

using boost::system::error_code;
using transport::Peer;

Expected<DataChannel, error_code> TransportCore::OpenChannel(ChannelOptions options) {
  if (!peer) return Unexpected<error_code>(TransportErrc::kNotInitialized);
  auto opened = peer.Call([&](Peer& p, Timestamp now) { return p.OpenChannel(now, std::move(options)); });
  if (!opened) return Unexpected<error_code>(ToErrorCode(opened.error()));
  return DataChannel(shared_from_this(), *opened);
}

void TransportCore::OpenOwnChannel() {
  if (own_channel) return;
  ChannelOptions options;
  options.label = config.data_channel_label;
  options.protocol = config.data_channel_protocol;
  options.ordered = config.ordered;
  options.max_retransmits = config.max_retransmits;
  options.max_lifetime = config.max_lifetime;
  options.negotiated_id = config.negotiated_id;
  const auto opened = OpenChannel(std::move(options));
  if (!opened) return Fail(opened.error(), "the own channel could not be opened: " + opened.error().message());
  own_channel = opened->id();
}

void TransportCore::HandleOpenedByPeer(ChannelId id) {
  if (!own_channel) {
    own_channel = id;
    return PumpReceives(kOwn);
  }
  if (const auto handler = handlers.channel) handler(DataChannel(shared_from_this(), id));
}

void TransportCore::HandleClosedChannel(ChannelId id) {
  FailSends([&](const PendingSend& send) { return Real(send.channel) == id; }, TransportErrc::kChannelClosed);
  PumpReceives(Key(id));
  const auto inbox = inboxes.find(Key(id));
  if (inbox != inboxes.end()) FailReaders(inbox->second, ClosedError(id));
}

ChannelState TransportCore::StateOf(ChannelId id) const {
  const auto real = Real(id);
  if (!peer || !real) return FinalError() ? ChannelState::kClosed : ChannelState::kConnecting;
  return peer.peer().channel_state(*real);
}

error_code TransportCore::ClosedError(ChannelId) const {
  if (state() == ConnectionState::kFailed) return TransportErrc::kConnectionFailed;
  return TransportErrc::kChannelClosed;
}

// The message is moved only when it is taken.
error_code TransportCore::TrySend(ChannelId id, Message& message) {
  const auto real = Real(id);
  if (!peer || !real) return FinalError().value_or(TransportErrc::kNotInitialized);
  if (message.payload.size() > config.send_queue_bytes) return TransportErrc::kMessageTooLarge;
  if (peer.peer().send_buffer_room() < message.payload.size() && StateOf(id) != ChannelState::kClosed) {
    return TransportErrc::kQueueFull;
  }
  const auto sent = peer.Call([&](Peer& p, Timestamp now) {
    return p.Send(now, *real, message.kind, std::move(message.payload), message.part);
  });
  return sent ? error_code() : ToErrorCode(sent.error());
}

void TransportCore::Send(ChannelId id, Message message, Completion<error_code, size_t> done) {
  const size_t size = message.payload.size();
  error_code error = TransportErrc::kQueueFull;
  if (phase == Phase::kDestroyed) error = boost::asio::error::operation_aborted;
  if (phase != Phase::kDestroyed && sends.empty()) error = TrySend(id, message);  // otherwise in order
  if (error != TransportErrc::kQueueFull) return done.Complete(error, error ? 0 : size);
  const uint64_t op = next_id++;
  done.OnCancel([weak = weak_from_this(), op] {
    const auto core = weak.lock();
    if (core) boost::asio::post(core->executor, [core, op] { core->Cancel(op); });
  });
  sends.push_back({op, id, std::move(message), std::move(done)});
  if (sends.size() == 1) peer.WaitForRoom(size);
}

void TransportCore::PumpSends() {
  while (!sends.empty()) {
    PendingSend& next = sends.front();
    const size_t size = next.message.payload.size();
    const error_code error = TrySend(next.channel, next.message);
    if (error == TransportErrc::kQueueFull) return peer.WaitForRoom(size);
    auto done = std::move(next.done);
    sends.pop_front();
    done.Complete(error, error ? 0 : size);
  }
}

void TransportCore::FailSends(const std::function<bool(const PendingSend&)>& which, error_code error) {
  const bool had = !sends.empty();
  for (size_t i = 0; i < sends.size();) {
    if (!which(sends[i])) {
      ++i;
      continue;
    }
    auto done = std::move(sends[i].done);
    sends.erase(sends.begin() + static_cast<std::ptrdiff_t>(i));
    done.Complete(error, 0);
  }
  if (had && !sends.empty() && peer) peer.WaitForRoom(sends.front().message.payload.size());
}

void TransportCore::Receive(ChannelId id, PendingReceive reader) {
  if (phase == Phase::kDestroyed) return CompleteReader(reader, boost::asio::error::operation_aborted);
  reader.id = next_id++;
  const auto on_cancel = [weak = weak_from_this(), op = reader.id] {
    const auto core = weak.lock();
    if (core) boost::asio::post(core->executor, [core, op] { core->Cancel(op); });
  };
  std::visit([&](auto& done) { done.OnCancel(on_cancel); }, reader.done);
  Inbox& inbox = inboxes[Key(id)];
  inbox.readers.push_back(std::move(reader));
  PumpReceives(Key(id));
  const bool is_over = StateOf(id) == ChannelState::kClosed;
  if (is_over) FailReaders(inbox, ClosedError(id));
}

std::optional<Message> TransportCore::NextMessage(ChannelId id, Inbox& inbox) {
  if (inbox.held) return std::exchange(inbox.held, std::nullopt);
  const auto real = Real(id);
  if (!peer || !real) return std::nullopt;
  auto received = peer.Call([&](Peer& p, Timestamp now) { return p.PollMessage(now, *real); });
  if (!received) return std::nullopt;
  return Message{received->kind, std::move(received->payload), received->part};
}

// Each reader gets one message; without readers messages stay in the peer, where the receive window bounds them.
void TransportCore::PumpReceives(ChannelId id) {
  const auto found = inboxes.find(id);
  if (found == inboxes.end()) return;
  Inbox& inbox = found->second;
  while (!inbox.readers.empty()) {
    auto message = NextMessage(id, inbox);
    if (!message) return;
    PendingReceive reader = std::move(inbox.readers.front());
    inbox.readers.pop_front();
    if (auto* some = std::get_if<Completion<error_code, ReceivedSome>>(&reader.done)) {
      const bool is_aborted = message->part == Part::kAborted;
      const ReceivedSome filled = FillBuffer(id, inbox, reader.buffer, std::move(*message));
      some->Complete(is_aborted ? error_code(TransportErrc::kMessageAborted) : error_code(), filled);
    } else if (!Deliver(reader, inbox, std::move(*message))) {
      return;
    }
  }
}

// Puts octets of one message into the buffer, also of several of its pieces; what does not fit is held.
ReceivedSome TransportCore::FillBuffer(ChannelId id, Inbox& inbox, boost::asio::mutable_buffer buffer,
                                       Message message) {
  ReceivedSome some{.kind = message.kind};
  size_t from = std::exchange(inbox.held_from, 0);
  const bool begins = sctp::Begins(message.part) && from == 0;
  for (;;) {
    const size_t size = std::min(buffer.size() - some.size, message.payload.size() - from);
    std::copy_n(message.payload.data() + from, size, static_cast<uint8_t*>(buffer.data()) + some.size);
    some.size += size;
    from += size;
    const bool is_read = from == message.payload.size();
    if (!is_read || sctp::Ends(message.part)) {
      some.part = is_read ? (begins                           ? Part::kWhole
                             : message.part == Part::kAborted ? Part::kAborted
                                                              : Part::kEnd)
                          : (begins ? Part::kBegin : Part::kMiddle);
      if (!is_read) {
        inbox.held = std::move(message);
        inbox.held_from = from;
      }
      return some;
    }
    some.part = begins ? Part::kBegin : Part::kMiddle;
    auto next = some.size < buffer.size() ? NextMessage(id, inbox) : std::nullopt;
    if (!next) return some;
    message = std::move(*next);
    from = 0;
    if (message.part == Part::kAborted) {
      inbox.held = std::move(message);
      return some;
    }
  }
}

// False when the message went back because the reader's buffer is too small.
bool TransportCore::Deliver(PendingReceive& reader, Inbox& inbox, Message message) {
  if (const size_t from = std::exchange(inbox.held_from, 0); from > 0) {  // the rest after async_receive_some
    message.payload = {message.payload.begin() + static_cast<std::ptrdiff_t>(from), message.payload.end()};
    message.part = sctp::Ends(message.part) ? Part::kEnd : Part::kMiddle;
  }
  if (auto* whole = std::get_if<Completion<error_code, Message>>(&reader.done)) {
    message.payload.Detach();  // the handler may run on another thread
    whole->Complete({}, std::move(message));
    return true;
  }
  auto& done = std::get<Completion<error_code, size_t>>(reader.done);
  const size_t size = message.payload.size();
  if (message.part == Part::kAborted) {
    done.Complete(TransportErrc::kMessageAborted, 0);
    return true;
  }
  if (size > reader.buffer.size()) {
    inbox.held = std::move(message);
    done.Complete(TransportErrc::kBufferTooSmall, size);
    return false;
  }
  std::ranges::copy(message.payload, static_cast<uint8_t*>(reader.buffer.data()));
  done.Complete({}, size);
  return true;
}

void CompleteReader(TransportCore::PendingReceive& reader, error_code error) {
  std::visit([&](auto& done) { done.Complete(error, {}); }, reader.done);
}

void TransportCore::FailReaders(Inbox& inbox, error_code error) {
  auto readers = std::exchange(inbox.readers, {});
  for (auto& reader : readers) CompleteReader(reader, error);
}

}  // namespace jsp
