// What the driver does when interfaces come, go, or get other addresses.
#include <algorithm>

#include "transport/asio/driver_core.h"
#include "transport/asio/ice_tcp.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

bool Has(const std::vector<LocalAddress>& list, const SocketAddress& address) {
  return std::ranges::find(list, address, &LocalAddress::address) != list.end();
}
bool HasIp(const std::vector<LocalAddress>& list, const IpAddress& ip) {
  return std::ranges::find(list, ip, [](const LocalAddress& local) { return local.address.ip; }) != list.end();
}

}  // namespace

void DriverCore::WatchInterfaces() {
  helpers.watch = InterfaceWatch::Open(executor, [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->Rescan();
  });
}

void DriverCore::Rescan() { SetAddresses(SelectAddresses(options.interfaces)); }

std::vector<LocalAddress> DriverCore::AddressesOf(size_t fresh_sets) const {
  std::vector<LocalAddress> present;
  const auto is_of_others = [&](const LocalAddress& local) {
    const auto foreign = std::span(helpers.fresh).subspan(std::min(fresh_sets, helpers.fresh.size()));
    return std::ranges::any_of(foreign, [&](const auto& set) { return Has(set, local.address); }) ||
           std::ranges::find(helpers.probes, local.address) != helpers.probes.end();
  };
  for (const LocalAddress& local : mux->local_addresses()) {
    if (local.address.port != 0 && !is_of_others(local)) present.push_back(local);
  }
  return present;
}

// On the port of the others, so that a rule of a firewall goes on to fit.
size_t DriverCore::OpenMissing(const std::vector<LocalAddress>& wanted) {
  size_t opened = 0;
  for (LocalAddress address : wanted) {
    const std::vector<LocalAddress> shared = AddressesOf(0);
    if (HasIp(shared, address.address.ip)) continue;
    if (address.address.port == 0 && !shared.empty()) address.address.port = shared.front().address.port;
    const auto added = mux->AddSocket(executor, address, UdpMux::Sharing::kWithLoops);
    if (!added) continue;  // an IPv6 address under duplicate detection; the watch tells when it is over
    WaitReadable(*added);
    ++opened;
  }
  return opened;
}

size_t DriverCore::CloseOthers(const std::vector<LocalAddress>& wanted) {
  size_t closed = 0;
  for (size_t i = 0; i < mux->socket_count(); ++i) {
    if (!mux->IsOpen(i) || HasIp(wanted, mux->local_addresses()[i].address.ip)) continue;
    const SocketAddress gone = mux->local_addresses()[i].address;
    for (auto& set : helpers.fresh) std::erase_if(set, [&](const LocalAddress& l) { return l.address == gone; });
    std::erase(helpers.probes, gone);
    mux->RemoveSocket(i);
    ++closed;
  }
  return closed;
}

// Sockets of addresses that stay are not touched. New ones come first, so that a peer that loses its path has another.
void DriverCore::SetAddresses(const std::vector<LocalAddress>& wanted) {
  const size_t changes = OpenMissing(wanted) + CloseOthers(wanted);
  if (changes == 0) return;
  counters.network_changes += changes;
  const Timestamp now = Now();
  std::vector<LocalAddress> listeners;
  if (helpers.tcp_listeners) listeners = helpers.tcp_listeners->SetAddresses(AddressesOf(0));
  mux->ForEachPeer([&](UdpMux::Key key) {
    auto& driven = *static_cast<DrivenPeer*>(key);
    driven.peer.HandleLocalAddresses(now, AddressesOf(driven.fresh_sets));
    for (const LocalAddress& listener : listeners) driven.peer.AddTcpListener(now, listener);
    Touch(driven);
  });
  OpenPorts();
  if (helpers.mdns) helpers.mdns->SetInterfaces(AddressesOf(0));
  phase.congested = false;  // the socket that was waited for may be gone
  if (!dirty.empty() && !phase.in_turn) ScheduleTurn();
}

}  // namespace jsp::transport::io
