#include "sctp/association/heartbeat.h"

#include <array>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "sctp/association/path_probe.h"
#include "sctp/association/termination.h"
#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/heartbeat_ack.h"
namespace jsp::sctp {
namespace {

void ArmPeriod(Context& context, Tcb& tcb) {
  tcb.heartbeat.chunks_sent_before = context.metrics.chunks_sent;
  tcb.heartbeat.octets_received_before = context.metrics.bytes_received;
  if (context.options.heartbeat_interval == Duration::zero()) return;
  // RFC 9260 §8.3: "once per RTO of that destination address plus the protocol parameter 'HB.interval', with jittering
  // of
  // +/- 50% of the RTO value".
  const Duration rto = tcb.sender.rto();
  const auto jitter = Duration(static_cast<Duration::rep>(context.rng.Below(static_cast<uint64_t>(rto.count()) + 1)));
  const Timestamp earliest = context.now + context.options.heartbeat_interval + rto / 2;
  context.timers.Arm(Timer::kHeartbeat, Timestamp::OnGrid(earliest + jitter, earliest, earliest + rto, kTimerGrid));
}

}  // namespace

void GiveMemoryBack(Context& context, Tcb& tcb) {
  tcb.sender.Trim();
  tcb.reassembly.Trim();
  context.messages.Trim();
  context.events.Trim();
  context.pool.Trim();
}

bool IsHeartbeatState(const StateData& state) {
  return Is<state::Established>(state) || Is<state::ShutdownPending>(state) || Is<state::ShutdownReceived>(state);
}

void StartHeartbeats(Context& context, Tcb& tcb) {
  tcb.heartbeat = {};
  ArmPeriod(context, tcb);
  StartPathMtu(context, tcb);
}

void HandleHeartbeatTimer(Context& context) {
  Tcb* tcb = context.tcb();
  if (tcb == nullptr || !IsHeartbeatState(context.state)) return;
  if (auto& outstanding = tcb->heartbeat.outstanding; outstanding && !outstanding->is_late) {
    // RFC 9260 §8.3: one RTO without an answer.
    outstanding->is_late = true;
    if (CountError(context, *tcb) == Flow::kContinue) ArmPeriod(context, *tcb);
    return;
  }
  if (context.metrics.chunks_sent != tcb->heartbeat.chunks_sent_before) {
    ArmPeriod(context, *tcb);  // not idle
    return;
  }
  if (context.metrics.bytes_received == tcb->heartbeat.octets_received_before) GiveMemoryBack(context, *tcb);
  const uint64_t nonce = context.rng.Random<uint64_t>();
  std::array<uint8_t, kHeartbeatNonceSize> info{};
  ByteWriter writer(info);
  writer.Write(nonce);
  if (context.control.Add(HeartbeatChunk{.info = {info}})) tcb->heartbeat.outstanding = {nonce, context.now};
  context.timers.Arm(Timer::kHeartbeat, context.now + tcb->sender.rto());
}

Flow HandleHeartbeat(Context& context, const ChunkView& chunk) {
  const auto heartbeat = HeartbeatChunk::Parse(chunk);
  // One that its answer could not return in a packet of ours is no heartbeat.
  if (!heartbeat || !context.control.Add(HeartbeatAckChunk{.info = heartbeat->info})) {
    context.Drop(DropReason::kBadChunk);
  }
  return Flow::kContinue;
}

Flow HandleHeartbeatAck(Context& context, Tcb& tcb, const ChunkView& chunk) {
  const auto ack = HeartbeatAckChunk::Parse(chunk);
  if (!ack) {
    context.Drop(DropReason::kBadChunk);
    return Flow::kContinue;
  }
  ByteReader reader(ack->info.value);
  const auto nonce = reader.Read<uint64_t>();
  const bool is_nonce = reader.ok() && reader.remaining() == 0;
  if (is_nonce && HandleProbeAck(context, tcb, nonce)) return Flow::kContinue;
  const auto& outstanding = tcb.heartbeat.outstanding;
  if (!is_nonce || !outstanding || outstanding->nonce != nonce) {
    context.Drop(DropReason::kBadNonce);
    return Flow::kContinue;
  }
  tcb.sender.MeasureRoundTrip(context.now - outstanding->sent_at);
  // RFC 9260 §8.1.
  tcb.error_count = 0;
  tcb.heartbeat.outstanding.reset();
  ArmPeriod(context, tcb);
  return Flow::kContinue;
}

}  // namespace jsp::sctp
