#include "transport/asio/ice_tcp.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadOctets = 64 * 1024;
constexpr int kReadsAtOnce = 8;                                  // then others get their turn
constexpr auto kNoDescriptors = std::chrono::milliseconds(200);  // to wait when the process has no more

}  // namespace

void IceTcpConnection::Connect(const std::shared_ptr<DrivenPeer>& driven, const event::TcpConnectWanted& wanted) {
  const auto core = core_.lock();
  driven_ = driven;
  id_ = wanted.id;
  remote_ = wanted.remote;
  socket_ = IceTcpSocket::Connect(core->executor, wanted.local, wanted.remote, *this);
}

void IceTcpConnection::Visit(IceTcpSocket::Native socket, const SocketAddress& listener, ice::TcpVisitorId visitor) {
  visitor_ = visitor;
  listener_ = listener;
  error_code unknown;
  const tcp::endpoint remote = socket.remote_endpoint(unknown);
  remote_ = {FromAsioAddress(remote.address()), remote.port()};
  socket_ = IceTcpSocket::Accepted(std::move(socket), *this);
}

void IceTcpConnection::TurnAway() {
  visitor_.reset();
  socket_->Abort();
}

void IceTcpConnection::LetIn(const std::shared_ptr<DrivenPeer>& driven, ice::TcpId id) {
  driven_ = driven;
  id_ = id;
  visitor_.reset();
}

std::shared_ptr<DrivenPeer> IceTcpConnection::Owner() const {
  const auto driven = driven_.lock();
  const bool is_its = driven && driven->observer != nullptr && id_ && driven->FindTcp(*id_) == this;
  return is_its ? driven : nullptr;
}

void IceTcpConnection::HandleTcpConnected() {
  const auto kept = shared_from_this();
  const auto core = core_.lock();
  const auto driven = core ? Owner() : nullptr;
  if (!driven) return;
  core->TcpTurn(*driven, [&](Timestamp now) { driven->peer.HandleTcpConnected(now, *id_); });
}

void IceTcpConnection::HandleTcpReadable() {
  const auto kept = shared_from_this();
  const auto core = core_.lock();
  if (!core) return;
  // One for all connections: an idle one has none.
  core->helpers.tcp_input.resize(kReadOctets);
  const std::span<uint8_t> buffer(core->helpers.tcp_input);
  const Timestamp now = Now();
  core->phase.in_turn = true;
  bool goes_on = true;
  for (int i = 0; goes_on && i < kReadsAtOnce; ++i) {
    const auto size = socket_->Read(buffer);
    if (!size || *size == 0) break;
    goes_on = Feed(*core, now, buffer.first(*size));
  }
  core->EndTurn(now);
  if (goes_on && (visitor_ || Owner())) socket_->WaitReadable();
}

bool IceTcpConnection::Feed(DriverCore& core, Timestamp now, std::span<const uint8_t> octets) {
  if (visitor_ && !core.helpers.tcp_listeners->HandleOctets(core, now, *this, octets)) return visitor_.has_value();
  const auto driven = Owner();
  if (!driven) return false;
  driven->peer.HandleTcpOctets(now, *id_, octets);
  core.Touch(*driven);
  return true;
}

void IceTcpConnection::HandleTcpWritable() {
  const auto kept = shared_from_this();
  const auto core = core_.lock();
  const auto driven = core ? Owner() : nullptr;
  if (driven) core->TcpTurn(*driven, [](Timestamp) {});
}

void IceTcpConnection::HandleTcpFailed() {
  const auto kept = shared_from_this();
  const auto core = core_.lock();
  if (!core) return;
  if (visitor_ && core->helpers.tcp_listeners) return core->helpers.tcp_listeners->HandleGone(*visitor_);
  const auto driven = Owner();
  if (!driven) return;
  std::erase(driven->tcp, kept);
  core->TcpTurn(*driven, [&](Timestamp now) { driven->peer.HandleTcpClosed(now, *id_); });
}

IceTcpListeners::IceTcpListeners(const std::shared_ptr<DriverCore>& core, const std::vector<LocalAddress>& addresses)
    : core_(core),
      executor_(core->executor),
      door_(core->options.ice_tcp.door),
      ports_(core->options.ice_tcp.ports),
      timer_(executor_),
      alive_(std::make_shared<IceTcpListeners*>(this)) {
  (void)SetAddresses(addresses);
}

std::vector<LocalAddress> IceTcpListeners::addresses() const {
  std::vector<LocalAddress> open;
  for (size_t i = 0; i < acceptors_.size(); ++i) {
    if (acceptors_[i]->is_open()) open.push_back(addresses_[i]);
  }
  return open;
}

std::vector<LocalAddress> IceTcpListeners::SetAddresses(const std::vector<LocalAddress>& addresses) {
  const auto has_ip = [](const std::vector<LocalAddress>& list, const IpAddress& ip) {
    return std::ranges::any_of(list, [&](const LocalAddress& each) { return each.address.ip == ip; });
  };
  error_code ignored;
  for (size_t i = 0; i < acceptors_.size(); ++i) {
    if (!has_ip(addresses, addresses_[i].address.ip)) acceptors_[i]->close(ignored);
  }
  const size_t before = acceptors_.size();
  for (const LocalAddress& address : addresses) {
    if (!has_ip(this->addresses(), address.address.ip)) Open(address, ports_);
  }
  return {addresses_.begin() + static_cast<std::ptrdiff_t>(before), addresses_.end()};
}

IceTcpListeners::~IceTcpListeners() {
  for (const auto& [id, visitor] : visitors_) visitor->TurnAway();
}

