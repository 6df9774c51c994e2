#include "sctp/association/stream_reset.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "sctp/association/data_transfer.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/reconfig.h"
#include "sctp/packet/error_cause/protocol_violation.h"
#include "sctp/packet/parameter/add_incoming_streams.h"
#include "sctp/packet/parameter/add_outgoing_streams.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/parameter/ssn_tsn_reset_request.h"
namespace jsp::sctp {
namespace {

// So that a request fits any packet beside a SACK.
constexpr size_t kMaxStreamsPerRequest = 128;
// What a held chunk costs beyond its payload.
constexpr size_t kHeldOverhead = sizeof(StreamReset::HeldChunk) + 32;

using Answer = StreamReset::Answer;

template <class... Parameters>
std::vector<uint8_t> WriteParameters(const Parameters&... parameters) {
  std::vector<uint8_t> octets((PaddedSize(parameters.Size()) + ... + size_t{0}));
  ByteWriter writer(octets);
  (parameters.Write(writer), ...);
  octets.resize(writer.size());
  return octets;
}

ReconfigSn Next(ReconfigSn sn) { return ReconfigSn(sn.value + 1); }
ReconfigSn Previous(ReconfigSn sn) { return ReconfigSn(sn.value - 1); }

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

bool IsAffected(const StreamReset::Deferred& deferred, StreamId stream) {
  return deferred.streams.empty() || std::ranges::find(deferred.streams, stream) != deferred.streams.end();
}

Flow PerformReset(Context& context, Tcb& tcb, std::vector<StreamId> streams) {
  DeliverMessages(context, tcb);
  tcb.reassembly.ResetStreams(streams);
  context.events.Push(event::IncomingStreamsReset{std::move(streams)});
  return Flow::kContinue;
}

// RFC 6525 §5.2.2.
ReconfigResult HandleOutgoingReset(Context& context, Tcb& tcb, const OutgoingSsnResetRequest& request) {
  std::vector<StreamId> streams(request.streams.begin(), request.streams.end());
  const auto is_unknown = [&](StreamId stream) { return stream.value >= tcb.agreement.incoming_streams; };
  if (std::ranges::any_of(streams, is_unknown)) return ReconfigResult::kWrongSsn;
  const UnwrappedTsn last = tcb.tracker.Unwrap(request.last_assigned_tsn);
  if (last <= tcb.tracker.cumulative()) {
    PerformReset(context, tcb, std::move(streams));
    return ReconfigResult::kPerformed;
  }
  // No sender has more outstanding than a SACK can report, so such a reset could never be performed.
  if (last.DistanceFrom(tcb.tracker.cumulative()) > DataTracker::kMaxDistance) return ReconfigResult::kDenied;
  tcb.stream_reset.deferred.emplace(StreamReset::Deferred{
      .sn = request.request_sn, .last_assigned_tsn = last, .streams = std::move(streams), .held = {}});
  return ReconfigResult::kInProgress;
}

ReconfigResult HandleNewRequest(Context& context, Tcb& tcb, const ParameterView& parameter) {
  // RFC 6525 §5.1.1: one request at a time. A second one has to wait.
  if (tcb.stream_reset.deferred) return ReconfigResult::kRequestInProgress;
  if (const auto reset = OutgoingSsnResetRequest::Parse(parameter)) return HandleOutgoingReset(context, tcb, *reset);
  // RFC 8831 §6.7: channels are closed by resets of the sender's own streams, so nothing else is wanted. RFC 6525
  // §5.2.1: a denial is an answer.
  context.Drop(DropReason::kUnexpectedReconfig);
  return ReconfigResult::kDenied;
}

// One request parameter; `sn` is its sequence number. Appends the answer.
void HandleRequest(Context& context, Tcb& tcb, const ParameterView& parameter, ReconfigSn sn,
                   std::vector<Answer>& answers) {
  StreamReset& reset = tcb.stream_reset;
  if (sn == reset.expected_sn) {
    const ReconfigResult result = HandleNewRequest(context, tcb, parameter);
    answers.push_back({sn, result});
    // A request that has to wait is not consumed.
    if (result != ReconfigResult::kRequestInProgress) reset.expected_sn = Next(sn);
    return;
  }
  // RFC 6525 §5.2.1: a retransmission gets the same answer, or what became of it meanwhile.
  const auto known = std::ranges::find(reset.answers, sn, &Answer::sn);
  if (known != reset.answers.end()) {
    answers.push_back(*known);
    return;
  }
  context.Drop(DropReason::kUnexpectedReconfig);
  answers.push_back({sn, ReconfigResult::kBadSequenceNumber});
}

// RFC 6525 §5.2.1: "If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk."
void SendAnswers(Context& context, const std::vector<Answer>& answers) {
  std::vector<uint8_t> octets;
  for (const Answer& answer : answers) {
    const auto one = WriteParameters(ReconfigResponse{
        .response_sn = answer.sn, .result_code = static_cast<uint32_t>(answer.result), .next_tsns = {}});
    octets.insert(octets.end(), one.begin(), one.end());
  }
  context.control.Add(ReconfigChunk{ParameterRange(octets)});
}

void EndRequest(Context& context, Tcb& tcb, SendQueue::ResetResult result) {
  std::vector<StreamId> streams = std::move(tcb.stream_reset.request->streams);
  tcb.stream_reset.request.reset();
  context.timers.Disarm(Timer::kReconfig);
  for (const StreamId stream : streams) context.messages.EndReset(stream, result);
  if (result == SendQueue::ResetResult::kPerformed) {
    context.events.Push(event::OutgoingStreamsReset{std::move(streams)});
  } else {
    context.events.Push(event::OutgoingStreamsResetFailed{std::move(streams)});
  }
}

// RFC 6525 §5.2.7.
void HandleResponse(Context& context, Tcb& tcb, const ReconfigResponse& response) {
  auto& request = tcb.stream_reset.request;
  if (!request || request->sn != response.response_sn) {
    context.Drop(DropReason::kUnexpectedReconfig);
    return;
  }
  switch (response.result()) {
    case ReconfigResult::kNothingToDo:
    case ReconfigResult::kPerformed:
      return EndRequest(context, tcb, SendQueue::ResetResult::kPerformed);
    case ReconfigResult::kInProgress:
    case ReconfigResult::kRequestInProgress:
      // H2: the timer starts again, and its expiry is no error.
      request->in_progress = true;
      request->due = false;
      request->timeout = tcb.sender.rto();
      context.timers.Arm(Timer::kReconfig, context.now + request->timeout);
      return;
    default:
      return EndRequest(context, tcb, SendQueue::ResetResult::kFailed);
  }
}

}  // namespace

Expected<void, ResetError> RequestStreamReset(Context& context, std::span<const StreamId> streams) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || !Is<state::Established>(context.state)) return Unexpected(ResetError::kNotConnected);
  if (!tcb->agreement.capabilities.stream_reset) return Unexpected(ResetError::kNotSupportedByPeer);
  for (const StreamId stream : streams) {
    if (stream.value >= tcb->agreement.outgoing_streams) return Unexpected(ResetError::kUnknownStream);
  }
  for (const StreamId stream : streams) context.messages.BeginReset(stream);
  MaybeStartReset(context, *tcb);
  return {};
}

