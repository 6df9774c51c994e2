// What the driver does for and with the other loops of its group.
#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

using boost::system::error_code;

namespace {

constexpr size_t kMaxParcels = 256;  // of a batch; more are sent before its end

}  // namespace

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

// Where it was read to it stays until SendPost().
void DriverCore::HandOver(size_t loop, size_t socket, const ReceivedTrain& train) {
  auto& outgoing = helpers.post.outgoing;
  if (outgoing.size() >= kMaxParcels) SendPost();
  const LoopGroup::Letter letter{.mark = train.mark,
                                 .route = {mux->local_addresses()[socket].address, train.remote},
                                 .size = static_cast<uint32_t>(train.octets.size()),
                                 .segment = static_cast<uint32_t>(train.segment)};
  outgoing.push_back({loop, letter, train.octets});
}

void DriverCore::SendPost() {
  auto& outgoing = helpers.post.outgoing;
  if (outgoing.empty()) return;
  const auto& [group, own] = mux->membership();
  group->HandOver(own, outgoing);
  outgoing.clear();
}

void DriverCore::ReadMail() {
  const Timestamp now = Now();
  const auto& [group, own] = mux->membership();
  auto& [outgoing, mail, rest] = helpers.post;
  group->Take(own, mail);
  rest.HandleMail(now, mail.size(), mail.room());
  phase.in_turn = true;
  uint64_t received = 0;
  uint64_t astray = 0;
  auto octets = std::span<const uint8_t>(mail.octets);
  for (const LoopGroup::Letter& letter : mail.letters) {
    const ReceivedTrain train = letter.Train(octets.first(letter.size));
    octets = octets.subspan(letter.size);
    if (letter.kind == LoopGroup::Letter::Kind::kRouteWanted) {
      ReadRouteWanted(letter.route);
    } else {
      (ReadTrain(now, letter.route.local, train) ? received : astray) += train.count();
    }
  }
  group->NoteRead(own, received, astray, mail.room());
  EndTurn(now);
}

// What is not for a peer here goes no further: where it belongs may have changed while it was under way.
bool DriverCore::ReadTrain(Timestamp now, const SocketAddress& local, const ReceivedTrain& train) {
  const auto socket = mux->FindSocket(local);
  if (!socket) return false;
  if (train.count() > 1) {
    const UdpMux::Key holder = mux->FindHolder(*socket, train.remote);
    if (holder != nullptr) DeliverTrain(now, holder, *socket, train);
    return holder != nullptr;
  }
  const UdpMux::Match match = mux->Find(*socket, train.remote, train.octets);
  if (match.peer == nullptr) return false;
  Deliver(now, match, {*socket, train.remote, train.octets, train.mark});
  return true;
}

void DriverCore::MaybeTrimMail(Timestamp now) {
  auto& [outgoing, mail, rest] = helpers.post;
  if (!rest.PopDue(now)) return;
  mail = {};
  const auto& [group, own] = mux->membership();
  group->TrimMail(own);
}

// As in MaybeAddRoute: none is taken from a peer that lives on it.
void DriverCore::ReadRouteWanted(const LoopRoute& route) {
  const auto socket = mux->FindSocket(route.local);
  if (!socket) return;
  const auto* holder = static_cast<const DrivenPeer*>(mux->FindHolder(*socket, route.remote));
  if (holder != nullptr && !holder->IsUsingPath()) mux->RemoveRoute(*socket, route.remote);
}

}  // namespace jsp::transport::io
