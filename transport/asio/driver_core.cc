#include "transport/asio/driver_core.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/overloaded.h"
#include "stun/message_view.h"
#include "transport/asio/ice_tcp.h"
#include "transport/asio/relay_connection.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"

namespace jsp::transport::io {
namespace {

using boost::system::error_code;

constexpr Duration kBlockedRetry = std::chrono::milliseconds(5);
constexpr Duration kTimerGain = std::chrono::milliseconds(1);  // the timer is not moved for less
// Handlers that answer handlers: after so many rounds other work of the executor gets its turn.
constexpr int kMaxRounds = 8;
constexpr Duration kMaxBusyPoll = std::chrono::milliseconds(1);
constexpr int kMaxReadsAhead = 4;                          // likewise
constexpr size_t kMaxTimeouts = 1024;                      // of peers in a turn; likewise
constexpr Duration kLate = std::chrono::milliseconds(10);  // a timer that is so late was held up by other work
// Turns in which that is made up for: with the default budget as many datagrams as a buffer of 16 MiB holds.
constexpr int kMaxTurnsBehind = 32;

// Of the train's whole datagrams.
size_t OctetsBeforeStun(std::span<const uint8_t> train, size_t segment) {
  size_t at = 0;
  while (at < train.size()) {
    const auto datagram = train.subspan(at, std::min(segment, train.size() - at));
    if (stun::MessageView::LooksLikeStun(datagram)) break;
    at += datagram.size();
  }
  return at;
}

}  // namespace

void SendBatch::Append(UdpSocket& socket, const Peer::Transmit& transmit) {
  if (socket_ != &socket && !datagrams_.empty()) {
    socket_->Send(written(), datagrams_);  // the octets of the new one stay where they are
    datagrams_.clear();
  }
  socket_ = &socket;
  datagrams_.push_back({transmit.remote, static_cast<uint32_t>(used_), static_cast<uint32_t>(transmit.size),
                        transmit.fragmentation, transmit.ecn});
  used_ += transmit.size;
  if (LoopBuffers::kSendOctets - used_ < kMaxDatagram) Send();
}

void SendBatch::Send() {
  if (!datagrams_.empty()) socket_->Send(written(), datagrams_);
  datagrams_.clear();
  used_ = 0;
  buffer_ = {};
}

DriverCore::DriverCore(boost::asio::any_io_executor ex, const DriverOptions& driver_options,
                       std::unique_ptr<UdpMux> udp_mux)
    : executor(std::move(ex)),
      options(driver_options),
      rng(SystemRng()),
      mux(std::move(udp_mux)),
      timer(executor),
      batch(LoopBuffers::Of(executor)) {}

DriverCore::~DriverCore() { LeaveLoops(); }

void DriverCore::Start() {
  JoinLoops();
  for (size_t i = 0; i < mux->socket_count(); ++i) WaitReadable(i);
  OpenPorts();
  if (options.bind.empty() && options.watch_interfaces) WatchInterfaces();
}

// Asio only waits; the batch calls read. The handler holds no reference: a core that is gone is not kept alive.
void DriverCore::WaitReadable(size_t socket) {
  ++counters.waits;
  UdpSocket& opened = mux->socket(socket);
  opened.socket().async_wait(UdpSocket::Native::wait_read,
                             [weak = weak_from_this(), socket, which = &opened](error_code error) {
                               const auto core = weak.lock();
                               if (core && !error && core->IsSame(socket, which)) core->HandleReadable(socket);
                             });
}

void DriverCore::WaitWritable(size_t socket) {
  ++counters.waits;
  UdpSocket& opened = mux->socket(socket);
  opened.WaitForRoom([weak = weak_from_this(), socket, which = &opened](error_code error) {
    const auto core = weak.lock();
    if (core && !error && core->IsSame(socket, which)) core->HandleWritable(socket);
  });
}

// Not closed since, nor another one in its place.
bool DriverCore::IsSame(size_t socket, const UdpSocket* opened) const {
  return mux->IsOpen(socket) && &mux->socket(socket) == opened;
}

void DriverCore::HandleReadable(size_t socket) {
  const UdpSocket* const opened = &mux->socket(socket);
  (void)ReadTurn(socket, UdpSocket::Occasion::kWoken);
  for (int i = 0; i < kMaxReadsAhead && IsSame(socket, opened) && phase.read_ahead.ShouldTry(); ++i) {
    const bool has_found = ReadTurn(socket, UdpSocket::Occasion::kAhead);
    phase.read_ahead.HandleResult(has_found);
    if (!has_found) break;
  }
  if (options.busy_poll > Duration::zero()) BusyPoll(socket, opened);
  if (IsSame(socket, opened)) WaitReadable(socket);  // handlers may have changed the addresses
}

// Until nothing has come for so long, or something else is due.
void DriverCore::BusyPoll(size_t socket, const UdpSocket* opened) {
  Timestamp now = Now();
  const Timestamp end = now + kMaxBusyPoll;
  Timestamp until = now + options.busy_poll;
  while (IsSame(socket, opened) && !phase.scheduled && now < std::min(until, end)) {
    if (!deadlines.empty() && deadlines.begin()->deadline <= now) return;
    const bool has_found = ReadTurn(socket, UdpSocket::Occasion::kAhead);
    now = Now();
    if (has_found) until = now + options.busy_poll;
  }
}

// Returns whether something was there.
bool DriverCore::ReadTurn(size_t socket, UdpSocket::Occasion occasion) {
  const Timestamp now = Now();
  const auto take = [&](const ReceivedTrain& train) { FeedTrain(now, socket, train); };
  phase.in_turn = true;
  size_t received = 0;
  do {
    received += mux->socket(socket).Receive(take, occasion, [this] { SendPost(); });
  } while (received < options.receive_budget && !mux->socket(socket).is_drained());
  if (received == 0 && occasion == UdpSocket::Occasion::kAhead) {
    phase.in_turn = false;
    return false;
  }
  // What is left in it would wake us at once.
  mux->socket(socket).ReceiveErrors([&](const NetworkError& error) { FeedError(now, socket, error); });
  EndTurn(now);
  return received > 0;
}

// Records of a known address go to their peer together, all else one by one: a check among them may be for another.
void DriverCore::FeedTrain(Timestamp now, size_t socket, const ReceivedTrain& train) {
  std::span<const uint8_t> rest = train.octets;
  do {
    const auto first = rest.first(std::min(train.segment, rest.size()));
    const size_t records = OctetsBeforeStun(rest, train.segment);
    const ReceivedTrain part{train.remote, rest.first(std::max(records, first.size())), train.segment, train.mark};
    if (records <= first.size() || !RouteTrain(now, socket, part)) {
      part.ForEach([&](std::span<const uint8_t> datagram) { Feed(now, socket, train.remote, datagram, train.mark); });
    }
    rest = rest.subspan(part.octets.size());
  } while (!rest.empty());
}

// All of it to whoever has the address. False: nobody.
bool DriverCore::RouteTrain(Timestamp now, size_t socket, const ReceivedTrain& train) {
  if (const UdpMux::Key peer = mux->FindHolder(socket, train.remote)) {
    DeliverTrain(now, peer, socket, train);
    return true;
  }
  const auto loop = mux->FindHolderElsewhere(socket, train.remote);
  if (loop) HandOver(*loop, socket, train);
  return loop.has_value();
}

void DriverCore::DeliverTrain(Timestamp now, UdpMux::Key peer, size_t socket, const ReceivedTrain& train) {
  auto& driven = *static_cast<DrivenPeer*>(peer);
  const SocketAddress& local = mux->local_addresses()[socket].address;
  driven.peer.HandleTrain(now, local, train.remote, {train.octets, train.segment, train.mark});
  Touch(driven);
}

void DriverCore::Feed(Timestamp now, size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram,
                      EcnMark mark) {
  const UdpMux::Match match = mux->Find(socket, remote, datagram);
  if (match.is_unknown_request && helpers.unknown) {
    helpers.unknown->Handle(now, mux->local_addresses()[socket].address, remote, datagram);
  }
  if (match.loop) return HandOver(*match.loop, socket, {remote, datagram, std::max<size_t>(datagram.size(), 1), mark});
  if (match.peer != nullptr) Deliver(now, match, {socket, remote, datagram, mark});
}

void DriverCore::Deliver(Timestamp now, const UdpMux::Match& match, const Arrival& arrival) {
  auto& driven = *static_cast<DrivenPeer*>(match.peer);
  const SocketAddress& local = mux->local_addresses()[arrival.socket].address;
  driven.peer.HandleDatagram(now, local, arrival.remote, arrival.datagram, arrival.mark);
  if (match.is_new) MaybeAddRoute(driven, match, arrival.socket, arrival.remote);
  Touch(driven);
}

void DriverCore::FeedError(Timestamp now, size_t socket, const NetworkError& error) {
  const UdpMux::Key key = mux->FindSender(socket, error.remote, error.datagram);
  if (key == nullptr) return;
  auto& driven = *static_cast<DrivenPeer*>(key);
  const SocketAddress& local = mux->local_addresses()[socket].address;
  if (error.kind == NetworkError::Kind::kTooBig) {
    driven.peer.HandlePacketTooBig(now, local, error.remote, error.mtu);
  } else {
    driven.peer.HandleUnreachable(now, local, error.remote);
  }
  Touch(driven);
}

// Only an authenticated address is routed to, and none is taken from a peer that lives on it: a source address can be
// forged by another session's owner.
void DriverCore::MaybeAddRoute(DrivenPeer& driven, const UdpMux::Match& match, size_t socket,
                               const SocketAddress& remote) {
  if (match.holder != nullptr && static_cast<DrivenPeer*>(match.holder)->IsUsingPath()) return;
  if (!driven.peer.IsAuthenticated(mux->local_addresses()[socket].address, remote)) return;
  mux->AddRoute(&driven, socket, remote);
}

void DriverCore::HandleWritable(size_t socket) {
  const Timestamp now = Now();
  phase.in_turn = true;
  mux->socket(socket).Flush();
  phase.congested = false;
  EndTurn(now);
}

void DriverCore::CheckCongestion() {
  if (phase.congested) return;
  for (size_t i = 0; i < mux->socket_count(); ++i) {
    if (!mux->socket(i).has_backlog()) continue;
    phase.congested = true;
    return WaitWritable(i);
  }
}

void DriverCore::ArmTimer() {
  Timestamp next = helpers.post.rest.NextTimeout();
  if (!deadlines.empty()) next = std::min(next, deadlines.begin()->deadline);
  if (next == Timestamp::Never()) return;
  if (armed_at != Timestamp::Never() && armed_at <= next + kTimerGain) return;
  armed_at = next;
  ++counters.timer_moves;
  timer.expires_at(ToTimePoint(next));
  timer.async_wait([weak = weak_from_this()](error_code error) {
    const auto core = weak.lock();
    if (core && !error) core->HandleTimer();
  });
}

// What has arrived goes first where the loop was held up, as it may be what timers are about to give up for lost: an
// acknowledgement, an answer that is consent (RFC 7675 §5.1). Asio runs a timer that it found due before it looks for
// what the handlers before it took the time for.
void DriverCore::CatchUp(Timestamp now) {
  std::vector<std::shared_ptr<RelayConnection>> relays;
  for (const DrivenPeer& driven : deadlines) {
    if (driven.deadline > now) break;
    relays.insert(relays.end(), driven.relays.begin(), driven.relays.end());
  }
  for (const auto& relay : relays) relay->CatchUp();
  if (mux->membership()) ReadMail();
  for (size_t i = 0; i < mux->socket_count(); ++i) {
    int turns = 0;
    while (mux->IsOpen(i) && turns++ < kMaxTurnsBehind && ReadTurn(i, UdpSocket::Occasion::kAhead)) {
      if (mux->socket(i).is_drained()) break;
    }
  }
}

void DriverCore::HandleTimer() {
  armed_at = Timestamp::Never();
  Timestamp now = Now();
  const Duration delay = deadlines.empty() ? Duration() : now - deadlines.begin()->deadline;
  counters.latest = std::max(counters.latest, delay);
  if (delay > kLate) {
    CatchUp(now);
    now = Now();
  }
  phase.in_turn = true;
  for (size_t i = 0; i < kMaxTimeouts && !deadlines.empty() && deadlines.begin()->deadline <= now; ++i) {
    DrivenPeer& driven = *deadlines.begin();
    driven.unlink();  // FlushPeer links it again
    driven.deadline = Timestamp::Never();
    driven.peer.HandleTimeout(now);
    Touch(driven);
  }
  MaybeTrimMail(now);
  EndTurn(now);
}

void DriverCore::Touch(DrivenPeer& driven) {
  if (!driven.dirty && driven.observer != nullptr) {
    driven.dirty = true;
    dirty.push_back(driven.shared_from_this());
  }
  if (!phase.in_turn) ScheduleTurn();
}

void DriverCore::ScheduleTurn() {
  if (phase.scheduled) return;
  phase.scheduled = true;
  boost::asio::post(executor, [weak = weak_from_this()] {
    const auto core = weak.lock();
    if (!core) return;
    core->phase.scheduled = false;
    core->phase.in_turn = true;
    core->EndTurn(Now());
  });
}

// What the turn caused is sent first, then heard of; what the handlers caused in turn is sent too.
void DriverCore::EndTurn(Timestamp now) {
  ++counters.turns;
  for (int round = 0; round < kMaxRounds; ++round) {
    FlushDirty(now);
    CheckCongestion();
    if (events.pending.empty() && !HasUnknownRequests()) break;
    Dispatch();
    TellUnknownRequests();
    now = Now();
  }
  phase.in_turn = false;
  if (!events.pending.empty() || HasUnknownRequests() || (!dirty.empty() && !phase.congested)) ScheduleTurn();
  ArmTimer();
}

void DriverCore::FlushDirty(Timestamp now) {
  if (phase.congested || dirty.empty()) return;
  flushing.swap(dirty);
  for (const auto& driven : flushing) {
    driven->dirty = false;
    if (driven->observer != nullptr) FlushPeer(now, *driven);
  }
  batch.Send();
  for (const auto& driven : flushing) {
    for (const auto& relay : driven->relays) relay->HandleFlushed();
    for (const auto& connection : driven->tcp) connection->Flush();
  }
  flushing.clear();
}

void DriverCore::FlushPeer(Timestamp now, DrivenPeer& driven) {
  const bool finished = TakeOutput(now, driven);
  TakeEvents(now, driven);
  // What is due but held back would be due again at once, and the loop would spin until the connection takes more.
  const Timestamp next = driven.peer.NextTimeout();
  SetDeadline(driven, driven.IsBlocked() ? std::max(next, now + kBlockedRetry) : next);
  if (!finished) Touch(driven);
}

// False when a socket is full: the rest stays in the peer until the socket is writable.
bool DriverCore::TakeOutput(Timestamp now, DrivenPeer& driven) {
  std::optional<size_t> socket;
  SocketAddress local;
  while (!driven.IsBlocked()) {
    const auto transmit = driven.peer.PollTransmit(now, batch.room());
    if (!transmit) return true;
    if (transmit->tcp) {
      if (IceTcpConnection* tcp = driven.FindTcp(*transmit->tcp)) tcp->Write(batch.room().first(transmit->size));
      continue;
    }
    if (transmit->relay) {
      if (RelayConnection* relay = driven.FindRelay(*transmit->relay)) relay->Send(batch, *transmit);
      continue;
    }
    if (!socket || transmit->local != local) {
      local = transmit->local;
      socket = mux->FindSocket(local);
    }
    if (!socket) continue;  // an address that this driver never gave
    mux->NoteSent(&driven, *socket, transmit->remote, batch.room().first(transmit->size));
    batch.Append(mux->socket(*socket), *transmit);
    if (mux->socket(*socket).has_backlog()) return false;
  }
  return true;  // the connection touches the peer when it takes more
}

void DriverCore::TakeEvents(Timestamp now, DrivenPeer& driven) {
  while (auto event = driven.peer.PollEvent()) {
    if (const auto* name = std::get_if<event::ResolveName>(&*event)) {
      ResolveName(now, driven, name->name);
      continue;
    }
    if (const auto* named = std::get_if<event::NamePublished>(&*event)) {
      PublishName(driven, *named);
      continue;
    }
    if (const auto* wanted = std::get_if<event::RelayConnectionWanted>(&*event)) {
      OpenRelay(driven, *wanted);
      continue;
    }
    if (const auto* gone = std::get_if<event::RelayConnectionDone>(&*event)) {
      CloseRelay(driven, gone->id);
      continue;
    }
    if (const auto* connect = std::get_if<event::TcpConnectWanted>(&*event)) {
      OpenTcp(driven, *connect);
      continue;
    }
    if (const auto* closed = std::get_if<event::TcpCloseWanted>(&*event)) {
      CloseTcp(driven, closed->id);
      continue;
    }
    if (const auto* wanted = std::get_if<event::ProbeSocketsWanted>(&*event)) {
      OpenProbeSockets(driven, *wanted);
      continue;
    }
    if (std::holds_alternative<event::ProbeSocketsDone>(*event)) continue;  // the next peer needs them, too
    if (std::holds_alternative<event::FreshSocketsWanted>(*event)) {
      (void)AddFreshSockets(driven);
      continue;
    }
    if (const auto* restarted = std::get_if<event::IceRestarted>(&*event)) {
      (void)mux->AddUfrag(&driven, restarted->ufrag);
    }
    events.Push({driven.shared_from_this(), std::move(*event)});
  }
  if (driven.wanted_room && driven.peer.send_buffer_room() >= *driven.wanted_room) {
    driven.wanted_room.reset();
    events.Push({driven.shared_from_this(), std::nullopt});
  }
}

void DriverCore::Dispatch() {
  events.dispatching.swap(events.pending);
  for (Pending& next : events.dispatching) {
    if (next.driven->observer == nullptr) continue;  // released by a handler before
    if (next.event) {
      next.driven->observer->HandlePeerEvent(*next.event);
    } else {
      next.driven->observer->HandleRoom();
    }
  }
  events.dispatching.clear();
}

void DriverCore::SetDeadline(DrivenPeer& driven, Timestamp deadline) {
  if (driven.is_linked() && driven.deadline == deadline) return;
  if (driven.is_linked()) driven.unlink();
  driven.deadline = deadline;
  if (deadline != Timestamp::Never()) deadlines.insert(driven);
}

void DriverCore::Release(DrivenPeer& driven) {
  if (driven.observer == nullptr) return;
  const Timestamp now = Now();
  driven.observer = nullptr;
  driven.peer.Close(now);
  (void)TakeOutput(now, driven);
  batch.Send();
  CheckCongestion();
  driven.CloseRelays();
  driven.CloseTcp();
  WithdrawNames(driven);
  if (driven.is_linked()) driven.unlink();
  mux->RemovePeer(&driven);
  --peers.count;
}

}  // namespace jsp::transport::io
