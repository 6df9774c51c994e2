#include "sctp/association/data_transfer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "sctp/association/deferred_reset.h"
#include "sctp/association/path_probe.h"
#include "sctp/association/reconfig_requester.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_data.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/packet/error_cause/invalid_stream_identifier.h"
#include "sctp/packet/error_cause/no_user_data.h"
namespace jsp::sctp {
namespace {

// RFC 9260 §6.2: "An implementation MUST NOT allow the maximum delay ... to be configured to be more than 500 ms."
constexpr Duration kMaxDelayedAck = std::chrono::milliseconds(500);

// RFC 9260 §6.2: the window is enforced, not only advertised. The one exception keeps it from closing for ever: when
// all that fills it waits for the next TSN, and not for the application, then the next TSN is taken, up to one message
// more.
bool FitsWindow(const Context& context, const Tcb& tcb, Arrival arrival, size_t octets) {
  const size_t taken = TakenOctets(tcb) + octets;
  if (taken <= tcb.window.bound()) return true;
  return arrival == Arrival::kNext && tcb.window.unconsumed == 0 &&
         taken <= tcb.window.bound() + ReceiveMessageLimit(context.options);
}

Flow ApplySackOutcome(Context& context, Tcb& tcb, const RetransmissionQueue::SackOutcome& outcome) {
  switch (outcome.verdict) {
    case SackVerdict::kValid:
      // RFC 9260 §8.1: "MUST be reset each time a DATA chunk sent to that peer endpoint is acknowledged".
      if (outcome.progress) tcb.error_count = 0;
      ObserveLargeChunks(context, tcb, outcome.large_acknowledged);
      return Flow::kContinue;
    case SackVerdict::kOutOfOrder:
      return Flow::kContinue;
    case SackVerdict::kMalformed:
      context.Drop(DropReason::kBadSack);
      return Flow::kContinue;
    case SackVerdict::kAcksUnsent:
      break;
  }
  context.Drop(DropReason::kBadSack);
  return AbortForViolation(context, "a TSN was acknowledged that was never sent");
}

Flow RefuseEmptyData(Context& context, Tsn tsn) {
  const auto cause = WriteCause(NoUserDataCause{tsn});
  return AbortAssociation(context, cause, AbortCause::kProtocolViolation, "DATA without user data");
}

Flow ApplyAddResult(Context& context, Tcb& tcb, ReassemblyQueue::AddResult result, StreamId stream) {
  using Result = ReassemblyQueue::AddResult;
  switch (result) {
    case Result::kAccepted:
      return Flow::kContinue;
    case Result::kInvalidStream: {
      // RFC 9260 §6.5: acknowledged, reported, discarded.
      context.Drop(DropReason::kBadChunk);
      const auto cause = WriteCause(InvalidStreamIdentifierCause{.stream = stream});
      context.control.Add(ErrorChunk{.causes = CauseRange(cause)});
      tcb.tracker.RequestSack();
      return Flow::kContinue;
    }
    case Result::kMessageTooLarge:
      return AbortForViolation(context, "a message exceeds the largest size that we accept");
    case Result::kNoUserData:
    case Result::kProtocolViolation:
      break;
  }
  return AbortForViolation(context, "fragments do not make up messages");
}

// RFC 3758 §3.6: out of date, or further than anything outstanding can be: no effect but a SACK.
std::optional<UnwrappedTsn> MoveCumulative(Context& context, Tcb& tcb, Tsn new_cumulative_tsn) {
  if (!AcceptsData(context.state)) {
    context.Drop(DropReason::kOutOfState);
    return std::nullopt;
  }
  if (AwaitsAssociationReset(tcb)) {
    // It may be from either side of the reset; the peer repeats it (RFC 3758 §3.5 A5).
    context.Drop(DropReason::kUnexpectedForwardTsn);
    return std::nullopt;
  }
  const UnwrappedTsn new_cumulative = tcb.tracker.Unwrap(new_cumulative_tsn);
  if (!tcb.tracker.HandleForwardTsn(new_cumulative)) {
    context.Drop(DropReason::kUnexpectedForwardTsn);
    return std::nullopt;
  }
  DropHeldForReset(tcb, new_cumulative);
  return new_cumulative;
}

Flow HandleUserData(Context& context, Tcb& tcb, const DataChunk& data);

// A window that the application emptied as fast as it was filled may be what holds the sender back.
void GrowWindow(ReceiveWindow& window, size_t consumed, size_t taken) {
  window.has_backed_up = window.has_backed_up || taken > window.size / 2;
  window.consumed_of_it += consumed;
  if (window.consumed_of_it < window.size) return;
  if (!window.has_backed_up) window.size = std::min(window.size * 2, window.limit);
  window.consumed_of_it = 0;
  window.has_backed_up = false;
}

}  // namespace

size_t TakenOctets(const Tcb& tcb) {
  return tcb.reassembly.buffered_bytes() + tcb.reconfig.held_octets() + tcb.window.unconsumed +
         tcb.window.unpolled * ReceiveWindow::kUnpolledOverhead;
}

bool AcceptsData(const StateData& state) {
  return Is<state::Established>(state) || Is<state::ShutdownPending>(state) || Is<state::ShutdownSent>(state);
}

bool SendsData(const StateData& state) {
  return Is<state::Established>(state) || Is<state::ShutdownPending>(state) || Is<state::ShutdownReceived>(state);
}

Flow HandleData(Context& context, Tcb& tcb, const ChunkView& chunk) {
  // RFC 8260 §2.2.3.
  if (tcb.agreement.framing() != Framing::kData) return AbortForViolation(context, "DATA where I-DATA was negotiated");
  const auto data = DataChunk::Parse(chunk);
  if (data) return HandleUserData(context, tcb, *data);
  context.Drop(DropReason::kBadChunk);
  return Flow::kContinue;
}

Flow HandleIData(Context& context, Tcb& tcb, const ChunkView& chunk) {
  // RFC 8260 §2.2.3.
  if (tcb.agreement.framing() != Framing::kIData) return AbortForViolation(context, "I-DATA without negotiation");
  const auto data = IDataChunk::Parse(chunk);
  if (data) return HandleUserData(context, tcb, data->data);
  context.Drop(DropReason::kBadChunk);
  return Flow::kContinue;
}

namespace {

Flow HandleUserData(Context& context, Tcb& tcb, const DataChunk& data) {
  if (!AcceptsData(context.state)) {
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  if (data.payload.empty()) return RefuseEmptyData(context, data.tsn);
  const UnwrappedTsn tsn = tcb.tracker.Unwrap(data.tsn);
  const Arrival arrival = tcb.tracker.Classify(tsn);
  if (arrival == Arrival::kDuplicate) {
    context.Drop(DropReason::kDuplicateData);
    tcb.tracker.Observe(tsn);
    return Flow::kContinue;
  }
  if (arrival == Arrival::kTooFar || !FitsWindow(context, tcb, arrival, data.payload.size())) {
    // RFC 9260 §6.2: "the receiver MUST immediately send back a SACK chunk".
    context.Drop(DropReason::kReceiveWindowFull);
    tcb.tracker.RequestSack();
    return Flow::kContinue;
  }
  // RFC 9260 §5.1: the first DATA chunk of an association is acknowledged at once.
  if (!tcb.has_received_data) tcb.tracker.RequestSack();
  tcb.has_received_data = true;
  tcb.tracker.Observe(tsn, data.immediate ? AckRequest::kImmediate : AckRequest::kNormal);
  if (HoldForReset(tcb, tsn, data)) return Flow::kContinue;
  return Reassemble(context, tcb, tsn, data);
}

}  // namespace

Flow Reassemble(Context& context, Tcb& tcb, UnwrappedTsn tsn, const DataChunk& data) {
  return ApplyAddResult(context, tcb, tcb.reassembly.Add(tsn, data), data.stream);
}

Flow HandleSack(Context& context, Tcb& tcb, const ChunkView& chunk) {
  const auto sack = SackChunk::Parse(chunk);
  if (!sack) {
    context.Drop(DropReason::kBadSack);
    return Flow::kContinue;
  }
  return ApplySackOutcome(context, tcb, tcb.sender.HandleSack(context.now, *sack));
}

Flow HandleCumulativeAck(Context& context, Tcb& tcb, Tsn cumulative_tsn_ack) {
  return ApplySackOutcome(context, tcb, tcb.sender.HandleCumulativeAck(context.now, cumulative_tsn_ack));
}

Flow HandleForwardTsn(Context& context, Tcb& tcb, const ChunkView& chunk) {
  // RFC 8260 §2.3.1.
  if (tcb.agreement.framing() != Framing::kData) {
    return AbortForViolation(context, "FORWARD TSN where I-FORWARD-TSN was negotiated");
  }
  const auto forward = ForwardTsnChunk::Parse(chunk);
  if (!forward) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  const auto moved = MoveCumulative(context, tcb, forward->new_cumulative_tsn);
  if (!moved) return Flow::kContinue;
  tcb.reassembly.HandleForwardTsn(*moved, forward->skipped);
  return Flow::kContinue;
}

Flow HandleIForwardTsn(Context& context, Tcb& tcb, const ChunkView& chunk) {
  // RFC 8260 §2.3.1.
  if (tcb.agreement.framing() != Framing::kIData) {
    return AbortForViolation(context, "I-FORWARD-TSN where FORWARD TSN was negotiated");
  }
  const auto forward = IForwardTsnChunk::Parse(chunk);
  if (!forward) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  if (MoveCumulative(context, tcb, forward->new_cumulative_tsn)) tcb.reassembly.HandleIForwardTsn(forward->skipped);
  return Flow::kContinue;
}

void DeliverMessages(Context& context, Tcb& tcb) {
  while (auto message = tcb.reassembly.PopMessage()) {
    const size_t size = message->payload.size();
    tcb.window.unconsumed += size;
    ++tcb.window.unpolled;
    if (message->part == Part::kAborted) {
      ++context.metrics.messages_aborted;
    } else if (Ends(message->part)) {
      ++context.metrics.messages_received;
    }
    context.metrics.bytes_received += size;
    context.events.Push(event::MessageReceived{std::move(*message)});
  }
}

Flow FinishPacket(Context& context, Tcb& tcb) {
  // What is held is no fragment that is missing.
  if (!AwaitsAssociationReset(tcb)) {
    const auto progress = tcb.reassembly.CheckProgress(tcb.tracker.cumulative());
    if (ApplyAddResult(context, tcb, progress, StreamId(0)) == Flow::kStop) return Flow::kStop;
  }
  DeliverMessages(context, tcb);
  if (MaybePerformDeferredReset(context, tcb) == Flow::kStop) return Flow::kStop;
  switch (tcb.tracker.HandlePacketEnd()) {
    case SackDecision::kNone:
      break;
    case SackDecision::kDelayed:
      if (!context.timers.IsArmed(Timer::kDelayedAck)) {
        context.timers.Arm(Timer::kDelayedAck, context.now + std::min(context.options.delayed_ack, kMaxDelayedAck));
      }
      break;
    case SackDecision::kNow:
      context.timers.Disarm(Timer::kDelayedAck);
  }
  return Flow::kContinue;
}

void HandleT3(Context& context) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr) return;
  // RFC 9260 §8.1. Before COOKIE ACK it is T1-cookie that counts.
  const bool is_loss = tcb->sender.HandleTimeout(context.now) == RetransmissionQueue::Expiry::kLoss;
  if (!is_loss || Is<state::CookieEchoed>(context.state)) return;
  HandleT3Loss(context, *tcb);
  CountError(context, *tcb);
}

