#include "transport/asio/udp_mux.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "stun/message_view.h"

namespace jsp::transport::io {

using boost::system::error_code;

namespace {

error_code NoAddress() { return boost::system::errc::make_error_code(boost::system::errc::address_not_available); }

}  // namespace

Expected<std::unique_ptr<UdpMux>, error_code> UdpMux::Open(const boost::asio::any_io_executor& executor,
                                                           std::span<const LocalAddress> addresses,
                                                           const Options& options) {
  std::unique_ptr<UdpMux> mux(new UdpMux(options));
  error_code error = NoAddress();
  if (options.ports.low == 0) {
    error = mux->BindAll(executor, addresses, 0);
  } else {
    for (uint32_t port = options.ports.low; port <= std::max(options.ports.low, options.ports.high); ++port) {
      error = mux->BindAll(executor, addresses, static_cast<uint16_t>(port));
      if (!error) break;
    }
  }
  if (error) return Unexpected<error_code>(error);
  return mux;
}

UdpMux::UdpMux(const Options& options) : options_(options) {}

// One port for all addresses, where it is free: the first address decides. A fixed port must be free on all of them.
error_code UdpMux::BindAll(const boost::asio::any_io_executor& executor, std::span<const LocalAddress> addresses,
                           uint16_t port) {
  error_code last = NoAddress();
  const bool fixed = port != 0;
  sockets_.clear();
  locals_.clear();
  for (const auto& address : addresses) {
    const uint16_t own = address.address.port;
    auto opened = UdpSocket::Open(executor, {address.address.ip, own != 0 ? own : port}, options_.socket);
    if (!opened && own == 0 && !fixed && port != 0) {
      opened = UdpSocket::Open(executor, {address.address.ip, 0}, options_.socket);
    }
    if (!opened) {
      last = opened.error();
      if (fixed && own == 0 && last == boost::asio::error::address_in_use) return last;
      continue;  // for example an IPv6 address still under duplicate detection
    }
    LocalAddress bound = address;
    bound.address = (*opened)->local();
    if (port == 0 && own == 0) port = bound.address.port;
    locals_.push_back(bound);
    sockets_.push_back({std::move(*opened), {}});
  }
  return sockets_.empty() ? last : error_code();
}

Expected<size_t, error_code> UdpMux::AddSocket(const boost::asio::any_io_executor& executor,
                                               const LocalAddress& address) {
  const PortRange& range = options_.ports;
  auto opened = UdpSocket::Open(executor, address.address, options_.socket);
  if (!opened || !range.Contains((*opened)->local().port)) {
    for (uint32_t port = range.low; port <= std::max(range.low, range.high); ++port) {
      opened = UdpSocket::Open(executor, {address.address.ip, static_cast<uint16_t>(port)}, options_.socket);
      if (opened) break;
    }
  }
  if (!opened) return Unexpected<error_code>(opened.error());
  size_t index = 0;
  while (index < sockets_.size() && IsOpen(index)) ++index;
  if (index == sockets_.size()) {
    sockets_.emplace_back();
    locals_.emplace_back();
  }
  locals_[index] = address;
  locals_[index].address = (*opened)->local();
  sockets_[index] = {std::move(*opened), {}};
  return index;
}

void UdpMux::RemoveSocket(size_t index) {
  Bound& bound = sockets_[index];
  bound.socket->Close();
  route_count_ -= bound.routes.size();
  bound.routes.clear();
  locals_[index] = {};
  for (auto& [key, entry] : peers_) {
    std::erase_if(entry.routes, [&](const Route& route) { return route.socket == index; });
  }
}

std::optional<size_t> UdpMux::FindSocket(const SocketAddress& local) const {
  for (size_t i = 0; i < locals_.size(); ++i) {
    if (locals_[i].address == local) return i;
  }
  return std::nullopt;
}

bool UdpMux::AddPeer(Key peer, std::string_view ufrag) {
  return peers_.try_emplace(peer).second && AddUfrag(peer, ufrag);
}

bool UdpMux::AddUfrag(Key peer, std::string_view ufrag) {
  // One that carries data, one that is being checked, and one that a rolled back offer left behind.
  constexpr size_t kMaxUfrags = 3;
  const auto entry = peers_.find(peer);
  if (entry == peers_.end() || !ufrags_.try_emplace(std::string(ufrag), peer).second) return false;
  auto& ufrags = entry->second.ufrags;
  ufrags.emplace_back(ufrag);
  if (ufrags.size() > kMaxUfrags) {
    ufrags_.erase(ufrags.front());
    ufrags.erase(ufrags.begin());
  }
  return true;
}

void UdpMux::RemovePeer(Key peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  const PeerEntry entry = std::move(found->second);
  peers_.erase(found);
  for (const auto& ufrag : entry.ufrags) ufrags_.erase(ufrag);
  for (const auto& route : entry.routes) {
    auto& routes = sockets_[route.socket].routes;
    const auto at = routes.find(route.remote);
    if (at == routes.end() || at->second != peer) continue;  // another peer took the address over
    routes.erase(at);
    --route_count_;
  }
}

// RFC 8445 §7.2.2: the USERNAME of a request is "their ufrag for us:our ufrag for them", as seen by its receiver.
UdpMux::Key UdpMux::FindByUfrag(std::span<const uint8_t> datagram) const {
  const auto message = stun::MessageView::Parse(datagram);
  if (!message) return nullptr;
  const auto username = message->FindText(stun::AttributeType::kUsername);
  if (!username) return nullptr;
  const auto found = ufrags_.find(username->substr(0, username->find(':')));
  return found == ufrags_.end() ? nullptr : found->second;
}

UdpMux::Key UdpMux::FindByAddress(size_t socket, const SocketAddress& remote) const {
  const auto& routes = sockets_[socket].routes;
  const auto route = routes.find(remote);
  return route == routes.end() ? nullptr : route->second;
}

UdpMux::Match UdpMux::Find(size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram) {
  const Key by_address = FindByAddress(socket, remote);
  if (!stun::MessageView::LooksLikeStun(datagram)) {
    if (by_address == nullptr) ++stats_.unknown_source;
    return {by_address, false, by_address};
  }
  // RFC 8489 §5: the class bits of the message type; 0x0110 masks them.
  const bool is_response = (datagram[0] & 0x01) != 0;
  if (is_response) {
    stun::TransactionId id;
    std::ranges::copy(datagram.subspan(8, id.octets.size()), id.octets.begin());
    const auto request = requests_.find(id);
    if (request != requests_.end() && peers_.contains(request->second)) {
      return {request->second, request->second != by_address, by_address};
    }
    if (by_address == nullptr) ++stats_.unknown_source;
    return {by_address, false, by_address};
  }
  const Key by_ufrag = FindByUfrag(datagram);
  if (by_ufrag != nullptr) return {by_ufrag, by_ufrag != by_address, by_address};
  if (by_address == nullptr) ++stats_.unknown_ufrag;
  return {by_address, false, by_address, true};  // the peer of that address drops and counts it
}

UdpMux::Key UdpMux::FindRequested(std::span<const uint8_t> request) {
  const Key peer = FindByUfrag(request);
  if (peer == nullptr) ++stats_.unknown_ufrag;
  return peer;
}

UdpMux::Key UdpMux::FindSender(size_t socket, const SocketAddress& remote, std::span<const uint8_t> quoted) const {
  const auto& routes = sockets_[socket].routes;
  if (const auto route = routes.find(remote); route != routes.end()) return route->second;
  stun::TransactionId id;
  if (quoted.size() < 8 + id.octets.size()) return nullptr;
  std::ranges::copy(quoted.subspan(8, id.octets.size()), id.octets.begin());
  const auto request = requests_.find(id);
  return request != requests_.end() && peers_.contains(request->second) ? request->second : nullptr;
}

void UdpMux::AddRoute(Key peer, size_t socket, const SocketAddress& remote) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  auto& routes = sockets_[socket].routes;
  const auto existing = routes.find(remote);
  if (existing != routes.end() && existing->second == peer) return;
  if (route_count_ >= options_.max_routes || entry->second.routes.size() >= options_.max_routes_per_peer) {
    ++stats_.routes_refused;
    return;
  }
  if (existing == routes.end()) ++route_count_;
  routes.insert_or_assign(remote, peer);
  entry->second.routes.push_back({socket, remote});
}

void UdpMux::NoteSent(Key peer, size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram) {
  if (!stun::MessageView::LooksLikeStun(datagram) || (datagram[0] & 0x01) != 0 || (datagram[1] & 0x10) != 0) return;
  const auto& routes = sockets_[socket].routes;
  const auto route = routes.find(remote);
  if (route != routes.end() && route->second == peer) return;
  stun::TransactionId id;
  std::ranges::copy(datagram.subspan(8, id.octets.size()), id.octets.begin());
  if (!requests_.insert_or_assign(id, peer).second) return;  // a retransmission
  request_order_.push_back(id);
  if (request_order_.size() <= options_.max_pending_requests) return;
  requests_.erase(request_order_.front());
  request_order_.pop_front();
}

}  // namespace jsp::transport::io
