// What the driver does for peers whose sockets no check gets through to.
#include <algorithm>
#include <iterator>

#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

// A set is fresh for every peer that did not have it yet, so that all share a few. More than two restarts for this
// reason would not help.
constexpr size_t kMaxFreshSets = 4;

// Of a driver. As many as ice::ProbingOptions has; peers share them, as a NAT maps each peer's address by itself.
constexpr size_t kMaxProbeSockets = 256;

}  // namespace

bool DriverCore::AddFreshSockets(DrivenPeer& driven) {
  const size_t set = driven.fresh_sets;
  if (set >= kMaxFreshSets) return false;
  if (set == helpers.fresh.size()) helpers.fresh.emplace_back();
  if (helpers.fresh[set].empty()) helpers.fresh[set] = OpenFreshSockets();  // or those that it had are gone
  ++driven.fresh_sets;
  const Timestamp now = Now();
  for (const LocalAddress& local : helpers.fresh[set]) driven.peer.AddLocalAddress(now, local);
  Touch(driven);
  return !helpers.fresh[set].empty();
}

std::vector<LocalAddress> DriverCore::OpenFreshSockets() {
  std::vector<LocalAddress> opened;
  for (LocalAddress address : AddressesOf(0)) {
    address.address.port = 0;
    const auto socket = mux->AddSocket(executor, address);
    if (!socket) continue;
    opened.push_back(mux->local_addresses()[*socket]);
    WaitReadable(*socket);
  }
  return opened;
}

void DriverCore::OpenProbeSockets(DrivenPeer& driven, const event::ProbeSocketsWanted& wanted) {
  const auto is_there = [&](const SocketAddress& socket) { return socket.ip == wanted.address; };
  std::vector<SocketAddress> sockets;
  std::ranges::copy_if(helpers.probes, std::back_inserter(sockets), is_there);
  while (sockets.size() < wanted.count && helpers.probes.size() < kMaxProbeSockets) {
    const auto socket = mux->AddSocket(executor, {.address = {wanted.address, 0}});
    if (!socket) break;  // fewer do, too
    sockets.push_back(mux->local_addresses()[*socket].address);
    helpers.probes.push_back(sockets.back());
    WaitReadable(*socket);
  }
  if (sockets.size() > wanted.count) sockets.resize(wanted.count);
  driven.peer.HandleProbeSockets(Now(), sockets);
  Touch(driven);
}

}  // namespace jsp::transport::io
