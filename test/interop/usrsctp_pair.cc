#include "test/interop/usrsctp_pair.h"

#include <algorithm>
#include <array>
#include <functional>

namespace jsp::interop {

using sctp::Association;

UsrsctpPair::UsrsctpPair(const Config& config)
    : config_(config), rng_(Rng::FromNumber(config.seed)), now_(UsrsctpStack::Get().now()) {
  ReplaceOurs();
  ReplaceUsrsctp();
}

void UsrsctpPair::ReplaceOurs() {
  ours_.reset();
  our_rng_ = std::make_unique<Rng>(rng_.Fork());
  ours_.emplace(config_.ours, *our_rng_, now_);
}

void UsrsctpPair::ReplaceUsrsctp() {
  usrsctp_.reset();
  usrsctp_ = std::make_unique<UsrsctpPeer>(config_.usrsctp);
}

bool UsrsctpPair::Connect(Begins begins) {
  if (begins == Begins::kOurs) usrsctp_->Listen();
  if (begins != Begins::kOurs) usrsctp_->Connect(config_.ours.local_port);
  if (begins != Begins::kUsrsctp) ours_->Connect(now_);
  return RunUntil([&] { return Event<sctp::event::Connected>() && usrsctp_->Saw(SCTP_COMM_UP); },
                  std::chrono::minutes(10));
}

void UsrsctpPair::Run(Duration duration) {
  const Timestamp end = now_ + duration;
  Drain();
  while (Step(end)) continue;
  now_ = end;
  UsrsctpStack::Get().Advance(now_);
}

bool UsrsctpPair::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now_ + limit;
  Drain();
  while (!done()) {
    if (!Step(end)) return done();
  }
  return true;
}

bool UsrsctpPair::Step(Timestamp end) {
  UsrsctpStack& stack = UsrsctpStack::Get();
  Timestamp next = std::min(ours_->NextTimeout(), stack.next_tick());
  if (!in_flight_.empty()) next = std::min(next, in_flight_.front().at);
  if (next > end) return false;
  now_ = std::max(now_, next);
  stack.Advance(now_);
  if (!in_flight_.empty() && in_flight_.front().at <= now_) {
    std::ranges::pop_heap(in_flight_, std::greater());
    const InFlight arrived = std::move(in_flight_.back());
    in_flight_.pop_back();
    if (arrived.from == Sender::kOurs) {
      usrsctp_->HandlePacket(arrived.packet, arrived.mark);
    } else {
      ours_->HandlePacket(now_, arrived.packet, arrived.mark);
    }
  }
  if (ours_->NextTimeout() <= now_) ours_->HandleTimeout(now_);
  Drain();
  return true;
}

void UsrsctpPair::Drain() {
  usrsctp_->Read();
  while (auto event = ours_->PollEvent()) {
    if (auto* message = std::get_if<sctp::event::MessageReceived>(&*event)) {
      ours_->HandleConsumed(now_, message->message.payload.size());
      received.push_back(std::move(message->message));
    } else {
      events_.push_back(std::move(*event));
    }
  }
  std::array<uint8_t, 2048> buffer;
  while (const auto packet = ours_->PollTransmit(now_, buffer)) {
    Transmit(Sender::kOurs, std::span<const uint8_t>(buffer).first(packet->size), packet->ecn);
  }
  while (!usrsctp_->outbox.empty()) {
    const std::vector<uint8_t> packet = std::move(usrsctp_->outbox.front());
    usrsctp_->outbox.pop_front();
    Transmit(Sender::kUsrsctp, packet, EcnMark::kEct0);  // it does not say
  }
}

void UsrsctpPair::Transmit(Sender from, std::span<const uint8_t> packet, EcnMark mark) {
  const auto view = sctp::PacketView::Parse(packet, sctp::ChecksumPolicy::kAcceptZero);
  if (view) {
    for (const sctp::ChunkView chunk : view->chunks) ++chunks_[{from, chunk.type}];
  }
  if (filter_ && filter_(from, packet)) return;
  const Link& link = config_.link;
  if (rng_.Uniform() < link.loss) return;
  if (link.marks > 0 && mark == EcnMark::kEct0 && rng_.Uniform() < link.marks) mark = EcnMark::kCe;
  Timestamp at = now_ + link.delay;
  if (rng_.Uniform() < link.reorder) {
    at = at + Duration(static_cast<Duration::rep>(rng_.Uniform() * 3e0 * static_cast<double>(link.delay.count())));
  }
  if (rng_.Uniform() < link.duplicate) Schedule(from, packet, mark, at + link.delay / 2);
  Schedule(from, packet, mark, at);
}

void UsrsctpPair::Schedule(Sender from, std::span<const uint8_t> packet, EcnMark mark, Timestamp at) {
  in_flight_.push_back({at, order_++, from, {packet.begin(), packet.end()}, mark});
  std::ranges::push_heap(in_flight_, std::greater());
}

size_t UsrsctpPair::OutgoingResets() const {
  size_t streams = 0;
  for (const sctp::Event& event : events_) {
    if (const auto* reset = std::get_if<sctp::event::OutgoingStreamsReset>(&event)) streams += reset->streams.size();
  }
  return streams;
}

size_t UsrsctpPair::IncomingResets() const {
  size_t streams = 0;
  for (const sctp::Event& event : events_) {
    if (const auto* reset = std::get_if<sctp::event::IncomingStreamsReset>(&event)) streams += reset->streams.size();
  }
  return streams;
}

size_t UsrsctpPair::chunks(Sender from, sctp::ChunkType type) const {
  const auto found = chunks_.find({from, type});
  return found == chunks_.end() ? 0 : found->second;
}

std::vector<uint8_t> Payload(size_t size, size_t fill) {
  std::vector<uint8_t> payload(size);
  for (size_t i = 0; i < size; ++i) payload[i] = static_cast<uint8_t>(fill + i * 31 + i / 251);
  return payload;
}

}  // namespace jsp::interop
