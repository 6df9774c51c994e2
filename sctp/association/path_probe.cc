#include "sctp/association/path_probe.h"

#include <array>

#include "base/byte_writer.h"
#include "sctp/association/heartbeat.h"
#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/pad.h"
namespace jsp::sctp {
namespace {

// Octets that a packet may have in an IP packet of `mtu` octets.
size_t PacketIn(size_t mtu, const PathProperties& path) { return mtu > path.overhead ? mtu - path.overhead : 0; }

// Lets everybody know what PathMtu decided.
void Apply(Context& context, Tcb& tcb, PathMtu::Change change) {
  const PathMtu& path = tcb.path_mtu;
  if (change != PathMtu::Change::kNone) tcb.sender.SetPacketSize(path.size(), path.large());
  if (change == PathMtu::Change::kStalled)
    context.events.Push(event::PathStalled{context.assumed.path.overhead + path.size()});
  if (change == PathMtu::Change::kRecovered) context.events.Push(event::PathRecovered{path.size()});
  context.metrics.packet_size = path.size();
  context.metrics.path_mtu_state = path.state();
  context.metrics.path_stalled = path.is_stalled();
  if (path.NextTimeout() == Timestamp::Never()) {
    context.timers.Disarm(Timer::kPathMtu);
  } else {
    context.timers.Arm(Timer::kPathMtu, path.NextTimeout());
  }
}

}  // namespace

void StartPathMtu(Context& context, Tcb& tcb) {
  const Options& options = context.options;
  if (!options.path_mtu_discovery) return Apply(context, tcb, PathMtu::Change::kNone);
  tcb.path_mtu.Start({.smallest = PacketIn(context.assumed.path.min_mtu, context.assumed.path),
                      .base = options.max_packet_size,
                      .largest = PacketIn(options.max_path_mtu, context.assumed.path),
                      .overhead = context.assumed.path.overhead,
                      .probe_timer = options.probe_timer,
                      .raise_timer = options.path_mtu_raise_interval,
                      .max_probes = options.max_probes});
  Apply(context, tcb, PathMtu::Change::kSize);
}

void HandlePathMtuTimer(Context& context) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr) return;
  if (!IsHeartbeatState(context.state)) tcb->path_mtu.Stop();
  Apply(context, *tcb, tcb->path_mtu.HandleTimeout(context.now));
}

size_t WriteProbe(Context& context, Tcb& tcb, std::span<uint8_t> out) {
  PathMtu& path = tcb.path_mtu;
  // RFC 9260 §8.3: no HEARTBEAT once a SHUTDOWN was sent.
  if (path.due() == 0 || !IsHeartbeatState(context.state)) return 0;
  const uint64_t nonce = path.nonce() ? *path.nonce() : context.rng.Random<uint64_t>();
  std::array<uint8_t, kHeartbeatNonceSize> info{};
  ByteWriter writer(info);
  writer.Write(nonce);
  const HeartbeatChunk heartbeat{.info = {info}};
  const size_t smallest = kCommonHeaderSize + heartbeat.Size();
  const size_t size = std::max(path.due(), smallest);
  if (size > out.size()) {
    path.HandleNoRoom(context.now, out.size());
    Apply(context, tcb, PathMtu::Change::kNone);
    return 0;
  }
  PacketBuilder builder(out.first(size), context.HeaderTo(tcb.agreement.peer_tag));
  builder.Add(heartbeat);
  if (builder.bytes_remaining() >= kTlvHeaderSize) builder.Add(PadChunk{builder.bytes_remaining()});
  path.HandleProbeSent(context.now, nonce, Duration(static_cast<Duration::rep>(context.metrics.srtt_us)));
  ++context.metrics.path_probes_sent;
  Apply(context, tcb, PathMtu::Change::kNone);
  return builder.Finish(tcb.agreement.capabilities.zero_checksum ? SentChecksum::kZero : SentChecksum::kCrc32c);
}

bool HandleProbeAck(Context& context, Tcb& tcb, uint64_t nonce) {
  if (tcb.path_mtu.nonce() != nonce) return false;
  // RFC 9260 §8.1: the peer is reachable.
  tcb.error_count = 0;
  Apply(context, tcb, tcb.path_mtu.HandleProbeAcknowledged(context.now, nonce));
  return true;
}

void ObserveLargeChunks(Context& context, Tcb& tcb, bool large_acknowledged) {
  if (large_acknowledged) {
    tcb.path_mtu.HandleLargeAcknowledged();
    tcb.large_losses_seen = context.metrics.large_repetitions_lost;
    return;
  }
  while (tcb.large_losses_seen < context.metrics.large_repetitions_lost) {
    ++tcb.large_losses_seen;
    const auto change = tcb.path_mtu.HandleLargeLoss();
    if (change != PathMtu::Change::kNone || tcb.path_mtu.due() != 0) Apply(context, tcb, change);
  }
}

void HandleT3Loss(Context& context, Tcb& tcb) {
  const auto change = tcb.path_mtu.HandleLargeLoss();
  Apply(context, tcb, change);
}

void HandlePacketTooBigHint(Context& context, size_t mtu) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr) return;
  ++context.metrics.packet_too_big_hints;
  Apply(context, *tcb, tcb->path_mtu.HandlePacketTooBig(context.now, PacketIn(mtu, context.assumed.path)));
}

void HandlePathChange(Context& context, const PathProperties& path) {
  context.assumed.path = path;
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || !IsHeartbeatState(context.state)) return;
  StartPathMtu(context, *tcb);
  tcb->sender.ResetPath(context.now);
  tcb->ecn.path = EcnState::Path::kUntried;
}

}  // namespace jsp::sctp
