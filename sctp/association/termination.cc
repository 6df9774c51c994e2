#include "sctp/association/termination.h"

#include <utility>

#include "base/crypto.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/error_cause/protocol_violation.h"
namespace jsp::sctp {

void Close(Context& context, Event last) {
  if (auto* tcb = FindTcb(context.state)) context.retired = std::move(*tcb);
  context.state = state::Dead{.was_graceful = std::holds_alternative<event::Closed>(last)};
  context.timers = {};
  context.control.Clear();
  context.messages.Clear();
  context.events.Push(std::move(last));
}

Flow AbortAssociation(Context& context, std::span<const uint8_t> causes, AbortCause why, std::string detail) {
  // The ABORT goes first: nothing else matters to the peer any more.
  if (const Tcb* tcb = context.tcb()) {
    context.replies.clear();
    context.Reply(tcb->agreement.peer_tag, AbortChunk{.causes = CauseRange(causes)});
  }
  Close(context, event::Aborted{why, std::move(detail)});
  return Flow::kStop;
}

Flow AbortForViolation(Context& context, std::string detail) {
  const auto cause = WriteCause(ProtocolViolationCause{crypto::AsBytes(detail)});
  return AbortAssociation(context, cause, AbortCause::kProtocolViolation, std::move(detail));
}

Flow CountError(Context& context, Tcb& tcb) {
  if (++tcb.error_count <= context.options.association_max_retransmits) return Flow::kContinue;
  // RFC 9260 §8.1: "the endpoint SHOULD consider the peer endpoint unreachable and SHALL stop transmitting any more
  // data to it".
  Close(context, event::Aborted{AbortCause::kTooManyRetransmissions, "the peer does not answer"});
  return Flow::kStop;
}

}  // namespace jsp::sctp
