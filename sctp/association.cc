#include "sctp/association.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/crypto.h"
#include "base/overloaded.h"
#include "sctp/association/chunk_dispatch.h"
#include "sctp/association/context.h"
#include "sctp/association/data_transfer.h"
#include "sctp/association/handshake.h"
#include "sctp/association/heartbeat.h"
#include "sctp/association/path_probe.h"
#include "sctp/association/reconfig_requester.h"
#include "sctp/association/shutdown.h"
#include "sctp/association/termination.h"
#include "sctp/association/transmit.h"
#include "sctp/packet/error_cause/user_initiated_abort.h"
namespace jsp::sctp {

const char* ToString(State state) {
  switch (state) {
    case State::kClosed:
      return "CLOSED";
    case State::kCookieWait:
      return "COOKIE-WAIT";
    case State::kCookieEchoed:
      return "COOKIE-ECHOED";
    case State::kEstablished:
      return "ESTABLISHED";
    case State::kShutdownPending:
      return "SHUTDOWN-PENDING";
    case State::kShutdownSent:
      return "SHUTDOWN-SENT";
    case State::kShutdownReceived:
      return "SHUTDOWN-RECEIVED";
    case State::kShutdownAckSent:
      return "SHUTDOWN-ACK-SENT";
  }
  return "unknown";
}

// Routes inputs to the procedures of sctp/association/ and outputs from them; decides nothing itself.
struct Association::Impl {
  Impl(std::shared_ptr<const Options> options, Rng& rng, Timestamp now, const BufferPool& pool)
      : context(std::move(options), rng, now, pool) {}

  // Time never goes back.
  void Advance(Timestamp now) { context.now = std::max(context.now, now); }
  // What any input may have made possible.
  void Settle() {
    MaybeAdvanceShutdown(context);
    if (Tcb* tcb = context.tcb()) MaybeStartRequest(context, *tcb);
    context.retired.reset();
  }
  void HandleTimer(Timer timer);
  Expected<void, SendError> CheckSend(const Message& message, const SendOptions& options);
  Expected<void, SendError> CheckSize(const Message& message) const;
  Expected<void, SendError> CheckPart(const Message& message, const Tcb* tcb);
  // With which messages go: after a stale cookie that of the earlier try. Null before the first one.
  Tcb* SendingTcb();

