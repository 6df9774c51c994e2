#include "sctp/association/reconfig_responder.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "sctp/association/association_reset.h"
#include "sctp/association/data_transfer.h"
#include "sctp/association/deferred_reset.h"
#include "sctp/association/reconfig_requester.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/reconfig.h"
#include "sctp/packet/error_cause/protocol_violation.h"
#include "sctp/packet/parameter/add_incoming_streams.h"
#include "sctp/packet/parameter/add_outgoing_streams.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/ssn_tsn_reset_request.h"
namespace jsp::sctp {
namespace {

using Answer = ReconfigResponder::Answer;

// The sequence number of any request; nullopt for a response and for what is not well formed.
template <class... Requests>
std::optional<ReconfigSn> RequestSnOf(const ParameterView& parameter) {
  std::optional<ReconfigSn> sn;
  const auto read = [&]<class Request>(std::type_identity<Request>) {
    if (const auto request = Request::Parse(parameter)) sn = request->request_sn;
  };
  (read(std::type_identity<Requests>{}), ...);
  return sn;
}

std::vector<StreamId> ToVector(const WireList<StreamId>& streams) { return {streams.begin(), streams.end()}; }

bool HasUnknown(const std::vector<StreamId>& streams, uint16_t count) {
  return std::ranges::any_of(streams, [&](StreamId stream) { return stream.value >= count; });
}

// RFC 6525 §5.2.2.
ReconfigResult HandleOutgoingReset(Context& context, Tcb& tcb, const OutgoingSsnResetRequest& request) {
  ReconfigResponder& peers = tcb.reconfig.peers;
  std::vector<StreamId> streams = ToVector(request.streams);
  if (HasUnknown(streams, tcb.agreement.incoming_streams)) return ReconfigResult::kWrongSsn;
  const UnwrappedTsn last = tcb.tracker.Unwrap(request.last_assigned_tsn);
  if (auto& deferred = peers.deferred) {
    // Some ends ask again under a new number, instead of with the old one, after "In progress".
    const bool is_same = deferred->last_assigned_tsn == last && deferred->streams == streams;
    if (!is_same) return ReconfigResult::kRequestInProgress;
    deferred->sn = request.request_sn;
    return ReconfigResult::kInProgress;
  }
  // They may do so also when the answer has just left. No TSN was assigned meanwhile, so nothing is to be reset again,
  // and a second event would be taken for the next use of the streams.
  const auto performed = std::exchange(peers.performed, std::nullopt);
  if (performed && performed->last_assigned_tsn == request.last_assigned_tsn && performed->streams == streams) {
    return ReconfigResult::kPerformed;
  }
  if (last <= tcb.tracker.cumulative()) {
    PerformIncomingReset(context, tcb, std::move(streams));
    return ReconfigResult::kPerformed;
  }
  // No sender has more outstanding than a SACK can report, so such a reset could never be performed.
  if (last.DistanceFrom(tcb.tracker.cumulative()) > DataTracker::kMaxDistance) return ReconfigResult::kDenied;
  peers.deferred.emplace(ReconfigResponder::Deferred{
      .sn = request.request_sn, .last_assigned_tsn = last, .streams = std::move(streams), .held = {}});
  return ReconfigResult::kInProgress;
}

// RFC 6525 §5.2.3: our request in flight resets all that the peer wants reset.
bool IsCoveredByFlight(const Tcb& tcb, const std::vector<StreamId>& streams) {
  const auto& flight = tcb.reconfig.mine.flight;
  if (!flight) return false;
  return std::ranges::any_of(flight->requests, [&](const ReconfigRequest& request) {
    const auto* reset = std::get_if<OutgoingReset>(&request.wish);
    if (reset == nullptr) return false;
    if (reset->streams.empty() || streams.empty()) return reset->streams.empty();
    return std::ranges::all_of(streams, [&](StreamId stream) { return Lists(reset->streams, stream); });
  });
}

// RFC 6525 §5.2.3. The answer is a request of ours, at once or later.
Answer HandleIncomingReset(Context& context, Tcb& tcb, const IncomingSsnResetRequest& request) {
  const ReconfigSn sn = request.request_sn;
  ReconfigResponder& peers = tcb.reconfig.peers;
  std::vector<StreamId> streams = ToVector(request.streams);
  if (HasUnknown(streams, tcb.agreement.outgoing_streams)) return {sn, ReconfigResult::kWrongSsn};
  // Our request has to list the same streams (RFC 6525 §5.1.2 A4), in a packet of ours.
  if (streams.size() > kMaxStreamsPerRequest) return {sn, ReconfigResult::kDenied};
  if (peers.asked) return {sn, ReconfigResult::kRequestInProgress};
  if (IsCoveredByFlight(tcb, streams)) return {sn, ReconfigResult::kNothingToDo};
  const auto is_fresh = [&](StreamId stream) { return context.messages.IsFresh(stream); };
  const bool nothing_to_do = streams.empty() ? context.messages.AreAllFresh() : std::ranges::all_of(streams, is_fresh);
  if (nothing_to_do) return {sn, ReconfigResult::kNothingToDo};
  for (const StreamId stream : streams) context.messages.BeginReset(stream);
  if (streams.empty()) context.messages.BeginResetAll();
  context.events.Push(event::OutgoingResetRequested{streams});
  peers.asked = ReconfigResponder::Asked{.sn = sn, .streams = std::move(streams)};
  MaybeStartRequest(context, tcb);
  return {.sn = sn, .result = ReconfigResult::kInProgress, .by_request = peers.asked->in_flight};
}

// RFC 6525 §5.2.5.
ReconfigResult HandleMoreFromPeer(Context& context, Tcb& tcb, const AddOutgoingStreams& request) {
  Agreement& agreement = tcb.agreement;
  const uint32_t total = uint32_t{agreement.incoming_streams} + request.new_streams;
  if (request.new_streams == 0) return ReconfigResult::kNothingToDo;
  if (total > context.options.max_incoming_streams) return ReconfigResult::kDenied;
  agreement.incoming_streams = static_cast<uint16_t>(total);
  tcb.reassembly.SetIncomingStreams(total);
  AcknowledgeByMoreStreams(context, tcb, request.new_streams);
  context.events.Push(event::StreamsAdded{.incoming_streams = agreement.incoming_streams,
                                          .outgoing_streams = agreement.outgoing_streams});
  return ReconfigResult::kPerformed;
}

// RFC 6525 §5.2.6: a request of ours follows. The response only ends the peer's, whose timer would run otherwise: no
// field of ours names it.
ReconfigResult HandleMoreForPeer(Context& context, Tcb& tcb, const AddIncomingStreams& request) {
  if (request.new_streams == 0) return ReconfigResult::kNothingToDo;
  if (PlannedOutgoingStreams(tcb) + request.new_streams > context.options.max_outgoing_streams) {
    return ReconfigResult::kDenied;
  }
  tcb.reconfig.mine.wishes.outgoing_streams += request.new_streams;
  return ReconfigResult::kPerformed;
}

Answer HandleNewRequest(Context& context, Tcb& tcb, const ParameterView& parameter, ReconfigSn sn) {
  if (const auto reset = OutgoingSsnResetRequest::Parse(parameter)) {
    return {sn, HandleOutgoingReset(context, tcb, *reset)};
  }
  if (const auto reset = IncomingSsnResetRequest::Parse(parameter)) return HandleIncomingReset(context, tcb, *reset);
  // RFC 6525 §5.1.1, §3.1: what waits for TSNs is still in flight, and nothing else is sent together with it.
  if (tcb.reconfig.peers.deferred) return {sn, ReconfigResult::kRequestInProgress};
  if (const auto more = AddOutgoingStreams::Parse(parameter)) return {sn, HandleMoreFromPeer(context, tcb, *more)};
  if (const auto more = AddIncomingStreams::Parse(parameter)) return {sn, HandleMoreForPeer(context, tcb, *more)};
  return HandleAssociationResetRequest(context, tcb, sn);
}

// RFC 6525 §5.2.1: a retransmission gets the same answer, or what became of it meanwhile.
Answer RepeatAnswer(Context& context, Tcb& tcb, const ParameterView& parameter, Answer& known) {
  auto& flight = tcb.reconfig.mine.flight;
  if (known.by_request && flight) flight->due = true;
  const bool may_be_done_now =
      known.result == ReconfigResult::kInProgress && parameter.type == ParameterType::kSsnTsnResetRequest;
  if (may_be_done_now) known = HandleAssociationResetRequest(context, tcb, known.sn);
  return known;
}

// The requests of one chunk, in their order.
struct Exchange {
  std::vector<Answer> answers;
  bool is_new = false;
};

// One request parameter; `sn` is its sequence number.
void HandleRequest(Context& context, Tcb& tcb, const ParameterView& parameter, ReconfigSn sn, Exchange& exchange) {
  ReconfigResponder& peers = tcb.reconfig.peers;
  // RFC 6525 §5.2.2 E1.
  if (const auto reset = OutgoingSsnResetRequest::Parse(parameter)) {
    AcknowledgeByReset(context, tcb, reset->response_sn);
  }
  if (sn == peers.expected_sn) {
    // An error consumes the number as well: the peer goes on with the next one (RFC 6525 §4.1, §5.2.7 H3).
    peers.expected_sn = Next(sn);
    if (!std::exchange(exchange.is_new, true)) peers.answers.clear();
    const Answer answer = HandleNewRequest(context, tcb, parameter, sn);
    if (context.tcb() == nullptr) return;
    peers.answers.push_back(answer);
    exchange.answers.push_back(answer);
    return;
  }
  const auto known = std::ranges::find(peers.answers, sn, &Answer::sn);
  if (known != peers.answers.end()) {
    exchange.answers.push_back(RepeatAnswer(context, tcb, parameter, *known));
    return;
  }
  // The peer's request for a reset may be older than its last one: it waits for ours.
  if (peers.asked && peers.asked->sn == sn) {
    Answer waiting{.sn = sn, .result = ReconfigResult::kInProgress, .by_request = peers.asked->in_flight};
    exchange.answers.push_back(RepeatAnswer(context, tcb, parameter, waiting));
    return;
  }
  context.Drop(DropReason::kUnexpectedReconfig);
  exchange.answers.push_back({sn, ReconfigResult::kBadSequenceNumber});
}

std::vector<uint8_t> WriteAnswers(std::span<const Answer> answers) {
  std::vector<uint8_t> octets;
  for (const Answer& answer : answers) {
    const auto one = WriteParameters(ReconfigResponse{
        .response_sn = answer.sn, .result_code = static_cast<uint32_t>(answer.result), .next_tsns = answer.next_tsns});
    octets.insert(octets.end(), one.begin(), one.end());
  }
  return octets;
}

// RFC 6525 §5.2.1: "If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk", also when
// one of them is a request of ours (RFC 6525 §3.1, item 9).
void ReturnAnswers(Context& context, Tcb& tcb, std::vector<Answer> answers) {
  const size_t all = answers.size();
  std::erase_if(answers, &Answer::by_request);
  if (answers.empty()) return;
  auto& flight = tcb.reconfig.mine.flight;
  if (answers.size() == all || !flight || flight->sent > 0) return SendReconfigAnswers(context, answers);
  const auto octets = WriteAnswers(answers);
  flight->octets.insert(flight->octets.begin(), octets.begin(), octets.end());
}

Flow HandleParameters(Context& context, Tcb& tcb, const ReconfigChunk& reconfig) {
  Exchange exchange;
  for (const ParameterView parameter : reconfig.parameters) {
    if (const auto response = ReconfigResponse::Parse(parameter)) {
      if (HandleReconfigResponse(context, tcb, *response) == Flow::kStop) return Flow::kStop;
    } else if (const auto sn = RequestSnOf<OutgoingSsnResetRequest, IncomingSsnResetRequest, SsnTsnResetRequest,
                                           AddOutgoingStreams, AddIncomingStreams>(parameter)) {
      HandleRequest(context, tcb, parameter, *sn, exchange);
      if (context.tcb() == nullptr) return Flow::kStop;
    } else {
      context.Drop(DropReason::kBadChunk);
    }
  }
  if (exchange.answers.empty()) return Flow::kContinue;
  ReturnAnswers(context, tcb, std::move(exchange.answers));
  // RFC 6525 §5.2.1: a SACK helps the peer to retransmit what the reset waits for.
  tcb.tracker.RequestSack();
  return Flow::kContinue;
}

}  // namespace

Flow HandleReconfig(Context& context, Tcb& tcb, const ChunkView& chunk) {
  if (!AcceptsData(context.state) && !SendsData(context.state)) {
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  const auto reconfig = ReconfigChunk::Parse(chunk);
  if (reconfig) return HandleParameters(context, tcb, *reconfig);
  context.Drop(DropReason::kBadChunk);
  if (reconfig.error().code == ParseErrc::kBadValue) {
    // RFC 6525 §3.1.
    const auto cause = WriteCause(ProtocolViolationCause{});
    context.control.Add(ErrorChunk{.causes = CauseRange(cause)});
  }
  return Flow::kContinue;
}

void SendReconfigAnswers(Context& context, std::span<const ReconfigResponder::Answer> answers) {
  const auto octets = WriteAnswers(answers);
  context.control.Add(ReconfigChunk{ParameterRange(octets)});
}

void UpdateReconfigAnswer(Tcb& tcb, const ReconfigResponder::Answer& answer) {
  std::ranges::replace_if(
      tcb.reconfig.peers.answers, [&](const Answer& given) { return given.sn == answer.sn; }, answer);
}

}  // namespace jsp::sctp
