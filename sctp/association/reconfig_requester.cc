#include "sctp/association/reconfig_requester.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/overloaded.h"
#include "sctp/association/association_reset.h"
#include "sctp/association/data_transfer.h"
#include "sctp/association/deferred_reset.h"
#include "sctp/association/reconfig_responder.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/reconfig.h"
#include "sctp/packet/parameter/add_incoming_streams.h"
#include "sctp/packet/parameter/add_outgoing_streams.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/ssn_tsn_reset_request.h"
namespace jsp::sctp {
namespace {

// RFC 6525 §5.1.4: "Only one SSN/TSN Reset Request SHOULD be sent within 30 seconds".
constexpr Duration kAssociationResetInterval = std::chrono::seconds(30);

// In units of the RTO; the other end's next request comes within about one.
constexpr int kCrossedFactor = 4;

template <class Wish>
const ReconfigRequest* FindInFlight(const Tcb& tcb) {
  const auto& flight = tcb.reconfig.mine.flight;
  if (!flight) return nullptr;
  for (const ReconfigRequest& request : flight->requests) {
    if (std::holds_alternative<Wish>(request.wish)) return &request;
  }
  return nullptr;
}

std::vector<uint8_t> WriteRequest(const Tcb& tcb, const ReconfigRequest& request) {
  return std::visit(
      Overloaded{
          [&](const OutgoingReset& reset) {
            // RFC 6525 §5.1.2 A4.
            const ReconfigSn response_sn = reset.answers.value_or(Previous(tcb.reconfig.peers.expected_sn));
            return WriteParameters(OutgoingSsnResetRequest{.request_sn = request.sn,
                                                           .response_sn = response_sn,
                                                           .last_assigned_tsn = reset.last_assigned_tsn,
                                                           .streams = std::span<const StreamId>(reset.streams)});
          },
          [&](const IncomingReset& reset) {
            return WriteParameters(
                IncomingSsnResetRequest{.request_sn = request.sn, .streams = std::span<const StreamId>(reset.streams)});
          },
          [&](const AssociationReset&) { return WriteParameters(SsnTsnResetRequest{.request_sn = request.sn}); },
          [&](const MoreOutgoing& more) {
            return WriteParameters(AddOutgoingStreams{.request_sn = request.sn, .new_streams = more.streams});
          },
          [&](const MoreIncoming& more) {
            return WriteParameters(AddIncomingStreams{.request_sn = request.sn, .new_streams = more.streams});
          },
      },
      request.wish);
}

void WriteFlight(const Tcb& tcb, ReconfigFlight& flight) {
  flight.octets.clear();
  for (const ReconfigRequest& request : flight.requests) {
    const auto octets = WriteRequest(tcb, request);
    // A list of an odd number of streams is padded; the last one's padding is not the chunk's.
    flight.octets.resize(PaddedSize(flight.octets.size()));
    flight.octets.insert(flight.octets.end(), octets.begin(), octets.end());
  }
}

ReconfigSn TakeSn(ReconfigRequester& mine) { return std::exchange(mine.next_sn, Next(mine.next_sn)); }

// The streams of ours that the peer wants reset have nothing left to deliver.
bool IsAskedResetReady(Context& context, const Tcb& tcb) {
  const auto& asked = tcb.reconfig.peers.asked;
  if (!asked || asked->in_flight) return false;
  if (asked->streams.empty()) return tcb.sender.is_idle();
  // At most kMaxStreamsPerRequest look-ups, and only while the peer waits for this.
  return std::ranges::all_of(asked->streams, [&](StreamId stream) { return context.messages.IsDrained(stream); });
}

OutgoingReset TakeAskedReset(Tcb& tcb) {
  ReconfigResponder::Asked& asked = *tcb.reconfig.peers.asked;
  asked.in_flight = true;
  UpdateReconfigAnswer(tcb, {.sn = asked.sn, .result = ReconfigResult::kInProgress, .by_request = true});
  if (!asked.streams.empty()) {
    std::erase_if(tcb.reconfig.mine.wishes.drained, [&](StreamId stream) { return Lists(asked.streams, stream); });
  }
  return {.streams = asked.streams, .answers = asked.sn};
}

std::optional<OutgoingReset> TakeOwnReset(Tcb& tcb) {
  ReconfigWishes& wishes = tcb.reconfig.mine.wishes;
  if (wishes.all_outgoing) {
    if (!tcb.sender.is_idle()) return std::nullopt;
    wishes.all_outgoing = false;
    return OutgoingReset{};
  }
  if (wishes.drained.empty()) return std::nullopt;
  const size_t count = std::min(wishes.drained.size(), kMaxStreamsPerRequest);
  const auto first = wishes.drained.end() - static_cast<std::ptrdiff_t>(count);
  OutgoingReset reset{.streams = {first, wishes.drained.end()}, .answers = {}};
  wishes.drained.erase(first, wishes.drained.end());
  return reset;
}

uint16_t TakeStreams(uint32_t& wanted) {
  const auto streams = static_cast<uint16_t>(std::min<uint32_t>(wanted, std::numeric_limits<uint16_t>::max()));
  wanted -= streams;
  return streams;
}

// What goes into the next chunk: one of the combinations of requests in RFC 6525 §3.1.
std::vector<ReconfigWish> TakeNextWishes(Context& context, Tcb& tcb) {
  std::vector<ReconfigWish> next;
  ReconfigWishes& wishes = tcb.reconfig.mine.wishes;
  if (IsAskedResetReady(context, tcb)) {
    next.emplace_back(TakeAskedReset(tcb));
    return next;
  }
  if (auto reset = TakeOwnReset(tcb)) next.emplace_back(std::move(*reset));
  if (wishes.incoming) next.emplace_back(*std::exchange(wishes.incoming, std::nullopt));
  if (!next.empty()) return next;
  if (wishes.outgoing_streams > 0) next.emplace_back(MoreOutgoing{TakeStreams(wishes.outgoing_streams)});
  if (wishes.incoming_streams > 0) next.emplace_back(MoreIncoming{TakeStreams(wishes.incoming_streams)});
  if (!next.empty()) return next;
  // RFC 6525 §5.1.4 C2: no outstanding TSNs; Send is closed.
  if (wishes.association && tcb.sender.is_idle()) {
    wishes.association = false;
    next.emplace_back(AssociationReset{});
  }
  return next;
}

// One of several reasons for which no stream takes messages is gone.
void KeepAllClosed(Context& context, const Tcb& tcb) {
  const ReconfigWishes& wishes = tcb.reconfig.mine.wishes;
  const auto& asked = tcb.reconfig.peers.asked;
  if (wishes.association || wishes.all_outgoing || (asked && asked->streams.empty())) context.messages.BeginResetAll();
}

void EndOutgoingReset(Context& context, Tcb& tcb, OutgoingReset reset, ReconfigOutcome outcome) {
  const auto result =
      outcome == ReconfigOutcome::kRefused ? SendQueue::ResetResult::kFailed : SendQueue::ResetResult::kPerformed;
  ReconfigWishes& wishes = tcb.reconfig.mine.wishes;
  if (reset.streams.empty()) {
    context.messages.EndResetAll(result);
    if (result == SendQueue::ResetResult::kPerformed) wishes.drained.clear();
  }
  for (const StreamId stream : reset.streams) context.messages.EndReset(stream, result);
  auto& asked = tcb.reconfig.peers.asked;
  if (reset.answers) {
    asked.reset();
    UpdateReconfigAnswer(tcb, {.sn = *reset.answers,
                               .result = result == SendQueue::ResetResult::kPerformed ? ReconfigResult::kPerformed
                                                                                      : ReconfigResult::kDenied});
  } else if (asked) {
    // RFC 6525 §5.2.3: streams of both requests are reset once more, so they stay closed.
    for (const StreamId stream : asked->streams) context.messages.BeginReset(stream);
  }
  KeepAllClosed(context, tcb);
  if (result == SendQueue::ResetResult::kPerformed) {
    context.events.Push(event::OutgoingStreamsReset{std::move(reset.streams)});
  } else {
    context.events.Push(event::OutgoingStreamsResetFailed{std::move(reset.streams)});
  }
}

// Both ends may ask for a reset at once. Each answer is a request, and would wait for the end of the other one.
void ParkIncomingReset(Context& context, Tcb& tcb) {
  ReconfigRequester& mine = tcb.reconfig.mine;
  if (!mine.flight || mine.flight->requests.size() != 1 || !IsAskedResetReady(context, tcb)) return;
  const ReconfigRequest& request = mine.flight->requests.front();
  if (!std::holds_alternative<IncomingReset>(request.wish) || request.in_progress == 0) return;
  mine.parked = std::exchange(mine.flight, std::nullopt);
  context.timers.Disarm(Timer::kReconfig);
}

void EndMoreOutgoing(Context& context, Tcb& tcb, uint16_t streams, ReconfigOutcome outcome) {
  if (outcome == ReconfigOutcome::kPerformed) {
    // RFC 6525 §5.2.7 H6. RequestMoreOutgoing has looked at the limits.
    tcb.agreement.outgoing_streams = static_cast<uint16_t>(tcb.agreement.outgoing_streams + streams);
    context.events.Push(event::StreamsAdded{.incoming_streams = tcb.agreement.incoming_streams,
                                            .outgoing_streams = tcb.agreement.outgoing_streams});
  }
  context.events.Push(event::RequestFinished{ReconfigKind::kMoreOutgoing, outcome});
}

Flow EndAssociationReset(Context& context, Tcb& tcb, ReconfigOutcome outcome, const std::optional<NextTsns>& next) {
  context.messages.EndResetAll(SendQueue::ResetResult::kFailed);
  KeepAllClosed(context, tcb);
  Flow flow = Flow::kContinue;
  if (outcome == ReconfigOutcome::kPerformed) {
    // RFC 6525 §5.1.7 D3, D4: without them neither end knows how to go on.
    if (!next) return AbortForViolation(context, "an SSN/TSN reset was performed and no TSNs were told");
    flow = FinishAssociationReset(context, tcb, *next);
  } else {
    flow = ReleaseHeld(context, tcb, tcb.reconfig.mine.held.Take());
  }
  if (flow == Flow::kContinue) {
    context.events.Push(event::RequestFinished{ReconfigKind::kAssociationReset, outcome});
  }
  return flow;
}

// RFC 6525 §5.2.7 H1: takes the request out of the flight; the timer stops with the last one.
ReconfigRequest TakeOut(Context& context, Tcb& tcb, ReconfigSn sn) {
  auto& flight = tcb.reconfig.mine.flight;
  const auto found = std::ranges::find(flight->requests, sn, &ReconfigRequest::sn);
  ReconfigRequest request = std::move(*found);
  flight->requests.erase(found);
  if (flight->requests.empty()) {
    flight.reset();
    context.timers.Disarm(Timer::kReconfig);
  }
  return request;
}

Flow EndRequest(Context& context, Tcb& tcb, ReconfigSn sn, ReconfigOutcome outcome,
                const std::optional<NextTsns>& next = {}) {
  ReconfigRequest request = TakeOut(context, tcb, sn);
  return std::visit(Overloaded{
                        [&](OutgoingReset& reset) {
                          EndOutgoingReset(context, tcb, std::move(reset), outcome);
                          return Flow::kContinue;
                        },
                        [&](IncomingReset&) {
                          context.events.Push(event::RequestFinished{ReconfigKind::kIncomingReset, outcome});
                          return Flow::kContinue;
                        },
                        [&](AssociationReset&) { return EndAssociationReset(context, tcb, outcome, next); },
                        [&](MoreOutgoing& more) {
                          EndMoreOutgoing(context, tcb, more.streams, outcome);
                          return Flow::kContinue;
                        },
                        [&](MoreIncoming&) {
                          context.events.Push(event::RequestFinished{ReconfigKind::kMoreIncoming, outcome});
                          return Flow::kContinue;
                        },
                    },
                    request.wish);
}

// RFC 6525 §5.2.7 H2: the timer starts again, and its expiry is no error.
void WaitAgain(Context& context, const Tcb& tcb, ReconfigFlight& flight) {
  flight.answered = true;
  flight.due = false;
  flight.timeout = tcb.sender.rto();
  context.timers.Arm(Timer::kReconfig, context.now + flight.timeout);
}

Flow HandleInProgress(Context& context, Tcb& tcb, ReconfigFlight& flight, ReconfigRequest& request) {
  ++request.in_progress;
  // An answer that was lost may not keep a whole window of the peer's data waiting: the peer could not go on either.
  if (tcb.reconfig.held_octets() > tcb.window.size / 2) request.in_progress = flight.sent;
  // The peer acknowledged all that a reset of ours may wait for, was asked again, and says the same again: it repeats
  // an old answer, and always will. Under a new number it has to look again.
  if (request.sent_before_acknowledged && request.in_progress > *request.sent_before_acknowledged) {
    request.starts_over = true;
  }
  WaitAgain(context, tcb, flight);
  if (AwaitsAssociationReset(tcb)) return Flow::kContinue;
  return ReleaseHeld(context, tcb, tcb.reconfig.mine.held.Take());
}

Flow HandleBusy(Context& context, Tcb& tcb, ReconfigFlight& flight, ReconfigRequest& request) {
  const bool may_cross = std::holds_alternative<AssociationReset>(request.wish);
  const Flow flow = HandleInProgress(context, tcb, flight, request);
  // SSN/TSN resets of both ends that crossed were both turned down. One end waits longer, so that they cross no more.
  if (may_cross && flow == Flow::kContinue && tcb.agreement.my_tag < tcb.agreement.peer_tag) {
    context.timers.Arm(Timer::kReconfig, context.now + kCrossedFactor * flight.timeout);
  }
  return flow;
}

// Requests that the peer will answer no better get new numbers; the others stay what they are.
void StartOver(Tcb& tcb, ReconfigFlight& flight) {
  if (std::ranges::none_of(flight.requests, &ReconfigRequest::starts_over)) return;
  ++flight.restarts;
  flight.sent = 0;
  for (ReconfigRequest& request : flight.requests) {
    request.in_progress = 0;
    request.sent_before_acknowledged.reset();
    if (std::exchange(request.starts_over, false)) request.sn = TakeSn(tcb.reconfig.mine);
  }
  WriteFlight(tcb, flight);
}

// Notes which answers can still be excused by TSNs that are under way.
void NoteAcknowledged(const Tcb& tcb, ReconfigFlight& flight) {
  const Tsn first_outstanding = tcb.sender.outstanding().first_tsn().Wrap();
  for (ReconfigRequest& request : flight.requests) {
    const auto* reset = std::get_if<OutgoingReset>(&request.wish);
    if (reset == nullptr || request.sent_before_acknowledged) continue;
    if (first_outstanding.IsNewerThan(reset->last_assigned_tsn)) request.sent_before_acknowledged = flight.sent;
  }
}

template <class Error>
Expected<Tcb*, Error> FindReconfigurable(Context& context) {
  if (!Is<state::Established>(context.state)) return Unexpected(Error::kNotConnected);
  Tcb* tcb = context.tcb();
  if (!tcb->agreement.capabilities.stream_reset) return Unexpected(Error::kNotSupportedByPeer);
  return tcb;
}

}  // namespace

Expected<void, ResetError> RequestStreamReset(Context& context, std::span<const StreamId> streams) {
  const auto tcb = FindReconfigurable<ResetError>(context);
  if (!tcb) return Unexpected(tcb.error());
  for (const StreamId stream : streams) {
    if (stream.value >= (*tcb)->agreement.outgoing_streams) return Unexpected(ResetError::kUnknownStream);
  }
  // RFC 6525 §5.1.2 A4.
  if (streams.empty()) {
    (*tcb)->reconfig.mine.wishes.all_outgoing = true;
    context.messages.BeginResetAll();
  }
  for (const StreamId stream : streams) context.messages.BeginReset(stream);
  MaybeStartRequest(context, **tcb);
  return {};
}

Expected<void, ResetError> RequestPeerReset(Context& context, std::span<const StreamId> streams) {
  const auto tcb = FindReconfigurable<ResetError>(context);
  if (!tcb) return Unexpected(tcb.error());
  if (streams.size() > kMaxStreamsPerRequest) return Unexpected(ResetError::kTooManyStreams);
  for (const StreamId stream : streams) {
    if (stream.value >= (*tcb)->agreement.incoming_streams) return Unexpected(ResetError::kUnknownStream);
  }
  auto& wishes = (*tcb)->reconfig.mine.wishes;
  if (wishes.incoming || (*tcb)->reconfig.mine.parked || FindInFlight<IncomingReset>(**tcb))
    return Unexpected(ResetError::kAlreadyPending);
  wishes.incoming = IncomingReset{{streams.begin(), streams.end()}};
  MaybeStartRequest(context, **tcb);
  return {};
}

Expected<void, ResetError> RequestAssociationReset(Context& context) {
  const auto tcb = FindReconfigurable<ResetError>(context);
  if (!tcb) return Unexpected(tcb.error());
  ReconfigRequester& mine = (*tcb)->reconfig.mine;
  if (mine.wishes.association || FindInFlight<AssociationReset>(**tcb)) {
    return Unexpected(ResetError::kAlreadyPending);
  }
  if (mine.last_association_reset && context.now - *mine.last_association_reset < kAssociationResetInterval) {
    return Unexpected(ResetError::kTooSoon);
  }
  mine.last_association_reset = context.now;
  mine.wishes.association = true;
  context.messages.BeginResetAll();
  MaybeStartRequest(context, **tcb);
  return {};
}

Expected<void, AddStreamsError> RequestMoreOutgoing(Context& context, uint16_t streams) {
  const auto tcb = FindReconfigurable<AddStreamsError>(context);
  if (!tcb) return Unexpected(tcb.error());
  if (PlannedOutgoingStreams(**tcb) + streams > context.options.max_outgoing_streams || streams == 0) {
    return Unexpected(AddStreamsError::kBadNumber);
  }
  (*tcb)->reconfig.mine.wishes.outgoing_streams += streams;
  MaybeStartRequest(context, **tcb);
  return {};
}

Expected<void, AddStreamsError> RequestMoreIncoming(Context& context, uint16_t streams) {
  const auto tcb = FindReconfigurable<AddStreamsError>(context);
  if (!tcb) return Unexpected(tcb.error());
  auto& wishes = (*tcb)->reconfig.mine.wishes;
  if (wishes.incoming_streams > 0 || FindInFlight<MoreIncoming>(**tcb)) {
    return Unexpected(AddStreamsError::kAlreadyPending);
  }
  const uint32_t planned = uint32_t{(*tcb)->agreement.incoming_streams} + streams;
  if (planned > context.options.max_incoming_streams || streams == 0) return Unexpected(AddStreamsError::kBadNumber);
  wishes.incoming_streams = streams;
  MaybeStartRequest(context, **tcb);
  return {};
}

void MaybeStartRequest(Context& context, Tcb& tcb) {
  ReconfigRequester& mine = tcb.reconfig.mine;
  while (const auto stream = context.messages.PopDrained()) mine.wishes.drained.push_back(*stream);
  ParkIncomingReset(context, tcb);
  if (mine.flight || !SendsData(context.state)) return;
  if (mine.parked && !IsAskedResetReady(context, tcb)) {
    mine.flight = std::exchange(mine.parked, std::nullopt);
    mine.flight->due = true;
    return;
  }
  auto wishes = TakeNextWishes(context, tcb);
  if (wishes.empty()) return;
  ReconfigFlight& flight = mine.flight.emplace();
  flight.timeout = tcb.sender.rto();
  for (ReconfigWish& wish : wishes) {
    // RFC 6525 §5.1.2 A3.
    if (auto* reset = std::get_if<OutgoingReset>(&wish)) {
      reset->last_assigned_tsn = Tsn(tcb.sender.next_tsn().value - 1);
    }
    // RFC 6525 §5.1.2 A2, RFC 6525 §5.1.3 B1, RFC 6525 §5.1.4 C1.
    flight.requests.push_back({.sn = TakeSn(mine), .wish = std::move(wish)});
  }
  WriteFlight(tcb, flight);
}

void WriteReconfigRequest(Context& context, Tcb& tcb, PacketBuilder& builder) {
  auto& flight = tcb.reconfig.mine.flight;
  if (!flight || !flight->due || !builder.Add(ReconfigChunk{ParameterRange(flight->octets)})) return;
  flight->due = false;
  ++flight->sent;
  if (AwaitsAssociationReset(tcb)) tcb.sender.ExpectRestart();
  context.timers.Arm(Timer::kReconfig, context.now + flight->timeout);
}

void HandleReconfigTimer(Context& context) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || !tcb->reconfig.mine.flight) return;
  ReconfigFlight& flight = *tcb->reconfig.mine.flight;
  // RFC 6525 §5.1.1: the same chunk again, with the timer doubled.
  flight.due = true;
  flight.timeout = std::min(flight.timeout * 2, context.options.rto_max);
  NoteAcknowledged(*tcb, flight);
  StartOver(*tcb, flight);
  if (!std::exchange(flight.answered, false)) CountError(context, *tcb);
}

