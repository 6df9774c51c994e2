#include "sctp/testing/association_pair.h"

#include <algorithm>

#include "base/check.h"

namespace jsp::sctp {
namespace {

constexpr size_t kQueuePackets = 256;
constexpr size_t kQueuedOctets = 1191;  // of each of them, at least: small packets find as much room as large ones
// Packets and timers of one moment; more are a timer that is due for ever.
constexpr size_t kMaxStepsAtOnce = 100'000;

}  // namespace

AssociationPair::AssociationPair(const Config& config) : config_(config), rng_(Rng::FromNumber(config.seed)) {
  for (size_t i = 0; i < ends_.size(); ++i) {
    ends_[i].rng.emplace(rng_.Fork());
    Options options = i == 0 ? config.a : config.z;
    // No DTLS is below: only the CRC finds what the link corrupts.
    if (config.link.corrupt > 0) options.zero_checksum = false;
    if (!options.initial_tsn) options.initial_tsn = Tsn(0xfffffffe);
    ends_[i].core.emplace(options, *ends_[i].rng, now_);
  }
}

bool AssociationPair::Connect() {
  a().Connect(now_);
  z().Connect(now_);
  return RunUntil([&] { return CountEvents<event::Connected>(Side::kA) && CountEvents<event::Connected>(Side::kZ); },
                  std::chrono::seconds(120));
}

void AssociationPair::Run(Duration duration) {
  const Timestamp end = now_ + duration;
  DrainAll();
  while (Step(end)) continue;
  now_ = end;
}

bool AssociationPair::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now_ + limit;
  DrainAll();
  while (!done()) {
    if (!Step(end)) return done();
  }
  return true;
}

bool AssociationPair::Step(Timestamp end) {
  const auto later = [](const InFlight& x, const InFlight& y) {
    return std::pair(x.at, x.order) > std::pair(y.at, y.order);
  };
  Timestamp next = std::min(a().NextTimeout(), z().NextTimeout());
  if (!in_flight_.empty()) next = std::min(next, in_flight_.front().at);
  if (next > end) return false;
  steps_at_now_ = next > now_ ? 0 : steps_at_now_ + 1;
  JSP_CHECK(steps_at_now_ < kMaxStepsAtOnce);
  now_ = std::max(now_, next);
  if (!in_flight_.empty() && in_flight_.front().at <= now_) {
    std::ranges::pop_heap(in_flight_, later);
    const InFlight arrived = std::move(in_flight_.back());
    in_flight_.pop_back();
    core(arrived.to).HandlePacket(now_, arrived.packet, arrived.mark);
  } else {
    a().HandleTimeout(now_);
    z().HandleTimeout(now_);
  }
  DrainAll();
  return true;
}

void AssociationPair::DrainAll() {
  Drain(Side::kA);
  Drain(Side::kZ);
}

void AssociationPair::Drain(Side side) {
  End& end = ends_[static_cast<size_t>(side)];
  std::array<uint8_t, 16384> buffer;
  const auto transmit = [&] {
    while (const auto packet = end.core->PollTransmit(now_, buffer)) {
      Transmit(side, std::span<const uint8_t>(buffer).first(packet->size), *packet);
    }
  };
  transmit();
  while (auto event = end.core->PollEvent()) {
    if (auto* message = std::get_if<event::MessageReceived>(&*event)) {
      if (config_.consume != 0) end.core->HandleConsumed(now_, message->message.payload.size());
      end.received.push_back({now_, std::move(message->message)});
    } else {
      end.events.push_back(std::move(*event));
    }
  }
  transmit();  // a window update
}

std::optional<Timestamp> AssociationPair::Queue(Side from, size_t size, EcnMark& mark) {
  const Link& link = config_.link;
  if (link.bits_per_s <= 0) return now_;
  Timestamp& busy_until = ends_[static_cast<size_t>(from)].busy_until;
  const auto serialisation = [&](size_t octets) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(octets) * 8e6 / link.bits_per_s));
  };
  const Duration each = serialisation(std::max(size, kQueuedOctets));
  const Timestamp start = std::max(now_, busy_until);
  const Duration waits = start - now_;
  if (waits > each * kQueuePackets) {
    ++overflowed_;
    return std::nullopt;
  }
  longest_queue_ = std::max(longest_queue_, waits);
  if (link.mark_above != 0 && mark == EcnMark::kEct0 && waits > each * link.mark_above) {
    mark = EcnMark::kCe;
    ++marked_;
  }
  busy_until = start + serialisation(size);
  return busy_until;
}

void AssociationPair::Transmit(Side from, std::span<const uint8_t> packet, const Association::Transmit& how) {
  ++packets_sent_;
  if (filter_ && filter_(from, packet)) return;
  const Link& link = config_.link;
  if (link.mtu != 0 && packet.size() > link.mtu &&
      (how.fragmentation == IpFragmentation::kForbidden || rng_.Uniform() < link.fragment_loss)) {
    ++too_large_;
    return;
  }
  if (rng_.Uniform() < link.loss) return;
  EcnMark mark = how.ecn;
  const auto leaves = Queue(from, packet.size(), mark);
  if (!leaves) return;
  Timestamp at = *leaves + link.delay;
  if (rng_.Uniform() < link.reorder)
    at = at + Duration(static_cast<Duration::rep>(rng_.Uniform() * 3e0 * static_cast<double>(link.delay.count())));
  std::vector<uint8_t> copy(packet.begin(), packet.end());
  if (rng_.Uniform() < link.duplicate) Schedule(from, copy, mark, at + link.delay / 2);
  if (rng_.Uniform() < link.corrupt) copy[rng_.Below(copy.size())] ^= static_cast<uint8_t>(1 + rng_.Below(255));
  Schedule(from, std::move(copy), mark, at);
}

void AssociationPair::Schedule(Side from, std::vector<uint8_t> packet, EcnMark mark, Timestamp at) {
  in_flight_.push_back({at, order_++, from == Side::kA ? Side::kZ : Side::kA, std::move(packet), mark});
  std::ranges::push_heap(in_flight_, [](const InFlight& x, const InFlight& y) {
    return std::pair(x.at, x.order) > std::pair(y.at, y.order);
  });
}

ChunkType FirstChunk(std::span<const uint8_t> packet) {
  const auto view = PacketView::Parse(packet, ChecksumPolicy::kAcceptZero);
  return (*view->chunks.begin()).type;
}

bool HasUserData(std::span<const uint8_t> packet) {
  return HasChunk(packet, ChunkType::kData) || HasChunk(packet, ChunkType::kIData);
}

bool HasChunk(std::span<const uint8_t> packet, ChunkType type) {
  const auto view = PacketView::Parse(packet, ChecksumPolicy::kAcceptZero);
  for (const ChunkView chunk : view->chunks) {
    if (chunk.type == type) return true;
  }
  return false;
}

}  // namespace jsp::sctp
