#include "sctp/association/deferred_reset.h"

#include <utility>

#include "sctp/association/data_transfer.h"
#include "sctp/association/reconfig_requester.h"
#include "sctp/association/reconfig_responder.h"
#include "sctp/events.h"
namespace jsp::sctp {

void PerformIncomingReset(Context& context, Tcb& tcb, std::vector<StreamId> streams) {
  DeliverMessages(context, tcb);
  tcb.reassembly.ResetStreams(streams);
  context.events.Push(event::IncomingStreamsReset{std::move(streams)});
}

bool HoldForReset(Tcb& tcb, UnwrappedTsn tsn, const DataChunk& data) {
  if (AwaitsAssociationReset(tcb)) {
    tcb.reconfig.mine.held.Add(tsn, data);
    return true;
  }
  auto& deferred = tcb.reconfig.peers.deferred;
  if (!deferred || tsn <= deferred->last_assigned_tsn || !Lists(deferred->streams, data.stream)) return false;
  deferred->held.Add(tsn, data);
  return true;
}

void DropHeldForReset(Tcb& tcb, UnwrappedTsn new_cumulative) {
  auto& deferred = tcb.reconfig.peers.deferred;
  if (deferred) deferred->held.DropUpTo(new_cumulative);
}

Flow ReleaseHeld(Context& context, Tcb& tcb, std::vector<HeldChunks::HeldChunk> held) {
  for (const HeldChunks::HeldChunk& one : held) {
    if (HoldForReset(tcb, one.tsn, one.chunk)) continue;
    if (Reassemble(context, tcb, one.tsn, one.chunk) == Flow::kStop) return Flow::kStop;
  }
  return Flow::kContinue;
}

Flow MaybePerformDeferredReset(Context& context, Tcb& tcb) {
  ReconfigResponder& peers = tcb.reconfig.peers;
  if (!peers.deferred || peers.deferred->last_assigned_tsn > tcb.tracker.cumulative()) return Flow::kContinue;
  ReconfigResponder::Deferred deferred = std::move(*peers.deferred);
  peers.deferred.reset();
  peers.performed =
      ReconfigResponder::Performed{.last_assigned_tsn = deferred.last_assigned_tsn.Wrap(), .streams = deferred.streams};
  PerformIncomingReset(context, tcb, std::move(deferred.streams));
  if (ReleaseHeld(context, tcb, deferred.held.Take()) == Flow::kStop) return Flow::kStop;
  DeliverMessages(context, tcb);
  // RFC 6525 §5.2.2 E5.
  const ReconfigResponder::Answer answer{deferred.sn, ReconfigResult::kPerformed};
  UpdateReconfigAnswer(tcb, answer);
  SendReconfigAnswers(context, {&answer, 1});
  return Flow::kContinue;
}

}  // namespace jsp::sctp
