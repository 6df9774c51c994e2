#include "transport/webrtc_channel.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <utility>

#include "transport/webrtc_core.h"

namespace jsp {

using boost::system::error_code;

DataChannel::DataChannel(const std::shared_ptr<TransportCore>& core, datachannel::ChannelId id)
    : executor_(core->executor), core_(core), id_(id) {}

ChannelState DataChannel::state() const {
  const auto core = core_.lock();
  return core ? core->StateOf(id_) : ChannelState::kClosed;
}

ChannelOptions DataChannel::options() const {
  const auto core = core_.lock();
  const auto real = core ? core->Real(id_) : std::nullopt;
  if (!real || !core->peer) return {};
  const ChannelOptions* options = core->peer.peer().channel_options(*real);
  return options == nullptr ? ChannelOptions{} : *options;
}

std::string DataChannel::label() const { return options().label; }

size_t DataChannel::buffered_amount() const {
  const auto core = core_.lock();
  const auto real = core ? core->Real(id_) : std::nullopt;
  return real && core->peer ? core->peer.peer().buffered_amount(*real) : 0;
}

error_code DataChannel::try_send(Message message) {
  const auto core = core_.lock();
  if (!core) return TransportErrc::kChannelClosed;
  if (!core->sends.empty()) return TransportErrc::kQueueFull;  // behind those that wait
  return core->TrySend(id_, message);
}

error_code DataChannel::try_send(std::span<const uint8_t> binary) {
  return try_send(Message{MessageKind::kBinary, {binary.begin(), binary.end()}});
}

error_code DataChannel::try_send_text(std::string_view text) {
  return try_send(Message{MessageKind::kString, {text.begin(), text.end()}});
}

void DataChannel::close() {
  const auto core = core_.lock();
  const auto real = core ? core->Real(id_) : std::nullopt;
  if (real && core->peer) core->peer.Call([&](transport::Peer& p, Timestamp now) { p.CloseChannel(now, *real); });
}

void DataChannel::StartSend(Message message, Completion<error_code, size_t> done) {
  auto core = core_.lock();
  if (!core) return done.Complete(TransportErrc::kChannelClosed, 0);
  auto& executor = core->executor;
  boost::asio::dispatch(executor, [core = std::move(core), id = id_, m = std::move(message),
                                   d = std::move(done)]() mutable { core->Send(id, std::move(m), std::move(d)); });
}

void DataChannel::StartReceive(Completion<error_code, Message> done) {
  auto core = core_.lock();
  if (!core) return done.Complete(TransportErrc::kChannelClosed, {});
  auto& executor = core->executor;
  boost::asio::dispatch(executor, [core = std::move(core), id = id_, d = std::move(done)]() mutable {
    core->Receive(id, {0, {}, std::move(d)});
  });
}

void DataChannel::StartReceiveInto(boost::asio::mutable_buffer buffer, Completion<error_code, size_t> done) {
  auto core = core_.lock();
  if (!core) return done.Complete(TransportErrc::kChannelClosed, 0);
  auto& executor = core->executor;
  boost::asio::dispatch(executor, [core = std::move(core), id = id_, buffer, d = std::move(done)]() mutable {
    core->Receive(id, {0, buffer, std::move(d)});
  });
}

void DataChannel::StartReceiveSome(boost::asio::mutable_buffer buffer, Completion<error_code, ReceivedSome> done) {
  auto core = core_.lock();
  if (!core) return done.Complete(TransportErrc::kChannelClosed, {});
  auto& executor = core->executor;
  boost::asio::dispatch(executor, [core = std::move(core), id = id_, buffer, d = std::move(done)]() mutable {
    core->Receive(id, {0, buffer, std::move(d)});
  });
}

void DataChannel::set_delivery(Delivery delivery) {
  const auto core = core_.lock();
  const auto real = core ? core->Real(id_) : std::nullopt;
  if (!real || !core->peer) return;
  core->peer.Call([&](transport::Peer& p, Timestamp now) { p.SetDelivery(now, *real, delivery); });
}

void DataChannel::StartWaitOpen(Completion<error_code> done) {
  auto core = core_.lock();
  if (!core) return done.Complete(TransportErrc::kChannelClosed);
  auto& executor = core->executor;
  boost::asio::dispatch(executor, [core = std::move(core), id = id_, d = std::move(done)]() mutable {
    if (core->phase == TransportCore::Phase::kDestroyed) return d.Complete(boost::asio::error::operation_aborted);
    TransportCore* raw = core.get();  // the waiter lives in it
    core->AddWaiter(
        [raw, id]() -> std::optional<error_code> {
          const ChannelState state = raw->StateOf(id);
          if (state == ChannelState::kOpen) return error_code();
          if (state == ChannelState::kConnecting) return std::nullopt;
          return raw->ClosedError(id);
        },
        std::move(d));
    core->CheckWaiters();
  });
}

}  // namespace jsp