void MaybeStartReset(Context& context, Tcb& tcb) {
  StreamReset& reset = tcb.stream_reset;
  while (const auto stream = context.messages.PopDrained()) reset.drained.push_back(*stream);
  if (reset.request || reset.drained.empty() || !SendsData(context.state)) return;
  const size_t count = std::min(reset.drained.size(), kMaxStreamsPerRequest);
  const auto first = reset.drained.end() - static_cast<std::ptrdiff_t>(count);
  reset.request.emplace(StreamReset::Request{.sn = reset.next_sn,
                                             // RFC 6525 §5.1.2 A3.
                                             .last_assigned_tsn = Tsn(tcb.sender.next_tsn().value - 1),
                                             .streams = {first, reset.drained.end()},
                                             .timeout = tcb.sender.rto()});
  reset.drained.erase(first, reset.drained.end());
  // RFC 6525 §5.1.2 A2.
  reset.next_sn = Next(reset.next_sn);
}

void WriteResetRequest(Context& context, Tcb& tcb, PacketBuilder& builder) {
  auto& request = tcb.stream_reset.request;
  if (!request || !request->due) return;
  const auto octets = WriteParameters(OutgoingSsnResetRequest{.request_sn = request->sn,
                                                              .response_sn = Previous(tcb.stream_reset.expected_sn),
                                                              .last_assigned_tsn = request->last_assigned_tsn,
                                                              .streams = std::span<const StreamId>(request->streams)});
  if (!builder.Add(ReconfigChunk{ParameterRange(octets)})) return;
  request->due = false;
  context.timers.Arm(Timer::kReconfig, context.now + request->timeout);
}

