// What the driver does for peers with TURN servers.
#include <algorithm>

#include "transport/asio/driver_core.h"
#include "transport/asio/relay_connection.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

RelayConnection* DrivenPeer::FindRelay(RelayId id) const {
  const auto found = std::ranges::find(relays, id, [](const auto& relay) { return relay->id(); });
  return found == relays.end() ? nullptr : found->get();
}

bool DrivenPeer::IsRelayBlocked() const {
  return std::ranges::any_of(relays, [](const auto& relay) { return relay->is_blocked(); });
}

void DrivenPeer::CloseRelays() {
  for (const auto& relay : relays) relay->Close();
  relays.clear();
}

void DriverCore::OpenRelay(DrivenPeer& driven, const event::RelayConnectionWanted& wanted) {
  auto relay = RelayConnection::Open(shared_from_this(), driven.shared_from_this(), wanted.id, wanted.server);
  if (relay) driven.relays.push_back(std::move(relay));
  Touch(driven);
}

void DriverCore::CloseRelay(DrivenPeer& driven, RelayId id) {
  batch.Send();  // it may hold datagrams for the connection's socket
  std::erase_if(driven.relays, [&](const auto& relay) {
    if (relay->id() != id) return false;
    relay->Close();
    return true;
  });
}

bool DriverCore::RelayTurn(DrivenPeer& driven, RelayId id, const std::function<void(Timestamp)>& call) {
  const auto kept = driven.shared_from_this();
  const Timestamp now = Now();
  phase.in_turn = true;
  call(now);
  Touch(driven);
  EndTurn(now);
  return kept->observer != nullptr && kept->FindRelay(id) != nullptr;
}

}  // namespace jsp::transport::io
