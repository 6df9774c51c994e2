#include "sctp/association/handshake.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "sctp/association/capabilities.h"
#include "sctp/association/heartbeat.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/cookie_ack.h"
#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/init.h"
#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/error_cause/cookie_received_while_shutting_down.h"
#include "sctp/packet/error_cause/invalid_mandatory_parameter.h"
#include "sctp/packet/error_cause/missing_mandatory_parameter.h"
#include "sctp/packet/error_cause/stale_cookie.h"
#include "sctp/packet/error_cause/unresolvable_address.h"
#include "sctp/packet/parameter/cookie_preservative.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/packet/parameter/unrecognized_parameter.h"
namespace jsp::sctp {
namespace {

// RFC 9260 §5.2.6: new cookies that are asked for after the peer called one stale.
constexpr uint32_t kMaxStaleCookies = 3;
// RFC 9260 §5.2.6: "SHOULD add no more than 1 second beyond the measured RTT".
constexpr Duration kCookieReserve = std::chrono::seconds(1);

// RFC 9260 §5.3.1: any value but zero.
VerificationTag RandomTag(Rng& rng) {
  while (true) {
    const auto tag = rng.Random<VerificationTag>();
    if (tag != VerificationTag(0)) return tag;
  }
}

// RFC 9260 §5.2.2: tie tags of an association are random and not zero.
TieTags RandomTieTags(Rng& rng) { return {.local = RandomTag(rng).value, .peer = RandomTag(rng).value}; }

Announcement NewAnnouncement(Context& context) {
  const VerificationTag tag = RandomTag(context.rng);
  const auto tsn = context.rng.Random<Tsn>();
  return Announce(context.options, tag, context.options.initial_tsn.value_or(tsn));
}

// RFC 9260 §16: one INIT or COOKIE ECHO and its retransmissions.
Backoff NewT1(const Options& options) {
  return Backoff(options.rto_initial, options.rto_max, options.max_init_retransmits + 1);
}

// RFC 9260 §6.3.1 C5: of a chunk that T1 did not have to repeat.
template <class S>
std::optional<Duration> RoundTrip(const Context& context, const S& state) {
  const Duration rtt = context.now - state.sent_at;
  if (state.t1.attempts() != 1 || rtt <= Duration::zero()) return std::nullopt;
  return rtt;
}

std::unique_ptr<Tcb> NewTcb(Context& context, const Agreement& agreement) {
  // RFC 9260 §5.1.1: what was queued for streams that the peer does not have can never be sent.
  context.messages.DropStreamsFrom(agreement.outgoing_streams);
  const Tcb::Surroundings around{context.messages, context.metrics, context.pool, context.jar.hash_key()};
  return std::make_unique<Tcb>(context.options, agreement, RandomTieTags(context.rng), around);
}

// What a newer INIT or INIT ACK of the peer says holds, as long as nothing of the peer's was received.
void FollowPeer(Context& context, Tcb& tcb, const Agreement& agreement) {
  tcb.tracker = DataTracker(agreement.peer_initial_tsn);
  tcb.reassembly =
      ReassemblyQueue(ReassemblyLimits(context.options, tcb.agreement, context.jar.hash_key()), context.pool);
  tcb.reconfig.peers = ReconfigState(tcb.agreement).peers;
  tcb.sender.UpdatePeer(agreement.peer_a_rwnd,
                        agreement.capabilities.partial_reliability ? Reliability::kPartial : Reliability::kFull);
}

// A new one, or after a stale cookie the one of the earlier try. Null when what it has sent does not fit the new
// agreement: the peer is not what it was.
std::unique_ptr<Tcb> TakeTcb(Context& context, const Agreement& agreement) {
  auto* wait = std::get_if<state::CookieWait>(&context.state);
  if (wait == nullptr || !wait->retry) return NewTcb(context, agreement);
  std::unique_ptr<Tcb> tcb = std::move(wait->retry->suspended);
  const Agreement& earlier = tcb->agreement;
  if (agreement.framing() != earlier.framing() || agreement.outgoing_streams < earlier.outgoing_streams) {
    return nullptr;
  }
  tcb->agreement = agreement;
  FollowPeer(context, *tcb, agreement);
  return tcb;
}

Flow FailChangedPeer(Context& context) {
  Close(context, event::Aborted{AbortCause::kNoHandshake, "the peer changed between two tries"});
  return Flow::kStop;
}

void BecomeEstablished(Context& context) {
  Tcb& tcb = *context.Enter<state::Established>().tcb;
  context.timers.Disarm(Timer::kT1);
  tcb.error_count = 0;
  StartHeartbeats(context, tcb);
  tcb.sender.AllowBurst();
  const Agreement& agreement = tcb.agreement;
  context.events.Push(event::Connected{.incoming_streams = agreement.incoming_streams,
                                       .outgoing_streams = agreement.outgoing_streams,
                                       .partial_reliability = agreement.capabilities.partial_reliability,
                                       .stream_reset = agreement.capabilities.stream_reset,
                                       .interleaving = agreement.capabilities.interleaving,
                                       .zero_checksum = agreement.capabilities.zero_checksum,
                                       .ecn = agreement.capabilities.ecn});
}

// RFC 9260 §5.1: "an ABORT chunk ... The Verification Tag field ... MUST be set to the Initiate Tag value of the
// received INIT or INIT ACK chunk".
void RefuseInit(Context& context, VerificationTag initiate_tag, std::span<const uint8_t> causes) {
  context.Reply(initiate_tag, AbortChunk{.causes = CauseRange(causes)});
}

// RFC 9260 §3.3.10.5: with the complete parameter, unless it is a long one.
std::vector<uint8_t> UnresolvableCause(std::span<const uint8_t> parameter) {
  if (parameter.size() > kMaxReportedOctets) return {};
  return WriteCause(UnresolvableAddressCause{parameter});
}

// The parameters of an INIT ACK: cookie first, so that it is there whatever else has to be left out.
std::vector<uint8_t> InitAckParameters(const Context& context, std::span<const uint8_t> cookie,
                                       std::span<const uint8_t> unrecognized) {
  std::vector<uint8_t> octets(context.options.max_packet_size);
  ByteWriter writer(octets);
  StateCookieParameter{cookie}.Write(writer);
  writer.WriteBytes(OwnParameters(context.options));
  for (const ParameterView parameter : ParameterRange(unrecognized)) {
    UnrecognizedParameter{parameter.octets}.Write(writer);
  }
  octets.resize(writer.size());
  return octets;
}

// Answers an INIT on behalf of `mine`. Keeps nothing: the cookie has it all.
void SendInitAck(Context& context, const InitChunk& init, const Announcement& mine, const TieTags& ties) {
  const InitParameters parameters = ReadParameters(init.parameters);
  if (parameters.host_name) {
    return RefuseInit(context, init.initiate_tag, UnresolvableCause(*parameters.host_name));
  }
  // RFC 9260 §3.3.2.1.3, within our own bound: a cookie that lives long can be replayed for long.
  const Duration extension = std::min(parameters.cookie_increment, context.options.max_cookie_extension);
  const StateCookie cookie{.created = context.now,
                           .lifetime = context.options.cookie_lifetime + extension,
                           .local_port = context.options.local_port,
                           .remote_port = context.assumed.remote.port,
                           .tie_tags = ties,
                           .agreement = Agree(context.options, mine, AnnouncementOf(init), parameters)};
  const auto octets = InitAckParameters(context, context.jar.Seal(cookie), parameters.unrecognized);
  context.Reply(init.initiate_tag, InitAckChunk{.initiate_tag = mine.tag,
                                                .a_rwnd = mine.a_rwnd,
                                                .outbound_streams = mine.outbound_streams,
                                                .inbound_streams = mine.inbound_streams,
                                                .initial_tsn = mine.initial_tsn,
                                                .parameters = ParameterRange(octets)});
}

// RFC 9260 §5.1.5, and our own limits once more: a cookie is believed only as far as we could have made it today.
bool IsWithinOurLimits(const Context& context, const StateCookie& cookie) {
  const Options& options = context.options;
  const Agreement& agreement = cookie.agreement;
  return cookie.local_port == options.local_port && cookie.remote_port == context.assumed.remote.port &&
         agreement.my_tag != VerificationTag(0) && agreement.peer_tag != VerificationTag(0) &&
         agreement.outgoing_streams > 0 && agreement.outgoing_streams <= options.outgoing_streams &&
         agreement.incoming_streams > 0 && agreement.incoming_streams <= options.max_incoming_streams &&
         agreement.peer_a_rwnd >= kMinInitialWindow;
}

void ReportStaleCookie(Context& context, const StateCookie& cookie, Duration staleness) {
  context.Drop(DropReason::kStaleCookie);
  const auto us = std::min<int64_t>(staleness.count(), std::numeric_limits<uint32_t>::max());
  const auto cause = WriteCause(StaleCookieCause{.staleness_us = static_cast<uint32_t>(us)});
  context.Reply(cookie.agreement.peer_tag, ErrorChunk{.causes = CauseRange(cause)});
}

void ReplaceTcb(Context& context, const Agreement& agreement) {
  if (auto* old = FindTcb(context.state)) context.retired = std::move(*old);
  context.control.Clear();
  context.timers = {};
  auto tcb = NewTcb(context, agreement);
  // What the application has not consumed is still there.
  if (context.retired != nullptr) {
    tcb->window.unconsumed = context.retired->window.unconsumed;
    tcb->window.unpolled = context.retired->window.unpolled;
  }
  context.state = state::Established{std::move(tcb)};
}

// RFC 9260 §5.2.4 A: the peer restarted.
Flow RestartAssociation(Context& context, const StateCookie& cookie) {
  if (auto* shutdown = std::get_if<state::ShutdownAckSent>(&context.state)) {
    shutdown->due = true;
    const auto cause = WriteCause(CookieReceivedWhileShuttingDownCause{});
    context.control.Add(ErrorChunk{.causes = CauseRange(cause)});
    return Flow::kStop;
  }
  // "Any SCTP DATA chunks MAY be retained": they are not, as the peer that asked for them is gone.
  context.messages.Clear();
  ReplaceTcb(context, cookie.agreement);
  Tcb& tcb = *context.tcb();
  tcb.cookie_ack_due = true;
  StartHeartbeats(context, tcb);
  context.events.Push(event::Restarted{});
  return Flow::kContinue;
}

// RFC 9260 §5.2.4 B and D: a collision of INITs, or a cookie that came before.
Flow JoinAssociation(Context& context, const StateCookie& cookie) {
  Tcb& tcb = *context.tcb();
  if (tcb.agreement.peer_tag != cookie.agreement.peer_tag) {
    tcb.agreement.peer_tag = cookie.agreement.peer_tag;
    if (!tcb.has_received_data) {
      // The INIT that this cookie answers is newer than the one we knew: its TSNs and window are what the peer uses.
      const Agreement& agreement = cookie.agreement;
      tcb.agreement.peer_initial_tsn = agreement.peer_initial_tsn;
      tcb.agreement.peer_a_rwnd = agreement.peer_a_rwnd;
      FollowPeer(context, tcb, agreement);
    }
  }
  tcb.cookie_ack_due = true;
  if (Is<state::CookieEchoed>(context.state)) BecomeEstablished(context);
  return Flow::kContinue;
}

Flow OpenAssociation(Context& context, const StateCookie& cookie) {
  auto tcb = TakeTcb(context, cookie.agreement);
  if (tcb == nullptr) return FailChangedPeer(context);
  context.state = state::CookieEchoed{
      .tcb = std::move(tcb), .cookie = {}, .unrecognized = {}, .t1 = NewT1(context.options), .echo_due = false};
  context.tcb()->cookie_ack_due = true;
  // Our INIT ACK made the cookie. An echo that T1 had to repeat cannot be as young as this.
  const Duration age = context.now - cookie.created;
  if (age > Duration::zero() && age < context.options.rto_initial) context.tcb()->sender.MeasureRoundTrip(age);
  BecomeEstablished(context);
  return Flow::kContinue;
}

// RFC 9260 §5.2.4, table 12. What is not in the table is discarded.
Flow ResolveCookie(Context& context, const StateCookie& cookie) {
  const Agreement& agreement = cookie.agreement;
  if (const auto* wait = std::get_if<state::CookieWait>(&context.state)) {
    if (agreement.my_tag == wait->mine.tag) return OpenAssociation(context, cookie);
  } else if (const Tcb* tcb = context.tcb()) {
    if (agreement.my_tag == tcb->agreement.my_tag) return JoinAssociation(context, cookie);
    if (agreement.peer_tag != tcb->agreement.peer_tag && cookie.tie_tags == tcb->tie_tags) {
      return RestartAssociation(context, cookie);
    }
  } else {
    return OpenAssociation(context, cookie);
  }
  context.Drop(DropReason::kBadCookie);
  return Flow::kStop;
}

Flow FailInitAck(Context& context, const InitAckChunk& init_ack, std::span<const uint8_t> causes, std::string detail) {
  context.replies.clear();
  if (init_ack.initiate_tag != VerificationTag(0)) {
    context.Reply(init_ack.initiate_tag, AbortChunk{.causes = CauseRange(causes)});
  }
  Close(context, event::Aborted{AbortCause::kProtocolViolation, std::move(detail)});
  return Flow::kStop;
}

}  // namespace

void StartHandshake(Context& context) {
  context.state = state::CookieWait{.mine = NewAnnouncement(context), .t1 = NewT1(context.options)};
}

void HandleT1(Context& context) {
  const auto resend = [&](Backoff& t1, bool& due, const char* chunk) {
    if (t1.IsExhausted()) {
      Close(context, event::Aborted{AbortCause::kNoHandshake, std::string(chunk) + " was never answered"});
    } else {
      due = true;
    }
  };
  if (auto* wait = std::get_if<state::CookieWait>(&context.state)) resend(wait->t1, wait->init_due, "INIT");
  if (auto* echoed = std::get_if<state::CookieEchoed>(&context.state)) {
    resend(echoed->t1, echoed->echo_due, "COOKIE ECHO");
  }
}

size_t WriteInit(Context& context, state::CookieWait& wait, std::span<uint8_t> out) {
  if (!wait.init_due) return 0;
  wait.init_due = false;
  wait.sent_at = context.now;
  context.timers.Arm(Timer::kT1, context.now + wait.t1.Next());
  auto parameters = OwnParameters(context.options);
  if (wait.retry) {
    const auto increment = std::chrono::ceil<std::chrono::milliseconds>(wait.retry->increment);
    const CookiePreservative preservative{.increment_ms = static_cast<uint32_t>(increment.count())};
    const size_t offset = PaddedSize(parameters.size());
    parameters.resize(offset + preservative.Size());
    ByteWriter writer(std::span<uint8_t>(parameters).subspan(offset));
    preservative.Write(writer);
  }
  // RFC 9260 §8.5.1 A: "The sender MUST set the Verification Tag of the packet to 0."
  PacketBuilder builder(out, context.HeaderTo(VerificationTag(0)));
  builder.Add(InitChunk{.initiate_tag = wait.mine.tag,
                        .a_rwnd = wait.mine.a_rwnd,
                        .outbound_streams = wait.mine.outbound_streams,
                        .inbound_streams = wait.mine.inbound_streams,
                        .initial_tsn = wait.mine.initial_tsn,
                        .parameters = ParameterRange(parameters)});
  return builder.Finish();
}

Flow HandleInit(Context& context, const ChunkView& chunk) {
  const auto init = InitChunk::Parse(chunk);
  if (!init) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kStop;
  }
  if (const auto defect = init->Defect()) {
    context.Drop(DropReason::kBadChunk);
    // RFC 9260 §3.3.2: without a tag there is nobody to answer.
    if (*defect != InitDefect::kZeroInitiateTag) {
      RefuseInit(context, init->initiate_tag, WriteCause(InvalidMandatoryParameterCause{}));
    }
    return Flow::kStop;
  }
  if (Is<state::Dead>(context.state)) {
    context.Drop(DropReason::kClosed);
  } else if (auto* shutdown = std::get_if<state::ShutdownAckSent>(&context.state)) {
    // RFC 9260 §9.2: "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk".
    shutdown->due = true;
  } else if (const auto* wait = std::get_if<state::CookieWait>(&context.state)) {
    // RFC 9260 §5.2.1: the same parameters as in our own INIT.
    SendInitAck(context, *init, wait->mine, {});
  } else if (const auto* echoed = std::get_if<state::CookieEchoed>(&context.state)) {
    const Agreement& agreement = echoed->tcb->agreement;
    SendInitAck(context, *init, Announce(context.options, agreement.my_tag, agreement.my_initial_tsn),
                echoed->tcb->tie_tags);
  } else {
    // RFC 9260 §5.1 B, RFC 9260 §5.2.2: a new tag, and the tie tags of what exists.
    const Tcb* tcb = context.tcb();
    SendInitAck(context, *init, NewAnnouncement(context), tcb == nullptr ? TieTags{} : tcb->tie_tags);
  }
  return Flow::kStop;
}

