// What the driver does for peers whose sockets no check gets through to.
#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

// A set is fresh for every peer that did not have it yet, so that all share a few. More than two restarts for this
// reason would not help.
constexpr size_t kMaxFreshSets = 4;

}  // namespace

bool DriverCore::AddFreshSockets(DrivenPeer& driven) {
  const size_t set = driven.fresh_sets;
  if (set >= kMaxFreshSets) return false;
  if (set == helpers.fresh.size()) helpers.fresh.push_back(OpenFreshSockets());
  ++driven.fresh_sets;
  const Timestamp now = Now();
  for (const LocalAddress& local : helpers.fresh[set]) driven.peer.AddLocalAddress(now, local);
  Touch(driven);
  return !helpers.fresh[set].empty();
}

std::vector<LocalAddress> DriverCore::OpenFreshSockets() {
  std::vector<LocalAddress> opened;
  for (size_t i = 0; i < helpers.shared_sockets; ++i) {
    const auto socket = mux->AddSocket(executor, mux->local_addresses()[i]);
    if (!socket) continue;
    opened.push_back(mux->local_addresses()[*socket]);
    WaitReadable(*socket);
  }
  return opened;
}

}  // namespace jsp::transport::io