void HandleDelayedAckTimer(Context& context) {
  if (Tcb* tcb = context.tcb()) tcb->tracker.HandleDelayedAckTimeout();
}

uint32_t AdvertisedWindow(const Context& context, const Tcb& tcb) {
  const size_t taken = TakenOctets(tcb);
  const size_t bound = tcb.window.bound();
  const size_t free = bound > taken ? bound - taken : 0;
  // RFC 9260 §6.2: the receiver's side of the silly window: less than a packet is nothing.
  return free < context.options.max_packet_size ? 0 : static_cast<uint32_t>(free);
}

namespace {

// RFC 9260 §6.2: "only if the window can be increased by at least a quarter of the receive buffer size".
void MaybeTellWindow(const Context& context, Tcb& tcb) {
  if (!AcceptsData(context.state)) return;
  const size_t free = AdvertisedWindow(context, tcb);
  if (free >= tcb.window.advertised && free - tcb.window.advertised >= tcb.window.size / 4) tcb.tracker.RequestSack();
}

}  // namespace

void HandleConsumedOctets(Context& context, size_t octets) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr) return;
  ReceiveWindow& window = tcb->window;
  const size_t taken = TakenOctets(*tcb);
  const size_t freed = std::min(window.unconsumed, octets);
  window.unconsumed -= freed;
  GrowWindow(window, freed, taken);
  MaybeTellWindow(context, *tcb);
}

void SetAllowance(Context& context, size_t octets) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || tcb->window.allowance == octets) return;
  tcb->window.allowance = octets;
  MaybeTellWindow(context, *tcb);
}

}  // namespace jsp::sctp
