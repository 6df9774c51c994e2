#include "bench/sim/shared_path.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
namespace jsp::bench {
namespace {

netsim::LinkOptions ForwardOptions(const PathOptions& options) {
  const double bytes_per_s = options.bits_per_s / 8;
  const double rtt_s = static_cast<double>(options.rtt.count()) / 1e6;
  return {.delay = options.rtt / 2,
          .bytes_per_second = static_cast<uint64_t>(bytes_per_s),
          .queue_bytes = std::max<size_t>(static_cast<size_t>(bytes_per_s * rtt_s * options.queue_bdp), 16 * 1024),
          .loss = netsim::UniformLoss{options.loss}};
}

}  // namespace

SharedPath::SharedPath(const PathOptions& options)
    : rng_(Rng::FromNumber(options.seed)),
      forward_(ForwardOptions(options), rng_.Fork()),
      backward_({.delay = options.rtt - options.rtt / 2}, rng_.Fork()),
      scratch_(2048) {}

SharedPath::Flow& SharedPath::AddFlow(const sctp::Options& options) {
  flows_.push_back(std::make_unique<Flow>(options, rng_.Fork(), now_));
  Flow& flow = *flows_.back();
  flow.a.Connect(now_);
  flow.z.Connect(now_);
  Drain(flow);
  const auto established = [&] {
    return flow.a.state() == sctp::State::kEstablished && flow.z.state() == sctp::State::kEstablished;
  };
  JSP_CHECK(RunUntil(established, std::chrono::seconds(30)));
  return flow;
}

void SharedPath::Send(Flow& flow, sctp::StreamId stream, size_t octets, const sctp::SendOptions& options) {
  const auto sent =
      flow.a.Send(now_, {.stream = stream, .ppid = sctp::Ppid(53), .payload = std::vector<uint8_t>(octets)}, options);
  JSP_CHECK(sent.has_value());
  Drain(flow);
}

void SharedPath::At(Timestamp at, std::function<void(Timestamp)> call) { calls_.push({at, ++order_, std::move(call)}); }

void SharedPath::RunUntil(Timestamp end) {
  while (Step(end)) {
  }
}

bool SharedPath::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now_ + limit;
  while (!done()) {
    if (!Step(end)) return done();
  }
  return true;
}

bool SharedPath::Step(Timestamp end) {
  Timestamp next = packets_.empty() ? Timestamp::Never() : packets_.top().at;
  if (!calls_.empty()) next = std::min(next, calls_.top().at);
  for (const auto& flow : flows_) next = std::min({next, flow->a.NextTimeout(), flow->z.NextTimeout()});
  if (next > end) {
    now_ = std::max(now_, end);
    return false;
  }
  now_ = std::max(now_, next);
  while (!packets_.empty() && packets_.top().at <= now_) {
    Packet packet = std::move(const_cast<Packet&>(packets_.top()));
    packets_.pop();
    (packet.to == Side::kA ? packet.flow->a : packet.flow->z).HandlePacket(now_, packet.bytes);
    Drain(*packet.flow);
  }
  while (!calls_.empty() && calls_.top().at <= now_) {
    const auto call = std::move(const_cast<Call&>(calls_.top()).call);
    calls_.pop();
    call(now_);
  }
  for (const auto& flow : flows_) {
    if (flow->a.NextTimeout() <= now_) flow->a.HandleTimeout(now_);
    if (flow->z.NextTimeout() <= now_) flow->z.HandleTimeout(now_);
    Drain(*flow);
  }
  return true;
}

void SharedPath::TopUp(Flow& flow) {
  if (flow.a.state() != sctp::State::kEstablished) return;
  while (flow.bulk_backlog > 0 && flow.a.total_buffered_amount() < flow.bulk_backlog &&
         flow.a.send_buffer_room() > flow.bulk_message) {
    const auto sent = flow.a.Send(
        now_, {.stream = flow.bulk_stream, .ppid = sctp::Ppid(53), .payload = std::vector<uint8_t>(flow.bulk_message)});
    if (!sent.has_value()) return;
  }
}

void SharedPath::Drain(Flow& flow) {
  TopUp(flow);
  DrainSide(flow, Side::kA);
  DrainSide(flow, Side::kZ);
}

void SharedPath::DrainSide(Flow& flow, Side side) {
  sctp::Association& core = side == Side::kA ? flow.a : flow.z;
  netsim::Link& link = side == Side::kA ? forward_ : backward_;
  const Side other = side == Side::kA ? Side::kZ : Side::kA;
  do {
    while (auto event = core.PollEvent()) {
      auto* received = std::get_if<sctp::event::MessageReceived>(&*event);
      if (received == nullptr) continue;
      if (side == Side::kZ) flow.delivered += received->message.payload.size();
      const auto& hook = side == Side::kZ ? flow.on_z_message : flow.on_a_message;
      if (hook) hook(now_, received->message);
      core.HandleConsumed(now_, received->message.payload.size());
    }
    while (const auto transmit = core.PollTransmit(now_, scratch_)) {
      Packet packet{.at = now_,
                    .order = ++order_,
                    .flow = &flow,
                    .to = other,
                    .bytes = {scratch_.begin(), scratch_.begin() + static_cast<std::ptrdiff_t>(transmit->size)}};
      const auto fate = link.Transmit(now_, packet.bytes);
      if (fate.copies == 0) continue;
      packet.at = fate.arrival[0];
      packets_.push(std::move(packet));
    }
    if (side == Side::kA && flow.bulk_backlog > 0 && flow.a.total_buffered_amount() < flow.bulk_backlog / 2) {
      TopUp(flow);
      if (flow.a.total_buffered_amount() >= flow.bulk_backlog / 2) continue;
    }
    break;
  } while (true);
}

}  // namespace jsp::bench