void HandleReconfigTimer(Context& context) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || !tcb->stream_reset.request) return;
  StreamReset::Request& request = *tcb->stream_reset.request;
  // RFC 6525 §5.1.1: the same chunk again, with the timer doubled.
  request.due = true;
  request.timeout = std::min(request.timeout * 2, context.options.rto_max);
  if (!std::exchange(request.in_progress, false)) CountError(context, *tcb);
}

Flow HandleReconfig(Context& context, Tcb& tcb, const ChunkView& chunk) {
  if (!AcceptsData(context.state) && !SendsData(context.state)) {
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  const auto reconfig = ReconfigChunk::Parse(chunk);
  if (!reconfig) {
    context.Drop(DropReason::kBadChunk);
    if (reconfig.error().code == ParseErrc::kBadValue) {
      // RFC 6525 §3.1.
      const auto cause = WriteCause(ProtocolViolationCause{});
      context.control.Add(ErrorChunk{.causes = CauseRange(cause)});
    }
    return Flow::kContinue;
  }
  std::vector<Answer> answers;
  for (const ParameterView parameter : reconfig->parameters) {
    if (const auto response = ReconfigResponse::Parse(parameter)) {
      HandleResponse(context, tcb, *response);
    } else if (const auto sn = RequestSnOf<OutgoingSsnResetRequest, IncomingSsnResetRequest, SsnTsnResetRequest,
                                           AddOutgoingStreams, AddIncomingStreams>(parameter)) {
      HandleRequest(context, tcb, parameter, *sn, answers);
    } else {
      context.Drop(DropReason::kBadChunk);
    }
  }
  if (answers.empty()) return Flow::kContinue;
  SendAnswers(context, answers);
  // RFC 6525 §5.2.1: a SACK helps the peer to retransmit what the reset waits for.
  tcb.tracker.RequestSack();
  const bool is_new = answers.back().sn == Previous(tcb.stream_reset.expected_sn);
  if (is_new) tcb.stream_reset.answers = std::move(answers);
  return Flow::kContinue;
}

bool HoldForReset(Tcb& tcb, UnwrappedTsn tsn, const DataChunk& data) {
  auto& deferred = tcb.stream_reset.deferred;
  if (!deferred || tsn <= deferred->last_assigned_tsn || !IsAffected(*deferred, data.stream)) return false;
  auto& held = deferred->held.emplace_back(
      StreamReset::HeldChunk{tsn, data, std::vector<uint8_t>(data.payload.begin(), data.payload.end())});
  held.chunk.payload = held.payload;
  deferred->held_octets += data.payload.size() + kHeldOverhead;
  return true;
}

void DropHeldForReset(Tcb& tcb, UnwrappedTsn new_cumulative) {
  auto& deferred = tcb.stream_reset.deferred;
  if (!deferred) return;
  std::erase_if(deferred->held, [&](const StreamReset::HeldChunk& held) {
    if (held.tsn > new_cumulative) return false;
    deferred->held_octets -= held.payload.size() + kHeldOverhead;
    return true;
  });
}

Flow MaybePerformDeferredReset(Context& context, Tcb& tcb) {
  StreamReset& reset = tcb.stream_reset;
  if (!reset.deferred || reset.deferred->last_assigned_tsn > tcb.tracker.cumulative()) return Flow::kContinue;
  StreamReset::Deferred deferred = std::move(*reset.deferred);
  reset.deferred.reset();
  PerformReset(context, tcb, std::move(deferred.streams));
  // RFC 6525 §5.2.2 E4.
  for (const StreamReset::HeldChunk& held : deferred.held) {
    if (Reassemble(context, tcb, held.tsn, held.chunk) == Flow::kStop) return Flow::kStop;
  }
  DeliverMessages(context, tcb);
  // RFC 6525 §5.2.2 E5.
  const Answer answer{deferred.sn, ReconfigResult::kPerformed};
  std::ranges::replace_if(
      reset.answers, [&](const Answer& given) { return given.sn == answer.sn; }, answer);
  SendAnswers(context, {answer});
  return Flow::kContinue;
}

}  // namespace jsp::sctp
