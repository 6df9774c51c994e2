// What a connection keeps for other paths than the one that it uses.
#include <vector>

#include "transport/peer_impl.h"

namespace jsp::transport {

// RFC 8445 §5.1.1.4: reflexive candidates are kept alive until ICE has completed; RFC 8445 §8.3.1: without keepalives
// they are free. Those of bases that are still in use stay where the session may move by itself, as the peer may come
// to them from another address; and all of them while a relay is used, as a direct path may still be found.
void Peer::Impl::GiveUpSpares(Timestamp now) {
  const auto& pair = agent.selected_pair();
  if (!pair) return;
  if (HasDirectPair() || !agent.CanMove()) {
    std::vector<SocketAddress> used;
    for (const ice::PairStats& left : agent.pair_stats()) {
      if (agent.CanMove() || !left.selected) used.push_back(left.local.base);
    }
    gathering.gatherer.Conclude(used);
  }
  if (options->release_spare_relays) gathering.relays.Release(now, pair->local.base);
  PumpRelays(now);
  if (secured) secured->is_resting = false;  // what this took is given back as well
}

// The path is lost: what was given up may be the way to another one.
void Peer::Impl::ReclaimSpares(Timestamp now) {
  gathering.relays.Reclaim(now);
  if (agent.CanMove()) gathering.gatherer.Resume(now);
}

}  // namespace jsp::transport
