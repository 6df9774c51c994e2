// What the driver does for peers with candidates over TCP (RFC 6544).
#include <algorithm>

#include "transport/asio/driver_core.h"
#include "transport/asio/ice_tcp.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

IceTcpConnection* DrivenPeer::FindTcp(ice::TcpId id) const {
  const auto found = std::ranges::find(tcp, std::optional(id), [](const auto& connection) { return connection->id(); });
  return found == tcp.end() ? nullptr : found->get();
}

bool DrivenPeer::IsTcpBlocked() const {
  return std::ranges::any_of(tcp, [](const auto& connection) { return connection->is_blocked(); });
}

void DrivenPeer::CloseTcp() {
  for (const auto& connection : tcp) connection->Close();
  tcp.clear();
}

void DriverCore::OfferTcpListeners(Timestamp now, DrivenPeer& driven) {
  if (!helpers.tcp_listeners) {
    helpers.tcp_listeners = std::make_unique<IceTcpListeners>(shared_from_this(), AddressesOf(0));
  }
  for (const LocalAddress& listener : helpers.tcp_listeners->addresses()) driven.peer.AddTcpListener(now, listener);
}

void DriverCore::OpenTcp(DrivenPeer& driven, const event::TcpConnectWanted& wanted) {
  auto connection = std::make_shared<IceTcpConnection>(shared_from_this());
  connection->Connect(driven.shared_from_this(), wanted);
  driven.tcp.push_back(std::move(connection));
}

void DriverCore::CloseTcp(DrivenPeer& driven, ice::TcpId id) {
  std::erase_if(driven.tcp, [&](const auto& connection) {
    if (connection->id() != id) return false;
    connection->Close();
    return true;
  });
}

void DriverCore::TcpTurn(DrivenPeer& driven, const std::function<void(Timestamp)>& call) {
  const auto kept = driven.shared_from_this();
  const Timestamp now = Now();
  phase.in_turn = true;
  call(now);
  Touch(driven);
  EndTurn(now);
}

}  // namespace jsp::transport::io
