#include "transport/asio/loop_group.h"

#include <bit>

#include "transport/asio/driver_core.h"

namespace jsp::transport::io {

LoopGroup::LoopGroup(const SharedPorts::Options& ports, const UnknownRequestOptions& unknown, Rng& rng)
    : ports_(std::make_shared<SharedPorts>(ports)),
      unknown_limit_(std::make_shared<UnknownRequestLimit>(unknown, rng)) {
  for (size_t i = 0; i < ports.loops; ++i) loops_.push_back(std::make_unique<Loop>());
}

void LoopGroup::Join(size_t loop, const boost::asio::any_io_executor& executor, std::weak_ptr<DriverCore> core) {
  loops_[loop]->box.Open(executor, std::move(core));
}

void LoopGroup::Leave(size_t loop) {
  loops_[loop]->box.Close();
  ports_->CloseLoop(loop);
  directory_.ReleaseAll(loop);
}

void LoopGroup::HandOver(size_t from, std::span<const Parcel> parcels) {
  static_assert(SharedPorts::kMaxLoops <= 64);
  uint64_t addressed = 0;  // a bit for each loop
  for (const Parcel& parcel : parcels) addressed |= uint64_t{1} << parcel.to;
  for (; addressed != 0; addressed &= addressed - 1) HandOver(from, std::countr_zero(addressed), parcels);
}

void LoopGroup::HandOver(size_t from, size_t to, std::span<const Parcel> parcels) {
  Counters& counters = loops_[from]->counters;
  Box::Writer writer(loops_[to]->box);
  for (const Parcel& parcel : parcels) {
    if (parcel.to != to) continue;
    const uint64_t datagrams = parcel.letter.Train(parcel.octets).count();
    switch (writer.Send(parcel.letter, parcel.octets)) {
      case Box::Delivery::kSent:
        counters.sent += datagrams;
        ++counters.letters;
        break;
      case Box::Delivery::kFull:
        counters.full += datagrams;
        break;
      case Box::Delivery::kClosed:
        counters.gone += datagrams;
        break;
    }
  }
}

void LoopGroup::NoteRead(size_t loop, uint64_t received, uint64_t astray, size_t room) {
  Counters& counters = loops_[loop]->counters;
  counters.received += received;
  counters.astray += astray;
  counters.reader_room = room;
}

void LoopGroup::TrimMail(size_t loop) {
  loops_[loop]->counters.reader_room = 0;
  loops_[loop]->box.Trim();
}

bool LoopGroup::ClaimRoute(size_t loop, const LoopRoute& route) {
  const size_t holder = directory_.routes.Claim(route, loop);
  if (holder == loop) return true;
  ++loops_[loop]->counters.routes_contested;
  (void)loops_[holder]->box.Send({.kind = Letter::Kind::kRouteWanted, .route = route});  // lost: the next check asks
  return false;
}

HandoverStats LoopGroup::stats(size_t loop) const {
  const Counters& counters = loops_[loop]->counters;
  return {.sent = counters.sent,
          .letters = counters.letters,
          .received = counters.received,
          .full = counters.full,
          .gone = counters.gone,
          .astray = counters.astray,
          .routes_contested = counters.routes_contested,
          .mail_room = counters.reader_room + loops_[loop]->box.room()};
}

}  // namespace jsp::transport::io
