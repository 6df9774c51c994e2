#include "sctp/association/association_reset.h"

#include <utility>
#include <vector>

#include "sctp/association/data_transfer.h"
#include "sctp/association/deferred_reset.h"
#include "sctp/association/reconfig_requester.h"
#include "sctp/events.h"
namespace jsp::sctp {
namespace {

// RFC 6525 §5.2.4 D4 and G1: the TSNs of before are then behind, and stay so while any of them may be under way.
constexpr uint32_t kTsnLeap = uint32_t{1} << 31;

// RFC 6525 §5.2.4 G4, G5: what is incomplete is given up, and all streams of both directions begin anew.
void StartStreamsAnew(Context& context, Tcb& tcb) {
  DeliverMessages(context, tcb);
  tcb.reassembly.ResetStreams({});  // what was given out in part ends with a mark
  DeliverMessages(context, tcb);
  tcb.reassembly =
      ReassemblyQueue(ReassemblyLimits(context.options, tcb.agreement, context.jar.hash_key()), context.pool);
  context.messages.ResetNumbers();
  tcb.ecn = {};  // it names TSNs of before
  context.events.Push(event::AssociationReset{});
}

Flow ReassembleAll(Context& context, Tcb& tcb, const std::vector<HeldChunks::HeldChunk>& held) {
  for (const HeldChunks::HeldChunk& one : held) {
    if (Reassemble(context, tcb, one.tsn, one.chunk) == Flow::kStop) return Flow::kStop;
  }
  return Flow::kContinue;
}

}  // namespace

ReconfigResponder::Answer HandleAssociationResetRequest(Context& context, Tcb& tcb, ReconfigSn sn) {
  // RFC 6525 §5.2.4 G3 takes our outstanding TSNs for acknowledged, arrived or not. The peer repeats its request
  // (RFC 6525 §5.2.7 H2) until there are none.
  if (!tcb.sender.is_idle()) return {sn, ReconfigResult::kInProgress};
  // Ours may be performed already: with two at once neither end would know which TSNs the other one means.
  if (AwaitsAssociationReset(tcb)) return {sn, ReconfigResult::kRequestInProgress};
  const Tsn receiver_next(tcb.tracker.cumulative().Wrap().value + 1 + kTsnLeap);
  StartStreamsAnew(context, tcb);
  tcb.tracker = DataTracker(receiver_next);
  // RFC 6525 §5.2.4 G2: our own TSNs go on.
  return {sn, ReconfigResult::kPerformed, NextTsns{tcb.sender.next_tsn(), receiver_next}};
}

Flow FinishAssociationReset(Context& context, Tcb& tcb, const NextTsns& next) {
  const UnwrappedTsn first_new = tcb.tracker.Unwrap(next.sender_next_tsn);
  std::vector<HeldChunks::HeldChunk> before = tcb.reconfig.mine.held.Take();
  std::vector<HeldChunks::HeldChunk> after;
  // DATA from beyond the reset may have overtaken the answer. All of it is held, so more than that is none of it.
  const int64_t known = tcb.tracker.cumulative().Next().DistanceFrom(first_new);
  const bool goes_on = known >= 0 && known <= static_cast<int64_t>(before.size());
  if (goes_on) {
    const auto is_before = [&](const HeldChunks::HeldChunk& held) { return held.tsn < first_new; };
    const auto border = std::stable_partition(before.begin(), before.end(), is_before);
    after.assign(std::move_iterator(border), std::move_iterator(before.end()));
    before.erase(border, before.end());
  }
  if (ReassembleAll(context, tcb, before) == Flow::kStop) return Flow::kStop;
  StartStreamsAnew(context, tcb);
  // What was received beyond a gap is received again (RFC 9260 §6.2.1 D iii).
  if (!goes_on) tcb.tracker = DataTracker(next.sender_next_tsn);
  tcb.sender.RestartAt(next.receiver_next_tsn);
  return ReassembleAll(context, tcb, after);
}

}  // namespace jsp::sctp
