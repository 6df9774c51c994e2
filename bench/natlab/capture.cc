#include "bench/natlab/capture.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace jsp::natlab {

Capture::Capture(netsim::World& world, netsim::NodeId host) : world_(world), host_(host) {
  world.Watch(host, {this, &Capture::See});
}

void Capture::See(void* self, const netsim::Sight& sight) {
  auto& capture = *static_cast<Capture*>(self);
  Seen seen{capture.world_.now(), sight.from, sight.to, {sight.payload.begin(), sight.payload.end()}};
  // The numbers of a world do not wrap, and its windows are not scaled; those of a wire do and are.
  if (sight.tcp != nullptr) {
    seen.tcp = {.sequence = static_cast<uint32_t>(sight.tcp->sequence),
                .acknowledgment = static_cast<uint32_t>(sight.tcp->acknowledgment),
                .window = static_cast<uint16_t>(std::min<uint32_t>(sight.tcp->window, UINT16_MAX)),
                .syn = sight.tcp->syn,
                .ack = sight.tcp->ack,
                .fin = sight.tcp->fin,
                .rst = sight.tcp->rst};
  }
  capture.seen_.push_back(std::move(seen));
}

Expected<void, std::string> Capture::Write(const std::string& path, transport::Peer& peer) const {
  PacketTap tap;
  tap.RecordKeyLog(keys_ + peer.TakeKeyLog());
  for (const Seen& seen : seen_) {
    if (seen.tcp) {
      tap.RecordSegment(seen.at, seen.from, seen.to, *seen.tcp, seen.payload);
    } else {
      tap.Record(seen.at, seen.from, seen.to, seen.payload);
    }
  }
  const auto octets = tap.Take();
  std::ofstream file(path, std::ios::binary);
  if (!file.write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()))) {
    return Unexpected("cannot write " + path);
  }
  return {};
}

}  // namespace jsp::natlab
