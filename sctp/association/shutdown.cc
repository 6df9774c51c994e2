#include "sctp/association/shutdown.h"

#include <algorithm>

#include "sctp/association/data_transfer.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/chunk/shutdown_complete.h"
namespace jsp::sctp {
namespace {

// RFC 9260 §9.2: "it SHOULD be set to the RECOMMENDED value of 5 times 'RTO.Max'".
constexpr int kGuardFactor = 5;

void ArmT2(Context& context, const Tcb& tcb, uint32_t retransmissions) {
  // RFC 9260 §6.3.3 E2: doubled at every expiry.
  Duration timeout = tcb.sender.rto();
  for (uint32_t i = 0; i < retransmissions && timeout < context.options.rto_max; ++i) timeout *= 2;
  context.timers.Arm(Timer::kT2, context.now + std::min(timeout, context.options.rto_max));
}

template <class S>
void Retransmit(Context& context, S& state) {
  // RFC 9260 §9.2: "An endpoint SHOULD limit the number of retransmissions ... to the protocol parameter
  // 'Association.Max.Retrans'."
  if (state.retransmissions >= context.options.association_max_retransmits) {
    Close(context, event::Aborted{AbortCause::kTooManyRetransmissions, "the shutdown is not answered"});
    return;
  }
  ++state.retransmissions;
  state.due = true;
}

void EnterShutdownAckSent(Context& context) {
  context.Enter<state::ShutdownAckSent>();
  context.timers.Disarm(Timer::kHeartbeat);
  context.timers.Disarm(Timer::kReconfig);
  context.timers.Disarm(Timer::kDelayedAck);
}

}  // namespace

void StartShutdown(Context& context) {
  if (Is<state::Established>(context.state)) {
    context.Enter<state::ShutdownPending>().tcb->sender.SetEnding();
    return MaybeAdvanceShutdown(context);
  }
  if (Is<state::CookieEchoed>(context.state)) {
    // Nothing was agreed that could be ended gracefully.
    AbortAssociation(context, {}, AbortCause::kLocalClose, "closed before it was established");
  } else if (Is<state::CookieWait>(context.state) || Is<state::Closed>(context.state)) {
    Close(context, event::Closed{});
  }
}

void MaybeAdvanceShutdown(Context& context) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || !tcb->sender.is_idle()) return;
  if (Is<state::ShutdownPending>(context.state)) {
    context.Enter<state::ShutdownSent>();
    context.timers.Arm(Timer::kShutdownGuard, context.now + kGuardFactor * context.options.rto_max);
    context.timers.Disarm(Timer::kHeartbeat);
    context.timers.Disarm(Timer::kReconfig);
  } else if (Is<state::ShutdownReceived>(context.state)) {
    EnterShutdownAckSent(context);
  }
}

void HandleT2(Context& context) {
  if (auto* sent = std::get_if<state::ShutdownSent>(&context.state)) {
    Retransmit(context, *sent);
  } else if (auto* ack_sent = std::get_if<state::ShutdownAckSent>(&context.state)) {
    Retransmit(context, *ack_sent);
  }
}

void HandleShutdownGuard(Context& context) {
  AbortAssociation(context, {}, AbortCause::kLocalClose, "the shutdown takes too long");
}

Flow HandleShutdown(Context& context, Tcb& tcb, const ChunkView& chunk) {
  const auto shutdown = ShutdownChunk::Parse(chunk);
  if (!shutdown) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  if (Is<state::CookieEchoed>(context.state)) {
    // RFC 9260 §9.2: "If a SHUTDOWN chunk is received in the COOKIE-WAIT or COOKIE ECHOED state, the SHUTDOWN chunk
    // SHOULD be silently discarded."
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  if (HandleCumulativeAck(context, tcb, shutdown->cumulative_tsn_ack) == Flow::kStop) return Flow::kStop;
  if (Is<state::Established>(context.state) || Is<state::ShutdownPending>(context.state)) {
    context.Enter<state::ShutdownReceived>().tcb->sender.SetEnding();
  } else if (Is<state::ShutdownSent>(context.state)) {
    // Both sent SHUTDOWN: nothing is outstanding here, as it was sent only then.
    EnterShutdownAckSent(context);
  } else if (auto* ack_sent = std::get_if<state::ShutdownAckSent>(&context.state)) {
    ack_sent->due = true;
  }
  return Flow::kContinue;
}

Flow HandleShutdownAck(Context& context, Tcb& tcb, const ChunkView& chunk) {
  const bool is_awaited = Is<state::ShutdownSent>(context.state) || Is<state::ShutdownAckSent>(context.state);
  if (!is_awaited || !ShutdownAckChunk::Parse(chunk)) {
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  // RFC 9260 §8.5.1 C: the peer's tag, the T bit clear.
  context.replies.clear();
  context.Reply(tcb.agreement.peer_tag, ShutdownCompleteChunk{});
  Close(context, event::Closed{});
  return Flow::kStop;
}

Flow HandleShutdownComplete(Context& context, const ChunkView& chunk) {
  if (!Is<state::ShutdownAckSent>(context.state) || !ShutdownCompleteChunk::Parse(chunk)) {
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  Close(context, event::Closed{});
  return Flow::kStop;
}

void HandlePacketWhileShuttingDown(Context& context, Carried carried) {
  auto* sent = std::get_if<state::ShutdownSent>(&context.state);
  if (sent == nullptr) return;
  // RFC 9260 §9.2: any packet clears the count; DATA "MUST immediately" be answered with SHUTDOWN, and T2 restarts.
  sent->retransmissions = 0;
  if (carried == Carried::kNoData) return;
  sent->due = true;
  // A SACK beside it says what the SHUTDOWN cannot: gaps, duplicates, and the window.
  sent->tcb->tracker.RequestSack();
}

void WriteShutdown(Context& context, Tcb& tcb, PacketBuilder& builder) {
  if (auto* sent = std::get_if<state::ShutdownSent>(&context.state)) {
    if (!sent->due || !builder.Add(ShutdownChunk{tcb.tracker.cumulative().Wrap()})) return;
    sent->due = false;
    ArmT2(context, tcb, sent->retransmissions);
  } else if (auto* ack_sent = std::get_if<state::ShutdownAckSent>(&context.state)) {
    if (!ack_sent->due || !builder.Add(ShutdownAckChunk{})) return;
    ack_sent->due = false;
    ArmT2(context, tcb, ack_sent->retransmissions);
  }
}

}  // namespace jsp::sctp
