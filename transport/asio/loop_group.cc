#include "transport/asio/loop_group.h"

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

void LoopGroup::HandOver(size_t from, size_t to, const LoopRoute& route, std::span<const uint8_t> datagram,
                         EcnMark mark) {
  const Letter letter{Letter::Kind::kDatagram, route, static_cast<uint32_t>(datagram.size()), mark};
  Counters& counters = loops_[from]->counters;
  switch (loops_[to]->box.Send(letter, datagram)) {
    case Box::Delivery::kSent:
      ++counters.sent;
      return;
    case Box::Delivery::kFull:
      ++counters.full;
      return;
    case Box::Delivery::kClosed:
      ++counters.gone;
      return;
  }
}

void LoopGroup::NoteRead(size_t loop, uint64_t received, uint64_t astray) {
  loops_[loop]->counters.received += received;
  loops_[loop]->counters.astray += astray;
}

bool LoopGroup::ClaimRoute(size_t loop, const LoopRoute& route) {
  const size_t holder = directory_.routes.Claim(route, loop);
  if (holder == loop) return true;
  ++loops_[loop]->counters.routes_contested;
  (void)loops_[holder]->box.Send({Letter::Kind::kRouteWanted, route, 0, {}});  // lost: the next check asks again
  return false;
}

HandoverStats LoopGroup::stats(size_t loop) const {
  const Counters& counters = loops_[loop]->counters;
  return {counters.sent, counters.received, counters.full, counters.gone, counters.astray, counters.routes_contested};
}

}  // namespace jsp::transport::io
