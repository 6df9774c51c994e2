#include "bench/natlab/capture.h"

#include <fstream>

#include "base/packet_tap.h"

namespace jsp::natlab {

Capture::Capture(netsim::World& world, netsim::NodeId host) : world_(world) {
  world.Watch(host, {this, &Capture::See});
}

void Capture::See(void* self, const SocketAddress& from, const SocketAddress& to, std::span<const uint8_t> datagram) {
  auto& capture = *static_cast<Capture*>(self);
  capture.seen_.push_back({capture.world_.now(), from, to, {datagram.begin(), datagram.end()}});
}

Expected<void, std::string> Capture::Write(const std::string& path, transport::Peer& peer) const {
  PacketTap tap;
  tap.RecordKeyLog(peer.TakeKeyLog());
  for (const Seen& seen : seen_) tap.Record(seen.at, seen.from, seen.to, seen.datagram);
  const auto octets = tap.Take();
  std::ofstream file(path, std::ios::binary);
  if (!file.write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()))) {
    return Unexpected("cannot write " + path);
  }
  return {};
}

}  // namespace jsp::natlab
