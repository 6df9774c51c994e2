// What the driver does for candidates with names: it asks for those of others, and answers for our own.
#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

MdnsDriver* DriverCore::Mdns() {
  if (!helpers.mdns) helpers.mdns = MdnsDriver::Open(executor, AddressesOf(0), rng);
  return helpers.mdns.get();
}

void DriverCore::ResolveName(Timestamp now, DrivenPeer& driven, const std::string& name) {
  MdnsDriver* const mdns = options.resolve_mdns ? Mdns() : nullptr;
  if (mdns == nullptr) return driven.peer.HandleNameResolved(now, name, std::nullopt);
  mdns->Resolve(name,
                [weak_core = weak_from_this(), weak = driven.weak_from_this(), name](std::optional<IpAddress> address) {
                  const auto core = weak_core.lock();
                  const auto found = weak.lock();
                  if (!core || !found || found->observer == nullptr) return;
                  found->peer.HandleNameResolved(Now(), name, address);
                  core->Touch(*found);
                });
}

void DriverCore::PublishName(DrivenPeer& driven, const event::NamePublished& named) {
  MdnsDriver* const mdns = Mdns();
  if (mdns != nullptr && mdns->Publish(named.name, named.address)) driven.names.push_back(named.name);
}

void DriverCore::WithdrawNames(DrivenPeer& driven) {
  for (const std::string& name : driven.names) helpers.mdns->Withdraw(name);
  driven.names.clear();
}

}  // namespace jsp::transport::io
