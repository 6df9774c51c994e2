#include "sctp/association/ecn.h"

#include <algorithm>
#include <optional>

#include "sctp/association/data_transfer.h"
#include "sctp/packet/chunk/cwr.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/ecne.h"
#include "sctp/packet/chunk/i_data.h"
namespace jsp::sctp {
namespace {

// A path on which nothing that may be marked arrives has to repeat as many chunks as it carries. Fewer repetitions than
// these are no evidence.
constexpr uint64_t kRepetitionsOfBadPath = 4;

std::optional<Tsn> TsnOf(const ChunkView& chunk) {
  if (const auto data = DataChunk::Parse(chunk)) return data->tsn;
  if (const auto data = IDataChunk::Parse(chunk)) return data->data.tsn;
  return std::nullopt;
}

}  // namespace

void HandleMark(Context& context, Tcb& tcb, const PacketView& packet) {
  if (!tcb.agreement.capabilities.ecn || !AcceptsData(context.state)) return;
  std::optional<UnwrappedTsn> lowest;
  for (const ChunkView chunk : packet.chunks) {
    const auto wire = TsnOf(chunk);
    if (!wire) continue;
    const UnwrappedTsn tsn = tcb.tracker.Unwrap(*wire);
    // RFC 3168 §6.1.5: what is outside of the window says nothing, as it may be forged or long over.
    const Arrival arrival = tcb.tracker.Classify(tsn);
    if (arrival == Arrival::kDuplicate || arrival == Arrival::kTooFar) continue;
    lowest = lowest ? std::min(*lowest, tsn) : tsn;
  }
  if (!lowest) return;
  ++context.metrics.ce_received;
  // The sender need not wait for a delayed SACK.
  if (!tcb.ecn.echo) tcb.tracker.RequestSack();
  tcb.ecn.echo = tcb.ecn.echo ? std::max(*tcb.ecn.echo, *lowest) : *lowest;
  ++tcb.ecn.marked_packets;
}

Flow HandleCwr(Context& context, Tcb& tcb, const ChunkView& chunk) {
  const auto cwr = CwrChunk::Parse(chunk);
  if (!cwr) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  // RFC 3168 §6.1.3: echoes end. A CWR for an earlier mark leaves a later one unanswered.
  if (tcb.ecn.echo && tcb.tracker.Unwrap(cwr->lowest_tsn) >= *tcb.ecn.echo) {
    tcb.ecn.echo.reset();
    tcb.ecn.marked_packets = 0;
  }
  return Flow::kContinue;
}

void WriteEcne(Tcb& tcb, PacketBuilder& builder) {
  // RFC 3168 §6.1.3: in every acknowledgement, as any of them may be lost.
  if (tcb.ecn.echo) builder.Add(EcneChunk{tcb.ecn.echo->Wrap(), tcb.ecn.marked_packets});
}

bool IsPathTrusted(const Context& context, Tcb& tcb) {
  using enum EcnState::Path;
  EcnState& ecn = tcb.ecn;
  const UnwrappedTsn unacknowledged = tcb.sender.outstanding().first_tsn();
  if (ecn.path == kUntried) {
    ecn.path = kTrying;
    ecn.tried_from = tcb.sender.outstanding().next_tsn();
    ecn.repeated_before = context.metrics.retransmitted_chunks;
  }
  if (ecn.path != kTrying || unacknowledged < ecn.tried_from) return ecn.path != kBad;
  const auto acknowledged = static_cast<uint64_t>(unacknowledged.DistanceFrom(ecn.tried_from));
  const uint64_t repeated = context.metrics.retransmitted_chunks - ecn.repeated_before;
  if (acknowledged > repeated) {
    ecn.path = kGood;
  } else if (repeated >= kRepetitionsOfBadPath) {
    ecn.path = kBad;  // as after ECN-setup SYNs that got no answer (RFC 3168 §6.1.1.1)
  }
  return ecn.path != kBad;
}

Flow HandleEcne(Context& context, Tcb& tcb, const ChunkView& chunk) {
  const auto ecne = EcneChunk::Parse(chunk);
  if (!ecne) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  using Outcome = RetransmissionQueue::EchoOutcome;
  switch (tcb.sender.HandleEcnEcho(ecne->lowest_tsn)) {
    case Outcome::kNeverSent:
      context.Drop(DropReason::kBadEcne);
      return Flow::kContinue;
    case Outcome::kReduced:
      ++context.metrics.ecn_reductions;
      [[fallthrough]];
    case Outcome::kKnown:
      // RFC 3168 §6.1.2: repeated as often as the echo is, so that one of them arrives.
      tcb.ecn.cwr_due = ecne->lowest_tsn;
      break;
    case Outcome::kLater:
      break;
  }
  ++context.metrics.ecne_received;
  return Flow::kContinue;
}

void WriteCwr(Tcb& tcb, PacketBuilder& builder) {
  if (tcb.ecn.cwr_due && builder.Add(CwrChunk{*tcb.ecn.cwr_due})) tcb.ecn.cwr_due.reset();
}

}  // namespace jsp::sctp
