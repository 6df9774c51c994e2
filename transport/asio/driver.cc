#include "transport/asio/driver.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "transport/asio/driver_core.h"
#include "transport/asio/ice_tcp.h"
#include "transport/asio/nat64_lookup.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

using boost::system::error_code;

Expected<std::shared_ptr<Driver>, error_code> Driver::Open(boost::asio::any_io_executor executor,
                                                           const DriverOptions& options) {
  std::vector<LocalAddress> addresses;
  for (const auto& address : options.bind) addresses.push_back({.address = address});
  if (options.bind.empty()) addresses = SelectAddresses(options.interfaces);
  auto core = DriverCore::Open(std::move(executor), options, addresses);
  if (!core) return Unexpected<error_code>(core.error());
  (*core)->Start();
  return std::make_shared<Driver>(std::move(*core));
}

Driver::~Driver() = default;

PeerHandle Driver::AddPeer(const PeerOptions& options, PeerObserver& observer) {
  const Timestamp now = Now();
  PeerOptions own = options;
  for (size_t i = 0; i < core_->mux->socket_count(); ++i) {
    // RFC 8261 §5: without DF a probe would say nothing.
    if (!core_->mux->socket(i).controls_fragmentation()) own.path_mtu_discovery = false;
    if (!core_->mux->socket(i).carries_ecn()) own.ecn = false;
  }
  if (core_->options.memory && own.memory.source.take == nullptr) {
    own.memory.source = MemoryBudget::SourceOf(core_->options.memory);
  }
  const SettledPeerOptions settled(own);
  auto shared = core_->peers.options.lock();
  if (!shared || *shared != settled) shared = std::make_shared<const SettledPeerOptions>(settled);
  core_->peers.options = shared;
  auto driven = std::make_shared<DrivenPeer>(std::move(shared), core_->rng, now, observer);
  // 48 random bits: among 10,000 peers two share one once in five million processes; the later one is not found by it.
  (void)core_->mux->AddPeer(driven.get(), driven->peer.local_ufrag());
  ++core_->peers.count;
  for (const LocalAddress& local : core_->AddressesOf(0)) driven->peer.AddLocalAddress(now, local);
  if (own.ice_tcp.is_passive()) core_->OfferTcpListeners(now, *driven);
  core_->OfferPorts(now, *driven);
  driven->peer.EndOfLocalAddresses(now);
  core_->Touch(*driven);
  return PeerHandle(core_, std::move(driven));
}

void Driver::SetAddresses(const std::vector<LocalAddress>& addresses) { core_->SetAddresses(addresses); }
void Driver::FindNat64(Duration deadline, std::function<void(std::optional<Nat64Prefix>)> done) const {
  if (!core_->options.find_nat64 || !HasOnlyIpv6(core_->AddressesOf(0))) return done(std::nullopt);
  LookUpNat64(core_->executor, deadline, std::move(done));
}

void Driver::SetUnknownRequestHandler(std::function<void(const UnknownRequest&)> handler) {
  core_->SetUnknownRequestHandler(std::move(handler));
}
bool Driver::HandleRequest(const UnknownRequest& request) { return core_->HandleRequest(request); }

const boost::asio::any_io_executor& Driver::executor() const { return core_->executor; }
const std::vector<LocalAddress>& Driver::local_addresses() const { return core_->mux->local_addresses(); }
size_t Driver::peer_count() const { return core_->peers.count; }
Rng& Driver::rng() { return core_->rng; }

DriverStats Driver::stats() const {
  DriverStats stats = core_->counters;
  stats.mux = core_->mux->stats();
  if (core_->helpers.tcp_listeners) stats.tcp_door = core_->helpers.tcp_listeners->metrics();
  if (const auto& member = core_->mux->membership()) stats.handover = member.group->stats(member.loop);
  if (core_->helpers.unknown) stats.unknown_requests = core_->helpers.unknown->stats();
  for (size_t i = 0; i < core_->mux->socket_count(); ++i) {
    const UdpSocketStats one = core_->mux->socket(i).stats();
    auto& sum = stats.sockets;
    sum.receive_calls += one.receive_calls;
    sum.send_calls += one.send_calls;
    sum.datagrams_received += one.datagrams_received;
    sum.datagrams_sent += one.datagrams_sent;
    sum.receive_dropped += one.receive_dropped;
    sum.receive_errors += one.receive_errors;
    sum.send_errors += one.send_errors;
    sum.too_large += one.too_large;
    sum.fragmentable += one.fragmentable;
    sum.network_errors += one.network_errors;
    sum.backlog_dropped += one.backlog_dropped;
    sum.no_buffer_space += one.no_buffer_space;
    sum.gso_refused += one.gso_refused;
    sum.receive_buffer = i == 0 ? one.receive_buffer : std::min(sum.receive_buffer, one.receive_buffer);
    sum.send_buffer = i == 0 ? one.send_buffer : std::min(sum.send_buffer, one.send_buffer);
  }
  return stats;
}

PeerHandle::PeerHandle(std::shared_ptr<DriverCore> core, std::shared_ptr<DrivenPeer> driven)
    : core_(std::move(core)), driven_(std::move(driven)) {}

PeerHandle& PeerHandle::operator=(PeerHandle&& other) noexcept {
  if (this == &other) return *this;
  Release();
  core_ = std::move(other.core_);
  driven_ = std::move(other.driven_);
  return *this;
}

PeerHandle::~PeerHandle() { Release(); }

void PeerHandle::Release() {
  if (!driven_) return;
  const auto core = std::move(core_);  // what follows may run while this handle dies
  const auto driven = std::move(driven_);
  core->Release(*driven);
}

const Peer& PeerHandle::peer() const { return driven_->peer; }
Peer& PeerHandle::mutable_peer() { return driven_->peer; }
Timestamp PeerHandle::CallTime() const { return Now(); }
void PeerHandle::Touch() { core_->Touch(*driven_); }
bool PeerHandle::AddFreshSockets() { return core_->AddFreshSockets(*driven_); }
void PeerHandle::WaitForRoom(size_t octets) {
  driven_->wanted_room = octets;
  Touch();
}
void PeerHandle::Flush() {
  Touch();
  core_->FlushDirty(Now());
  core_->CheckCongestion();
}

}  // namespace jsp::transport::io