Flow HandleReconfigResponse(Context& context, Tcb& tcb, const ReconfigResponse& response) {
  auto& flight = tcb.reconfig.mine.flight;
  ReconfigRequest* request = nullptr;
  if (flight && flight->sent > 0) {
    for (ReconfigRequest& one : flight->requests) {
      if (one.sn == response.response_sn) request = &one;
    }
  }
  if (request == nullptr) {
    context.Drop(DropReason::kUnexpectedReconfig);
    return Flow::kContinue;
  }
  switch (response.result()) {
    case ReconfigResult::kPerformed:
      return EndRequest(context, tcb, request->sn, ReconfigOutcome::kPerformed, response.next_tsns);
    case ReconfigResult::kNothingToDo:
      return EndRequest(context, tcb, request->sn, ReconfigOutcome::kNothingToDo);
    case ReconfigResult::kInProgress:
      return HandleInProgress(context, tcb, *flight, *request);
    case ReconfigResult::kRequestInProgress:
      // RFC 6525 §4.4: an error, and a passing one: the peer is busy. H3 ends this request; another one takes its
      // place.
      if (flight->restarts >= context.options.association_max_retransmits) break;
      request->starts_over = true;
      return HandleBusy(context, tcb, *flight, *request);
    default:
      break;
  }
  return EndRequest(context, tcb, request->sn, ReconfigOutcome::kRefused);
}