  Context context;
};

Association::Association(const Options& options, Rng& rng, Timestamp now, const BufferPool& pool)
    : Association(std::make_shared<const Options>(options), rng, now, pool) {}
Association::Association(std::shared_ptr<const Options> options, Rng& rng, Timestamp now, const BufferPool& pool)
    : impl_(std::make_unique<Impl>(std::move(options), rng, now, pool)) {}
Association::~Association() = default;
Association::Association(Association&&) noexcept = default;
Association& Association::operator=(Association&&) noexcept = default;

void Association::HandlePacket(Timestamp now, std::span<const uint8_t> packet, EcnMark mark) {
  impl_->Advance(now);
  DispatchPacket(impl_->context, packet, mark);
  impl_->Settle();
}

void Association::HandleTimeout(Timestamp now) {
  impl_->Advance(now);
  Context& context = impl_->context;
  while (const auto timer = context.timers.PopExpired(context.now)) impl_->HandleTimer(*timer);
  HandleT3(context);
  impl_->Settle();
}

void Association::HandleConsumed(Timestamp now, size_t bytes) {
  impl_->Advance(now);
  HandleConsumedOctets(impl_->context, bytes);
}

void Association::SetReceiveAllowance(Timestamp now, size_t octets) {
  impl_->Advance(now);
  SetAllowance(impl_->context, octets);
}

void Association::Trim() {
  if (Tcb* tcb = impl_->context.tcb()) GiveMemoryBack(impl_->context, *tcb);
}

void Association::Connect(Timestamp now) {
  impl_->Advance(now);
  if (Is<state::Closed>(impl_->context.state)) StartHandshake(impl_->context);
}

Expected<void, SendError> Association::Send(Timestamp now, Message message, const SendOptions& options) {
  impl_->Advance(now);
  const auto checked = impl_->CheckSend(message, options);
  if (!checked) return checked;
  Context& context = impl_->context;
  Tcb* tcb = impl_->SendingTcb();
  if (message.part == Part::kAborted) {
    tcb->sender.AbandonOpenMessage(context.now, message.stream);
    return {};
  }
  const size_t size = message.payload.size();
  // Last, so that nothing gives way to what is refused. A message in pieces has no policy by which others go first.
  const SendOptions how = Begins(message.part) ? options : SendOptions();
  if (tcb != nullptr ? !tcb->sender.MakeRoom(context.now, size, how) : size > context.messages.room()) {
    return Unexpected(SendError::kQueueFull);
  }
  context.messages.Add(context.now, std::move(message), options);
  if (tcb != nullptr) tcb->sender.AllowBurst();
  return {};
}

Expected<void, ResetError> Association::ResetStreams(Timestamp now, std::span<const StreamId> streams) {
  impl_->Advance(now);
  return RequestStreamReset(impl_->context, streams);
}

Expected<void, ResetError> Association::RequestPeerReset(Timestamp now, std::span<const StreamId> streams) {
  impl_->Advance(now);
  return sctp::RequestPeerReset(impl_->context, streams);
}

Expected<void, ResetError> Association::ResetAssociation(Timestamp now) {
  impl_->Advance(now);
  return RequestAssociationReset(impl_->context);
}

Expected<void, AddStreamsError> Association::AddOutgoingStreams(Timestamp now, uint16_t count) {
  impl_->Advance(now);
  return RequestMoreOutgoing(impl_->context, count);
}

Expected<void, AddStreamsError> Association::AddIncomingStreams(Timestamp now, uint16_t count) {
  impl_->Advance(now);
  return RequestMoreIncoming(impl_->context, count);
}

void Association::Shutdown(Timestamp now) {
  impl_->Advance(now);
  StartShutdown(impl_->context);
  impl_->Settle();
}

void Association::Abort(Timestamp now, std::string_view reason) {
  impl_->Advance(now);
  Context& context = impl_->context;
  if (Is<state::Dead>(context.state)) return;
  // RFC 9260 §9.1: with User-Initiated Abort. The reason is cut to what surely fits a packet.
  constexpr size_t kMaxReason = 256;
  const auto cause = WriteCause(UserInitiatedAbortCause{crypto::AsBytes(reason.substr(0, kMaxReason))});
  AbortAssociation(context, cause, AbortCause::kLocalClose, std::string(reason));
  impl_->Settle();
}

void Association::HandlePathChanged(Timestamp now, const PathProperties& path) {
  impl_->Advance(now);
  HandlePathChange(impl_->context, path);
}

void Association::HandlePacketTooBig(Timestamp now, size_t mtu) {
  impl_->Advance(now);
  HandlePacketTooBigHint(impl_->context, mtu);
}

void Association::SetBufferedAmountLowThreshold(StreamId stream, size_t bytes) {
  impl_->context.messages.SetLowThreshold(stream, bytes);
}

void Association::SetDelivery(Timestamp now, StreamId stream, Delivery delivery) {
  impl_->Advance(now);
  Tcb* tcb = impl_->context.tcb();
  if (tcb == nullptr) return;
  tcb->reassembly.SetDelivery(stream, delivery);
  DeliverMessages(impl_->context, *tcb);
}

void Association::SetRemoteLimits(uint16_t remote_port, size_t remote_max_message_size) {
  impl_->context.assumed.remote = {remote_port, remote_max_message_size};
}

std::optional<Association::Transmit> Association::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  impl_->Advance(now);
  const WrittenPacket packet = WritePacket(impl_->context, out);
  if (packet.size == 0) return std::nullopt;
  ++impl_->context.metrics.packets_sent;
  return Transmit{packet.size, packet.fragmentation, packet.ecn};
}

std::optional<Event> Association::PollEvent() {
  Context& context = impl_->context;
  if (auto event = context.events.Pop()) {
    Tcb* tcb = context.tcb();
    const bool is_message = std::holds_alternative<event::MessageReceived>(*event);
    if (is_message && tcb != nullptr && tcb->window.unpolled > 0) --tcb->window.unpolled;
    return event;
  }
  if (const auto stream = context.messages.PopLowStream()) return event::BufferedAmountLow{*stream};
  return std::nullopt;
}

Timestamp Association::NextTimeout() const {
  Context& context = impl_->context;
  const Timestamp next = context.timers.Next();
  const Tcb* tcb = context.tcb();
  return tcb == nullptr ? next : std::min(next, tcb->sender.NextTimeout());
}

State Association::state() const {
  return std::visit(Overloaded{
                        [](const state::Closed&) { return State::kClosed; },
                        [](const state::CookieWait&) { return State::kCookieWait; },
                        [](const state::CookieEchoed&) { return State::kCookieEchoed; },
                        [](const state::Established&) { return State::kEstablished; },
                        [](const state::ShutdownPending&) { return State::kShutdownPending; },
                        [](const state::ShutdownSent&) { return State::kShutdownSent; },
                        [](const state::ShutdownReceived&) { return State::kShutdownReceived; },
                        [](const state::ShutdownAckSent&) { return State::kShutdownAckSent; },
                        [](const state::Dead&) { return State::kClosed; },
                    },
                    impl_->context.state);
}