std::optional<SocketAddress> IceTcpListeners::Bind(Acceptor& acceptor, const SocketAddress& wish) {
  const tcp::endpoint endpoint(ToAsioAddress(wish.ip), wish.port);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  // A server that starts anew finds its port in use by connections of its former life.
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  const tcp::endpoint bound = error ? tcp::endpoint() : acceptor.local_endpoint(error);
  if (!error) return SocketAddress{wish.ip, bound.port()};
  error_code ignored;
  acceptor.close(ignored);
  return std::nullopt;
}

// The UDP socket's port first: one number for a firewall's rules.
void IceTcpListeners::Open(const LocalAddress& address, const PortRange& ports) {
  auto acceptor = std::make_unique<Acceptor>(executor_);
  std::optional<SocketAddress> bound;
  if (ports.low == 0) {
    bound = Bind(*acceptor, address.address);
    if (!bound) bound = Bind(*acceptor, {address.address.ip, 0});
  }
  const uint32_t high = ports.low == 0 ? 0 : std::max(ports.low, ports.high);
  for (uint32_t port = std::max<uint32_t>(ports.low, 1); !bound && port <= high; ++port) {
    bound = Bind(*acceptor, {address.address.ip, static_cast<uint16_t>(port)});
  }
  if (!bound) return;
  LocalAddress listener = address;
  listener.address = *bound;
  addresses_.push_back(listener);
  acceptors_.push_back(std::move(acceptor));
  Accept(acceptors_.size() - 1);
}

void IceTcpListeners::Accept(size_t listener) {
  acceptors_[listener]->async_accept(
      [weak = std::weak_ptr(alive_), listener](error_code error, IceTcpSocket::Native socket) {
        const auto alive = weak.lock();
        if (!alive || error == boost::asio::error::operation_aborted) return;
        IceTcpListeners& self = **alive;
        if (!self.acceptors_[listener]->is_open()) return;  // its address is gone
        if (!error) self.HandleAccepted(listener, std::move(socket));
        // Out of descriptors the next call would fail likewise, at once.
        const bool is_of_peer = error == boost::asio::error::connection_aborted;
        error && !is_of_peer ? self.PauseAccepting(listener) : self.Accept(listener);
      });
}

void IceTcpListeners::PauseAccepting(size_t listener) {
  auto pause = std::make_shared<boost::asio::steady_timer>(executor_, kNoDescriptors);
  pause->async_wait([weak = std::weak_ptr(alive_), pause, listener](error_code) {
    const auto alive = weak.lock();
    if (alive && (*alive)->acceptors_[listener]->is_open()) (*alive)->Accept(listener);
  });
}

void IceTcpListeners::HandleAccepted(size_t listener, IceTcpSocket::Native socket) {
  const auto core = core_.lock();
  error_code gone;
  const tcp::endpoint remote = socket.remote_endpoint(gone);
  if (!core || gone) return;
  const auto visitor = door_.HandleAccepted(Now(), FromAsioAddress(remote.address()));
  CloseRefused();
  if (!visitor) return;  // closed with its socket
  auto connection = std::make_shared<IceTcpConnection>(core);
  connection->Visit(std::move(socket), addresses_[listener].address, *visitor);
  visitors_.emplace(*visitor, std::move(connection));
  ArmTimer();
}

bool IceTcpListeners::HandleOctets(DriverCore& core, Timestamp now, IceTcpConnection& visitor,
                                   std::span<const uint8_t>& octets) {
  const ice::TcpVisitorId id = *visitor.visitor();
  const auto heard = door_.HandleOctets(id, octets);
  if (heard.verdict == ice::TcpDoor::Verdict::kWait) return false;
  const auto found = visitors_.find(id);
  if (found == visitors_.end()) return false;
  const auto leaving = found->second;
  visitors_.erase(found);
  std::optional<ice::TcpId> taken;
  if (heard.verdict == ice::TcpDoor::Verdict::kCheck) {
    auto* driven = static_cast<DrivenPeer*>(core.mux->FindRequested(heard.check));
    if (driven != nullptr) {
      taken = driven->peer.HandleTcpAccepted(now, visitor.listener(), visitor.remote(), heard.check);
      core.Touch(*driven);
    }
    if (taken) {
      visitor.LetIn(driven->shared_from_this(), *taken);
      driven->tcp.push_back(leaving);
    }
    door_.HandleLeft(id);
  }
  if (!taken) visitor.TurnAway();
  return taken.has_value();
}

void IceTcpListeners::HandleGone(ice::TcpVisitorId visitor) {
  door_.HandleGone(visitor);
  visitors_.erase(visitor);
}

void IceTcpListeners::CloseRefused() {
  while (const auto refused = door_.PollRefused()) {
    const auto visitor = visitors_.find(*refused);
    if (visitor == visitors_.end()) continue;
    visitor->second->TurnAway();
    visitors_.erase(visitor);
  }
}

void IceTcpListeners::ArmTimer() {
  const Timestamp next = door_.NextTimeout();
  if (next == Timestamp::Never() || (armed_at_ != Timestamp::Never() && armed_at_ <= next)) return;
  armed_at_ = next;
  timer_.expires_at(ToTimePoint(next));
  timer_.async_wait([weak = std::weak_ptr(alive_)](error_code error) {
    const auto alive = weak.lock();
    if (!alive || error) return;
    IceTcpListeners& self = **alive;
    self.armed_at_ = Timestamp::Never();
    self.door_.HandleTimeout(Now());
    self.CloseRefused();
    self.ArmTimer();
  });
}

}  // namespace jsp::transport::io