Flow HandleInitAck(Context& context, const ChunkView& chunk) {
  const auto* wait = std::get_if<state::CookieWait>(&context.state);
  if (wait == nullptr) {
    // RFC 9260 §5.2.3.
    context.Drop(DropReason::kOutOfState);
    return Flow::kStop;
  }
  const auto init_ack = InitAckChunk::Parse(chunk);
  if (!init_ack) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kStop;
  }
  // RFC 9260 §3.3.3.
  if (init_ack->Defect()) {
    return FailInitAck(context, *init_ack, WriteCause(InvalidMandatoryParameterCause{}), "INIT ACK out of range");
  }
  InitParameters parameters = ReadParameters(init_ack->parameters);
  if (parameters.host_name) {
    return FailInitAck(context, *init_ack, UnresolvableCause(*parameters.host_name), "host name in INIT ACK");
  }
  if (!parameters.cookie || parameters.cookie->empty()) {
    const std::array<uint16_t, 1> missing{static_cast<uint16_t>(ParameterType::kStateCookie)};
    return FailInitAck(context, *init_ack,
                       WriteCause(MissingMandatoryParameterCause{std::span<const uint16_t>(missing)}),
                       "INIT ACK without a cookie");
  }
  if (kCommonHeaderSize + PaddedSize(kTlvHeaderSize + parameters.cookie->size()) > context.options.max_packet_size) {
    return FailInitAck(context, *init_ack, {}, "the cookie does not fit a packet");
  }
  const Agreement agreement = Agree(context.options, wait->mine, AnnouncementOf(*init_ack), parameters);
  const auto rtt = RoundTrip(context, *wait);
  context.timers.Disarm(Timer::kT1);
  const uint32_t stale_cookies = wait->retry ? wait->retry->stale_cookies : 0;
  auto tcb = TakeTcb(context, agreement);
  if (tcb == nullptr) return FailChangedPeer(context);
  context.state = state::CookieEchoed{.tcb = std::move(tcb),
                                      .cookie = {parameters.cookie->begin(), parameters.cookie->end()},
                                      .unrecognized = std::move(parameters.unrecognized),
                                      .t1 = NewT1(context.options),
                                      .stale_cookies = stale_cookies};
  if (rtt) context.tcb()->sender.MeasureRoundTrip(*rtt);
  return Flow::kStop;
}

