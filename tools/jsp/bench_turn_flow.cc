#include "tools/jsp/bench_turn_flow.h"

#include <algorithm>
#include <vector>

#include "turn/channel_data.h"

namespace jsp::tool {
namespace {

using transport::io::TrainIo;

constexpr auto kWarmUp = std::chrono::milliseconds(200);
constexpr auto kStraggling = std::chrono::milliseconds(200);  // what has not come by then is lost
constexpr auto kStalled = std::chrono::milliseconds(50);
constexpr auto kProbeDeadline = std::chrono::milliseconds(100);

}  // namespace

void TurnFlow::SendBurst(const FlowOptions& options) {
  auto& sender = options.direction == FlowDirection::kUp ? clients_->sockets() : *peer_;
  TrainIo& io = sender.io();
  const size_t count = std::min(options.burst, TrainIo::kMaxSegments);
  auto segments = io.room().first(count);
  for (auto& segment : segments) {
    segment.prefix_size = 0;
    segment.padding = 0;
    segment.payload = payload_;
    if (options.direction == FlowDirection::kDown) continue;
    segment.prefix_size = turn::kChannelDataHeader;
    turn::WriteChannelDataHeader(clients_->channel(next_), payload_.size(),
                                 std::span(segment.prefix).first<turn::kChannelDataHeader>());
  }
  if (options.direction == FlowDirection::kUp) {
    io.Append(sender[next_], sender.server(), count, TrainIo::Fragmenting::kAllowed);
  } else {
    io.Append(sender[0], clients_->relay(next_), count, TrainIo::Fragmenting::kAllowed);
  }
  next_ = (next_ + 1) % clients_->size();
}

// Those of the right size; nothing else comes, but for a late answer.
uint64_t TurnFlow::ReceiveAll(const FlowOptions& options) {
  uint64_t received = 0;
  const bool up = options.direction == FlowDirection::kUp;
  const size_t size = payload_.size() + (up ? 0 : turn::kChannelDataHeader);
  const auto count = [&](std::span<const uint8_t> datagram, const SocketAddress&) {
    if (datagram.size() == size) ++received;
  };
  auto& receiver = up ? *peer_ : clients_->sockets();
  for (const size_t i : receiver.Wait(std::chrono::milliseconds(0))) receiver.Receive(i, count);
  return received;
}

FlowResult TurnFlow::Run(const FlowOptions& options) {
  payload_.assign(options.size, 0xa5);
  next_ = 0;
  auto& sender = options.direction == FlowDirection::kUp ? clients_->sockets() : *peer_;
  auto& receiver = options.direction == FlowDirection::kUp ? *peer_ : clients_->sockets();
  FlowResult result;
  uint64_t received = 0, received_before = 0, written_off = 0;
  const auto measured_from = BenchClock::now() + kWarmUp;
  const auto end =
      measured_from + std::chrono::duration_cast<BenchClock::duration>(std::chrono::duration<double>(options.seconds));
  auto begin = BenchClock::time_point();
  double cpu_before = 0;
  auto progress = BenchClock::now();
  for (auto now = progress; now < end; now = BenchClock::now()) {
    if (begin == BenchClock::time_point() && now >= measured_from) {
      begin = now;
      received_before = received;
      cpu_before = CpuSeconds();
    }
    while (result.sent + options.burst <= received + written_off + options.window) {
      SendBurst(options);
      result.sent += options.burst;
    }
    sender.io().Flush();
    const uint64_t came = ReceiveAll(options);
    received += came;
    if (came > 0) {
      progress = now;
    } else if (now - progress > kStalled) {
      written_off = result.sent - std::min(result.sent, received);
      progress = now;
    } else {
      (void)receiver.Wait(std::chrono::milliseconds(1));
    }
  }
  result.seconds = std::chrono::duration<double>(BenchClock::now() - begin).count();
  result.received = received - received_before;
  result.cpu_share = (CpuSeconds() - cpu_before) / result.seconds;
  for (const auto late = BenchClock::now() + kStraggling; BenchClock::now() < late && received < result.sent;) {
    received += ReceiveAll(options);
  }
  result.lost = result.sent - std::min(result.sent, received);
  return result;
}

// Microseconds from sending to arrival; `prefix` octets go in front of the payload.
Expected<double, std::string> TurnFlow::ProbeOnce(const SocketAddress& to, size_t prefix) {
  auto& sender = clients_->sockets();
  auto& segment = sender.io().room().front();
  segment.prefix_size = static_cast<uint8_t>(prefix);
  segment.padding = 0;
  segment.payload = payload_;
  if (prefix > 0) {
    turn::WriteChannelDataHeader(clients_->channel(0), payload_.size(),
                                 std::span(segment.prefix).first<turn::kChannelDataHeader>());
  }
  const auto sent = BenchClock::now();
  sender.io().Append(sender[0], to, 1, TrainIo::Fragmenting::kAllowed);
  sender.io().Flush();
  bool came = false;
  while (!came && BenchClock::now() - sent < kProbeDeadline) {
    peer_->Receive(0, [&](std::span<const uint8_t> datagram, const SocketAddress&) {
      came = came || datagram.size() == payload_.size();
    });
  }
  if (!came) return Unexpected<std::string>("a datagram through the relay did not arrive");
  return std::chrono::duration<double, std::micro>(BenchClock::now() - sent).count();
}

Expected<DelayResult, std::string> TurnFlow::MeasureDelay(size_t size, size_t probes) {
  payload_.assign(size, 0xa5);
  std::vector<double> straight, relayed;
  for (size_t i = 0; i < probes; ++i) {
    const auto direct = ProbeOnce((*peer_)[0].local(), 0);
    if (direct) straight.push_back(*direct);
    const auto through = ProbeOnce(clients_->sockets().server(), turn::kChannelDataHeader);
    if (through) relayed.push_back(*through);
  }
  if (straight.empty() || relayed.empty()) return Unexpected<std::string>("no single datagram came through the relay");
  std::ranges::sort(straight);
  std::ranges::sort(relayed);
  const double base = Percentile(straight, 0.5);
  return DelayResult{Percentile(relayed, 0.5) - base, Percentile(relayed, 0.99) - base};
}

}  // namespace jsp::tool
