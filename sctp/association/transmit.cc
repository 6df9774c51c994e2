#include "sctp/association/transmit.h"

#include <algorithm>

#include "base/overloaded.h"
#include "sctp/association/data_transfer.h"
#include "sctp/association/ecn.h"
#include "sctp/association/handshake.h"
#include "sctp/association/path_probe.h"
#include "sctp/association/reconfig_requester.h"
#include "sctp/association/shutdown.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/cookie_ack.h"
#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_data.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/packet/error_cause/unrecognized_parameters.h"
#include "sctp/packet/packet_builder.h"
namespace jsp::sctp {
namespace {

size_t WriteReply(Context& context, std::span<uint8_t> out) {
  const std::vector<uint8_t>& packet = context.replies.front();
  const size_t size = packet.size();
  if (size <= out.size()) std::ranges::copy(packet, out.begin());
  context.replies.pop_front();
  return size <= out.size() ? size : 0;
}

void WriteSack(Context& context, Tcb& tcb, PacketBuilder& builder) {
  WriteEcne(tcb, builder);
  if (builder.bytes_remaining() < SackChunk::kHeaderSize) return;
  const uint32_t a_rwnd = AdvertisedWindow(context, tcb);
  if (!builder.Add(tcb.tracker.MakeSack(a_rwnd, builder.bytes_remaining()))) return;
  tcb.tracker.HandleSackSent();
  tcb.window.advertised = a_rwnd;
  context.timers.Disarm(Timer::kDelayedAck);
}

void WriteData(Context& context, Tcb& tcb, PacketBuilder& builder) {
  while (const auto data = tcb.sender.NextChunk(context.now, builder.bytes_remaining())) {
    if (tcb.sender.framing() == Framing::kIData) {
      builder.Add(IDataChunk{*data});
    } else {
      builder.Add(*data);
    }
  }
  tcb.sender.EndPacket(context.now);
}

void WriteForwardTsn(Context& context, Tcb& tcb, PacketBuilder& builder) {
  const size_t room = builder.bytes_remaining();
  if (tcb.sender.framing() == Framing::kIData) {
    if (const auto forward = tcb.sender.TakeIForwardTsn(context.now, room)) builder.Add(*forward);
  } else if (const auto forward = tcb.sender.TakeForwardTsn(context.now, room)) {
    builder.Add(*forward);
  }
}

SentChecksum ChecksumKind(const Tcb& tcb) {
  return tcb.agreement.capabilities.zero_checksum ? SentChecksum::kZero : SentChecksum::kCrc32c;
}

// RFC 9260 §6.9: "Once a user message is fragmented, it cannot be re-fragmented. Instead, if the PMTU has been reduced,
// then IP fragmentation MUST be used." `chunk`: octets of the one that became too large.
WrittenPacket WriteOversized(Context& context, Tcb& tcb, size_t chunk, std::span<uint8_t> out) {
  PacketBuilder builder(out.first(std::min(out.size(), kCommonHeaderSize + chunk)),
                        context.HeaderTo(tcb.agreement.peer_tag));
  WriteData(context, tcb, builder);
  ++context.metrics.fragmentable_packets;
  return {builder.Finish(ChecksumKind(tcb)), IpFragmentation::kAllowed};
}

// Octets that a packet without DATA or with new DATA may have. Answers to the peer are never larger than the base size,
// and are sent even if discovery went below it.
size_t PacketLimit(const Context& context, const Tcb& tcb) {
  const size_t control = context.control.empty() ? 0 : kCommonHeaderSize + context.control.Size();
  return std::max(tcb.path_mtu.size(), control);
}

IpFragmentation FragmentationOf(Context& context, Tcb& tcb, size_t size) {
  const PathMtu& path = tcb.path_mtu;
  if (size > path.size() / 2) tcb.path_mtu.HandleFullPacketSent();
  if (!path.needs_ip_fragmentation() && size <= path.size()) return IpFragmentation::kForbidden;
  ++context.metrics.fragmentable_packets;
  return IpFragmentation::kAllowed;
}

WrittenPacket WriteEstablished(Context& context, Tcb& tcb, std::span<uint8_t> out) {
  if (const size_t size = WriteProbe(context, tcb, out)) return {size};
  const bool sends_data = SendsData(context.state);
  const bool has_data = sends_data && tcb.sender.BeginPacket(context.now);
  if (has_data && !tcb.cookie_ack_due) {
    if (const size_t chunk = tcb.sender.OversizedRepetition(context.now)) {
      return WriteOversized(context, tcb, chunk, out);
    }
  }
  PacketBuilder builder(out.first(std::min(out.size(), PacketLimit(context, tcb))),
                        context.HeaderTo(tcb.agreement.peer_tag));
  // RFC 9260 §5.1: COOKIE ACK is the first chunk.
  if (tcb.cookie_ack_due && builder.Add(CookieAckChunk{})) tcb.cookie_ack_due = false;
  if (!context.control.empty() && builder.Add(context.control)) context.control.Clear();
  WriteCwr(tcb, builder);
  // RFC 9260 §6.1: what is unacknowledged is acknowledged with DATA that goes out anyway.
  const bool is_acknowledging = !Is<state::ShutdownAckSent>(context.state);
  if (is_acknowledging && (tcb.tracker.sack_now() || (has_data && tcb.tracker.has_unacknowledged()))) {
    WriteSack(context, tcb, builder);
  }
  WriteShutdown(context, tcb, builder);
  if (sends_data) {
    WriteReconfigRequest(context, tcb, builder);
    WriteForwardTsn(context, tcb, builder);
  }
  if (has_data) WriteData(context, tcb, builder);
  // RFC 9653 §5.2. INIT, COOKIE ECHO and answers out of the blue are composed elsewhere, with their CRC.
  const size_t size = builder.Finish(ChecksumKind(tcb));
  const bool is_markable =
      tcb.agreement.capabilities.ecn && has_data && tcb.sender.is_packet_markable() && IsPathTrusted(context, tcb);
  return {size, FragmentationOf(context, tcb, size), is_markable ? EcnMark::kEct0 : EcnMark::kNotEct};
}

// RFC 9260 §5.1 C: COOKIE ECHO first, DATA behind it, and nothing else until COOKIE ACK.
size_t WriteCookieEcho(Context& context, state::CookieEchoed& echoed, std::span<uint8_t> out) {
  if (!echoed.echo_due) return 0;
  echoed.echo_due = false;
  echoed.sent_at = context.now;
  Tcb& tcb = *echoed.tcb;
  context.timers.Arm(Timer::kT1, context.now + echoed.t1.Next());
  PacketBuilder builder(out, context.HeaderTo(tcb.agreement.peer_tag));
  builder.Add(CookieEchoChunk{echoed.cookie});
  if (!echoed.unrecognized.empty()) {
    const auto cause = WriteCause(UnrecognizedParametersCause{echoed.unrecognized});
    if (builder.Add(ErrorChunk{.causes = CauseRange(cause)})) echoed.unrecognized.clear();
  }
  if (tcb.sender.BeginPacket(context.now)) WriteData(context, tcb, builder);
  return builder.Finish();
}

}  // namespace

WrittenPacket WritePacket(Context& context, std::span<uint8_t> out) {
  const auto base = out.first(std::min(out.size(), context.options.max_packet_size));
  while (!context.replies.empty()) {
    if (const size_t size = WriteReply(context, base)) return {size};
  }
  return std::visit(
      Overloaded{
          [](state::Closed&) { return WrittenPacket{}; },
          [](state::Dead&) { return WrittenPacket{}; },
          [&](state::CookieWait& wait) { return WrittenPacket{WriteInit(context, wait, base)}; },
          [&](state::CookieEchoed& echoed) { return WrittenPacket{WriteCookieEcho(context, echoed, base)}; },
          [&](auto& with_tcb) { return WriteEstablished(context, *with_tcb.tcb, out); },
      },
      context.state);
}

}  // namespace jsp::sctp