Flow HandleCookieEcho(Context& context, const ChunkView& chunk, VerificationTag packet_tag) {
  if (Is<state::Dead>(context.state)) {
    context.Drop(DropReason::kClosed);
    return Flow::kStop;
  }
  const auto echo = CookieEchoChunk::Parse(chunk);
  const auto cookie = echo ? context.jar.Open(echo->cookie) : Unexpected(CookieError::kWrongSize);
  // RFC 9260 §5.1.5: silently, with all that is bundled.
  if (!cookie || packet_tag != cookie->agreement.my_tag || !IsWithinOurLimits(context, *cookie)) {
    context.Drop(DropReason::kBadCookie);
    return Flow::kStop;
  }
  const Tcb* tcb = context.tcb();
  const bool is_current = tcb != nullptr && tcb->agreement.my_tag == cookie->agreement.my_tag &&
                          tcb->agreement.peer_tag == cookie->agreement.peer_tag;
  const Duration age = context.now - cookie->created;
  if (age > cookie->lifetime && !is_current) {
    ReportStaleCookie(context, *cookie, age - cookie->lifetime);
    return Flow::kStop;
  }
  return ResolveCookie(context, *cookie);
}

Flow HandleCookieAck(Context& context, const ChunkView& chunk) {
  // RFC 9260 §5.2.5: a COOKIE ACK in any other state is discarded.
  if (!Is<state::CookieEchoed>(context.state) || !CookieAckChunk::Parse(chunk)) {
    context.Drop(DropReason::kOutOfState);
    return Flow::kContinue;
  }
  if (const auto rtt = RoundTrip(context, std::get<state::CookieEchoed>(context.state))) {
    context.tcb()->sender.MeasureRoundTrip(*rtt);
  }
  BecomeEstablished(context);
  return Flow::kContinue;
}

Flow HandleStaleCookieError(Context& context) {
  auto* echoed = std::get_if<state::CookieEchoed>(&context.state);
  if (echoed == nullptr) return Flow::kContinue;
  if (echoed->stale_cookies >= kMaxStaleCookies) {
    Close(context, event::Aborted{AbortCause::kNoHandshake, "the peer calls its cookies stale"});
    return Flow::kStop;
  }
  // RFC 9260 §5.2.6, alternative 3.
  const Agreement& agreement = echoed->tcb->agreement;
  state::CookieWait wait{.mine = Announce(context.options, agreement.my_tag, agreement.my_initial_tsn),
                         .t1 = NewT1(context.options)};
  wait.retry.emplace(state::CookieWait::Retry{.suspended = std::move(echoed->tcb),
                                              .increment = context.now - echoed->sent_at + kCookieReserve,
                                              .stale_cookies = echoed->stale_cookies + 1});
  context.timers.Disarm(Timer::kT1);
  context.state = std::move(wait);
  return Flow::kStop;
}

}  // namespace jsp::sctp
