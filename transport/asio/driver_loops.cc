// What the driver does for and with the other loops of its group.
#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

using boost::system::error_code;

Expected<std::shared_ptr<DriverCore>, error_code> DriverCore::Open(boost::asio::any_io_executor executor,
                                                                   const DriverOptions& options,
                                                                   std::span<const LocalAddress> addresses,
                                                                   const LoopMembership& membership) {
  auto mux = UdpMux::Open(executor, addresses, options.mux, membership);
  if (!mux) return Unexpected<error_code>(mux.error());
  return std::make_shared<DriverCore>(std::move(executor), options, std::move(*mux));
}

void DriverCore::JoinLoops() {
  if (const auto& member = mux->membership()) member.group->Join(member.loop, executor, weak_from_this());
}

void DriverCore::LeaveLoops() {
  if (const auto& member = mux->membership()) member.group->Leave(member.loop);
}

void DriverCore::HandOver(size_t loop, const Arrival& arrival) {
  const auto& [group, own] = mux->membership();
  const LoopRoute route{mux->local_addresses()[arrival.socket].address, arrival.remote};
  group->HandOver(own, loop, route, arrival.datagram, arrival.mark);
}

void DriverCore::ReadMail() {
  const Timestamp now = Now();
  const auto& [group, own] = mux->membership();
  group->Take(own, helpers.mail);
  phase.in_turn = true;
  uint64_t received = 0;
  uint64_t astray = 0;
  auto octets = std::span<const uint8_t>(helpers.mail.octets);
  for (const LoopGroup::Letter& letter : helpers.mail.letters) {
    const auto datagram = octets.first(letter.size);
    octets = octets.subspan(letter.size);
    if (letter.kind == LoopGroup::Letter::Kind::kRouteWanted) {
      ReadRouteWanted(letter.route);
    } else {
      ++(ReadDatagram(now, letter, datagram) ? received : astray);
    }
  }
  group->NoteRead(own, received, astray);
  EndTurn(now);
}

// What is not for a peer here goes no further: where it belongs may have changed while it was under way.
bool DriverCore::ReadDatagram(Timestamp now, const LoopGroup::Letter& letter, std::span<const uint8_t> datagram) {
  const auto socket = mux->FindSocket(letter.route.local);
  if (!socket) return false;
  const UdpMux::Match match = mux->Find(*socket, letter.route.remote, datagram);
  if (match.peer == nullptr) return false;
  Deliver(now, match, {*socket, letter.route.remote, datagram, letter.mark});
  return true;
}

// As in MaybeAddRoute: none is taken from a peer that lives on it.
void DriverCore::ReadRouteWanted(const LoopRoute& route) {
  const auto socket = mux->FindSocket(route.local);
  if (!socket) return;
  const auto* holder = static_cast<const DrivenPeer*>(mux->FindHolder(*socket, route.remote));
  if (holder != nullptr && !holder->IsUsingPath()) mux->RemoveRoute(*socket, route.remote);
}

}  // namespace jsp::transport::io
