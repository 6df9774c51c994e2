#include "sctp/association/chunk_dispatch.h"

#include <algorithm>
#include <optional>
#include <string>

#include "sctp/association/data_transfer.h"
#include "sctp/association/ecn.h"
#include "sctp/association/handshake.h"
#include "sctp/association/heartbeat.h"
#include "sctp/association/reconfig_responder.h"
#include "sctp/association/shutdown.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/shutdown_complete.h"
#include "sctp/packet/error_cause/unrecognized_chunk_type.h"
#include "sctp/packet/sctp_packet.h"
namespace jsp::sctp {
namespace {

DropReason ReasonOf(const ParseError& error) {
  switch (error.code) {
    case ParseErrc::kTruncated:
      return DropReason::kTooShort;
    case ParseErrc::kBadChecksum:
      return DropReason::kBadChecksum;
    default:
      return DropReason::kBadChunk;
  }
}

// Our own tag in the states that have one.
std::optional<VerificationTag> MyTag(Context& context) {
  if (const auto* wait = std::get_if<state::CookieWait>(&context.state)) return wait->mine.tag;
  if (const Tcb* tcb = context.tcb()) return tcb->agreement.my_tag;
  return std::nullopt;
}

// RFC 9260 §8.5.1 B and C: our tag with the T bit clear, or the peer's tag with the T bit set.
bool IsTagRight(Context& context, VerificationTag tag, TagMode mode) {
  if (mode == TagMode::kExpected) return tag == MyTag(context);
  const Tcb* tcb = context.tcb();
  return tcb != nullptr && tag == tcb->agreement.peer_tag;
}

bool Has(const PacketView& packet, ChunkType type) {
  for (const ChunkView chunk : packet.chunks) {
    if (chunk.type == type) return true;
  }
  return false;
}

bool HasStaleCookie(const ChunkView& chunk) {
  const auto error = ErrorChunk::Parse(chunk);
  if (!error) return false;
  for (const CauseView cause : error->causes) {
    if (cause.type == CauseCode::kStaleCookie) return true;
  }
  return false;
}

// RFC 9260 §8.4. The first chunk is no INIT and no COOKIE ECHO.
void HandleOutOfTheBlue(Context& context, const PacketView& packet) {
  context.Drop(DropReason::kOutOfBlue);
  if (Has(packet, ChunkType::kAbort)) return;
  const VerificationTag tag = packet.header.verification_tag;
  if (Has(packet, ChunkType::kShutdownAck)) {
    return context.Reply(tag, ShutdownCompleteChunk{.tag = TagMode::kReflected});
  }
  if (Has(packet, ChunkType::kShutdownComplete) || Has(packet, ChunkType::kCookieAck)) return;
  for (const ChunkView chunk : packet.chunks) {
    if (chunk.type == ChunkType::kError && HasStaleCookie(chunk)) return;
  }
  const auto* dead = std::get_if<state::Dead>(&context.state);
  if (dead != nullptr && dead->was_graceful) return;
  context.Reply(tag, AbortChunk{.tag = TagMode::kReflected, .causes = {}});
}

// What the peer gives as its reason, for people: bounded, and nothing that a terminal would obey. Only these two causes
// carry text (RFC 9260 §3.3.10.12, §3.3.10.13).
std::string Explain(const CauseView& cause) {
  constexpr size_t kMaxText = 200;
  std::string detail = ToString(cause.type);
  if (cause.type != CauseCode::kUserInitiatedAbort && cause.type != CauseCode::kProtocolViolation) return detail;
  const auto text = cause.value.first(std::min(cause.value.size(), kMaxText));
  if (!text.empty()) detail += ": ";
  for (const uint8_t octet : text) detail += octet >= 0x20 && octet < 0x7f ? static_cast<char>(octet) : '.';
  return detail;
}

Flow HandleAbort(Context& context, const ChunkView& chunk) {
  const auto abort = AbortChunk::Parse(chunk);
  if (!abort) {
    // RFC 9260 §3.3.7: with a format error it is discarded.
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  std::string detail = "no cause given";
  for (const CauseView cause : abort->causes) {
    detail = Explain(cause);
    break;
  }
  Close(context, event::Aborted{AbortCause::kPeerAborted, std::move(detail)});
  return Flow::kStop;
}

// RFC 9260 §3.2 table 2, by the two highest bits of the type.
Flow HandleUnknown(Context& context, const ChunkView& chunk) {
  context.Drop(DropReason::kUnknownChunk);
  const UnknownAction action = UnknownActionOf(chunk.type);
  if (action.report) {
    const auto cause = WriteCause(UnrecognizedChunkTypeCause{chunk.octets});
    context.control.Add(ErrorChunk{.causes = CauseRange(cause)});
  }
  return action.stop ? Flow::kStop : Flow::kContinue;
}

Flow HandleError(Context& context, const ChunkView& chunk) {
  if (!ErrorChunk::Parse(chunk)) context.Drop(DropReason::kBadChunk);
  return HasStaleCookie(chunk) ? HandleStaleCookieError(context) : Flow::kContinue;
}

// Chunks of an association that is established, or nearly.
Flow HandleChunkWithTcb(Context& context, Tcb& tcb, const ChunkView& chunk) {
  switch (chunk.type) {
    case ChunkType::kData:
      return HandleData(context, tcb, chunk);
    case ChunkType::kIData:
      // An end that does not offer interleaving does not know the chunk.
      if (!context.options.interleaving) return HandleUnknown(context, chunk);
      return HandleIData(context, tcb, chunk);
    case ChunkType::kSack:
      return HandleSack(context, tcb, chunk);
    case ChunkType::kHeartbeat:
      return HandleHeartbeat(context, chunk);
    case ChunkType::kHeartbeatAck:
      return HandleHeartbeatAck(context, tcb, chunk);
    case ChunkType::kShutdown:
      return HandleShutdown(context, tcb, chunk);
    case ChunkType::kShutdownAck:
      return HandleShutdownAck(context, tcb, chunk);
    case ChunkType::kForwardTsn:
      // RFC 3758 §3.3.1: without the handshake's consent it is a chunk that we do not know.
      if (!tcb.agreement.capabilities.partial_reliability) return HandleUnknown(context, chunk);
      return HandleForwardTsn(context, tcb, chunk);
    case ChunkType::kIForwardTsn:
      if (!tcb.agreement.capabilities.partial_reliability) return HandleUnknown(context, chunk);
      return HandleIForwardTsn(context, tcb, chunk);
    case ChunkType::kReconfig:
      if (!tcb.agreement.capabilities.stream_reset) return HandleUnknown(context, chunk);
      return HandleReconfig(context, tcb, chunk);
    case ChunkType::kEcne:
      if (!tcb.agreement.capabilities.ecn) return HandleUnknown(context, chunk);
      return HandleEcne(context, tcb, chunk);
    case ChunkType::kCwr:
      if (!tcb.agreement.capabilities.ecn) return HandleUnknown(context, chunk);
      return HandleCwr(context, tcb, chunk);
    case ChunkType::kPad:
      // RFC 4820 §3: discarded, also the peer's probes of a path MTU.
      return Flow::kContinue;
    default:
      return HandleUnknown(context, chunk);
  }
}

Flow HandleChunk(Context& context, const ChunkView& chunk) {
  switch (chunk.type) {
    // RFC 9260 §3: these come alone or first, and DispatchPacket took them there.
    case ChunkType::kInit:
    case ChunkType::kInitAck:
    case ChunkType::kCookieEcho:
    case ChunkType::kShutdownComplete:
      context.Drop(DropReason::kOutOfState);
      return Flow::kStop;
    case ChunkType::kAbort:
      return HandleAbort(context, chunk);
    case ChunkType::kCookieAck:
      return HandleCookieAck(context, chunk);
    case ChunkType::kError:
      return HandleError(context, chunk);
    default:
      break;
  }
  if (Tcb* tcb = context.tcb()) return HandleChunkWithTcb(context, *tcb, chunk);
  context.Drop(DropReason::kOutOfState);
  return Flow::kContinue;
}

void HandleChunks(Context& context, const PacketView& packet, ChunkRange::Iterator chunk, EcnMark mark) {
  if (Tcb* marked = context.tcb(); marked != nullptr && mark == EcnMark::kCe) HandleMark(context, *marked, packet);
  Carried carried = Carried::kNoData;
  for (; chunk != packet.chunks.end(); ++chunk) {
    const ChunkView view = *chunk;
    if (view.type == ChunkType::kData || view.type == ChunkType::kIData) carried = Carried::kData;
    if (HandleChunk(context, view) == Flow::kStop) break;
  }
  Tcb* tcb = context.tcb();
  if (tcb == nullptr) return;
  HandlePacketWhileShuttingDown(context, carried);
  tcb->sender.AllowBurst();
  FinishPacket(context, *tcb);
}

// Packets whose first chunk has its own rule for the verification tag (RFC 9260 §8.5.1). False: it is an ordinary one.
bool HandleSpecialPacket(Context& context, const PacketView& packet, EcnMark mark) {
  auto chunk = packet.chunks.begin();
  const ChunkView first = *chunk;
  ++chunk;
  const bool is_alone = chunk == packet.chunks.end() && packet.octets_after == 0;
  const VerificationTag tag = packet.header.verification_tag;
  switch (first.type) {
    case ChunkType::kInit:
      if (tag == VerificationTag(0) && is_alone) {
        HandleInit(context, first);
      } else {
        context.Drop(DropReason::kBadVerificationTag);
      }
      return true;
    case ChunkType::kInitAck:
      if (tag == MyTag(context) && is_alone) {
        HandleInitAck(context, first);
      } else {
        context.Drop(DropReason::kBadVerificationTag);
      }
      return true;
    case ChunkType::kCookieEcho:
      if (HandleCookieEcho(context, first, tag) == Flow::kContinue) HandleChunks(context, packet, chunk, mark);
      return true;
    case ChunkType::kAbort:
      if (IsTagRight(context, tag, TagModeOf(first.flags))) {
        HandleAbort(context, first);
      } else {
        context.Drop(DropReason::kBadVerificationTag);
      }
      return true;
    case ChunkType::kShutdownComplete:
      if (IsTagRight(context, tag, TagModeOf(first.flags))) {
        HandleShutdownComplete(context, first);
      } else {
        context.Drop(DropReason::kBadVerificationTag);
      }
      return true;
    case ChunkType::kShutdownAck:
      // RFC 9260 §8.5.1 E: before the association exists, it belongs to an older one.
      if (!Is<state::CookieWait>(context.state) && !Is<state::CookieEchoed>(context.state)) return false;
      HandleOutOfTheBlue(context, packet);
      return true;
    default:
      return false;
  }
}

}  // namespace

void DispatchPacket(Context& context, std::span<const uint8_t> octets, EcnMark mark) {
  ++context.metrics.packets_received;
  // RFC 9653 §5.3: zero is taken by an end that has said so, in its INIT or INIT ACK; before that nothing was said.
  const bool takes_zero = context.options.zero_checksum && !Is<state::Closed>(context.state);
  const auto packet =
      PacketView::Parse(octets, takes_zero ? ChecksumPolicy::kAcceptZero : ChecksumPolicy::kRequireCrc32c);
  if (!packet) return context.Drop(ReasonOf(packet.error()));
  const CommonHeader& header = packet->header;
  if (header.source_port != context.assumed.remote.port || header.destination_port != context.options.local_port ||
      header.source_port == 0) {
    return context.Drop(DropReason::kBadPort);
  }
  if (HandleSpecialPacket(context, *packet, mark)) return;
  const auto mine = MyTag(context);
  if (!mine) {
    // RFC 9260 §8.5.1 A: a tag of zero is for a lone INIT.
    if (header.verification_tag == VerificationTag(0)) return context.Drop(DropReason::kBadVerificationTag);
    return HandleOutOfTheBlue(context, *packet);
  }
  // RFC 9260 §8.5: "the receiver MUST silently discard the packet".
  if (header.verification_tag != *mine) return context.Drop(DropReason::kBadVerificationTag);
  HandleChunks(context, *packet, packet->chunks.begin(), mark);
}

}  // namespace jsp::sctp