size_t Association::buffered_amount(StreamId stream) const { return impl_->context.messages.buffered_amount(stream); }
size_t Association::total_buffered_amount() const { return impl_->context.messages.total_buffered_amount(); }
bool Association::IsBufferedAmountLow(StreamId stream) const { return impl_->context.messages.IsLow(stream); }
size_t Association::received_octets() const {
  const Tcb* tcb = impl_->context.tcb();
  return tcb == nullptr ? 0 : TakenOctets(*tcb);
}

size_t Association::send_buffer_room() const { return impl_->context.messages.room(); }
const BufferPool& Association::pool() const { return impl_->context.pool; }
AbandonedByPolicy Association::abandoned(StreamId stream) const { return impl_->context.messages.abandoned(stream); }
const Metrics& Association::metrics() const { return impl_->context.metrics; }

void Association::Impl::HandleTimer(Timer timer) {
  switch (timer) {
    case Timer::kT1:
      return HandleT1(context);
    case Timer::kT2:
      return HandleT2(context);
    case Timer::kShutdownGuard:
      return HandleShutdownGuard(context);
    case Timer::kHeartbeat:
      return HandleHeartbeatTimer(context);
    case Timer::kReconfig:
      return HandleReconfigTimer(context);
    case Timer::kDelayedAck:
      return HandleDelayedAckTimer(context);
    case Timer::kPathMtu:
      return HandlePathMtuTimer(context);
    case Timer::kCount:
      break;
  }
}

Expected<void, SendError> Association::Impl::CheckSend(const Message& message, const SendOptions& options) {
  // RFC 3758 §4, RFC 7496 §3: one policy per message. A message that is being written gives way to nothing.
  const bool yields = options.buffer_priority || options.replaceable;
  if (options.policies() > 1 || (yields && message.part != Part::kWhole)) return Unexpected(SendError::kBadOptions);
  if (const auto fits = CheckSize(message); !fits) return fits;
  const bool is_open = Is<state::Established>(context.state) || Is<state::CookieEchoed>(context.state) ||
                       Is<state::CookieWait>(context.state) || Is<state::Closed>(context.state);
  // RFC 9260 §9.2: no new data once a shutdown began on either side.
  if (!is_open) return Unexpected(SendError::kShuttingDown);
  const Tcb* tcb = SendingTcb();
  const uint16_t streams = tcb == nullptr ? context.options.outgoing_streams : tcb->agreement.outgoing_streams;
  if (message.stream.value >= streams || context.messages.is_resetting(message.stream)) {
    return Unexpected(SendError::kUnknownStream);
  }
  return CheckPart(message, tcb);
}

Tcb* Association::Impl::SendingTcb() {
  auto* wait = std::get_if<state::CookieWait>(&context.state);
  return wait != nullptr && wait->retry ? wait->retry->suspended.get() : context.tcb();
}

Expected<void, SendError> Association::Impl::CheckSize(const Message& message) const {
  if (message.part == Part::kAborted) return {};
  const size_t size = message.payload.size();
  if (size == 0) return Unexpected(SendError::kEmptyMessage);
  const size_t limit = context.assumed.remote.max_message_size;
  const uint64_t before = Begins(message.part) ? 0 : context.messages.open_octets(message.stream);
  if ((limit != 0 && before + size > limit) || size > context.options.max_send_buffer ||
      size > std::numeric_limits<uint32_t>::max()) {
    return Unexpected(SendError::kMessageTooLarge);
  }
  return {};
}

Expected<void, SendError> Association::Impl::CheckPart(const Message& message, const Tcb* tcb) {
  using Open = SendQueue::Open;
  const Open open = context.messages.open(message.stream);
  if (Begins(message.part)) {
    if (open == Open::kOpen) return Unexpected(SendError::kMessageOpen);
    if (open == Open::kAbandoned) context.messages.ForgetOpen(message.stream);
    if (message.part == Part::kWhole) return {};
    const bool interleaves = tcb != nullptr && tcb->agreement.framing() == Framing::kIData;
    return interleaves ? Expected<void, SendError>() : Unexpected(SendError::kNoInterleaving);
  }
  if (open == Open::kNone) return Unexpected(SendError::kNoOpenMessage);
  if (open == Open::kAbandoned) {
    if (Ends(message.part)) context.messages.ForgetOpen(message.stream);
    return Unexpected(SendError::kMessageAbandoned);
  }
  const bool gives_up = message.part == Part::kAborted;
  if (gives_up && !tcb->agreement.capabilities.partial_reliability) {
    return Unexpected(SendError::kNoPartialReliability);
  }
  return {};
}

}  // namespace jsp::sctp
