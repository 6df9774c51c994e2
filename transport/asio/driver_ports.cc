// What the driver does for peers with ports that gateways map.
#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

void DriverCore::OpenPorts() {
  if (!options.port_mapping.is_enabled) return;
  helpers.ports.reset();  // RFC 6887 §15: what was mapped is given back first
  helpers.ports = PortMapper::Open(executor, AddressesOf(0), options.port_mapping, rng, [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->HandlePortsChanged();
  });
}

void DriverCore::OfferPorts(Timestamp now, DrivenPeer& driven) {
  if (!helpers.ports) return;
  for (const auto& mapped : helpers.ports->mappings()) {
    driven.peer.HandlePortMapped(now, mapped.local, mapped.external, mapped.gateway);
  }
  if (helpers.ports->is_settled()) return driven.peer.HandlePortMappingsSettled(now);
  driven.peer.AwaitPortMappings();
  helpers.awaiting_ports.push_back(driven.weak_from_this());
}

void DriverCore::HandlePortsChanged() {
  const auto waiting = std::exchange(helpers.awaiting_ports, {});
  const Timestamp now = Now();
  for (const auto& weak : waiting) {
    const auto driven = weak.lock();
    if (!driven || driven->observer == nullptr) continue;
    OfferPorts(now, *driven);  // one that goes on waiting is put back
    Touch(*driven);
  }
}

}  // namespace jsp::transport::io