void AcknowledgeByReset(Context& context, Tcb& tcb, ReconfigSn response_sn) {
  auto& parked = tcb.reconfig.mine.parked;
  if (parked && parked->requests.front().sn == response_sn) {
    parked.reset();
    context.events.Push(event::RequestFinished{ReconfigKind::kIncomingReset, ReconfigOutcome::kPerformed});
    return;
  }
  const ReconfigRequest* request = FindInFlight<IncomingReset>(tcb);
  if (request != nullptr && request->sn == response_sn && tcb.reconfig.mine.flight->sent > 0) {
    (void)EndRequest(context, tcb, response_sn, ReconfigOutcome::kPerformed);
  }
}

void AcknowledgeByMoreStreams(Context& context, Tcb& tcb, uint16_t streams) {
  const ReconfigRequest* request = FindInFlight<MoreIncoming>(tcb);
  if (request != nullptr && std::get<MoreIncoming>(request->wish).streams == streams &&
      tcb.reconfig.mine.flight->sent > 0) {
    (void)EndRequest(context, tcb, request->sn, ReconfigOutcome::kPerformed);
  }
}

uint32_t PlannedOutgoingStreams(const Tcb& tcb) {
  const ReconfigRequest* request = FindInFlight<MoreOutgoing>(tcb);
  const uint32_t in_flight = request == nullptr ? 0 : std::get<MoreOutgoing>(request->wish).streams;
  return tcb.agreement.outgoing_streams + tcb.reconfig.mine.wishes.outgoing_streams + in_flight;
}

bool AwaitsAssociationReset(const Tcb& tcb) {
  const ReconfigRequest* request = FindInFlight<AssociationReset>(tcb);
  return request != nullptr && tcb.reconfig.mine.flight->sent > request->in_progress;
}

}  // namespace jsp::sctp
