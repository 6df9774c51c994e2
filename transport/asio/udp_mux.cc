#include "transport/asio/udp_mux.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "stun/message_view.h"

namespace jsp::transport::io {

using boost::system::error_code;

namespace {

constexpr size_t kTransactionOffset = 8;  // RFC 8489 §5

stun::TransactionId TransactionOf(std::span<const uint8_t> message) {
  stun::TransactionId id;
  std::ranges::copy(message.subspan(kTransactionOffset, id.octets.size()), id.octets.begin());
  return id;
}

// RFC 8445 §7.2.2: the USERNAME of a request is "their ufrag for us:our ufrag for them", as seen by its receiver.
std::optional<std::string_view> UfragOf(std::span<const uint8_t> request) {
  const auto message = stun::MessageView::Parse(request);
  const auto username = message ? message->FindText(stun::AttributeType::kUsername) : std::nullopt;
  if (!username) return std::nullopt;
  return username->substr(0, username->find(':'));
}

error_code NoAddress() { return boost::system::errc::make_error_code(boost::system::errc::address_not_available); }

}  // namespace

Expected<std::unique_ptr<UdpMux>, error_code> UdpMux::Open(const boost::asio::any_io_executor& executor,
                                                           std::span<const LocalAddress> addresses,
                                                           const Options& options, const LoopMembership& membership) {
  std::unique_ptr<UdpMux> mux(new UdpMux(options, membership));
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

UdpMux::UdpMux(const Options& options, const LoopMembership& membership) : options_(options), membership_(membership) {}

Expected<SharedPorts::Socket, error_code> UdpMux::OpenSocket(const boost::asio::any_io_executor& executor,
                                                             const SocketAddress& address, Sharing sharing) {
  if (membership_ && sharing == Sharing::kWithLoops) {
    return SharedPorts::Open(membership_.group->ports(), membership_.loop, executor, address, options_.socket);
  }
  auto opened = UdpSocket::Open(executor, address, options_.socket);
  if (!opened) return Unexpected<error_code>(opened.error());
  return SharedPorts::Socket(opened->release());
}

// One port for all addresses, where it is free: the first address decides. A fixed port must be free on all of them.
error_code UdpMux::BindAll(const boost::asio::any_io_executor& executor, std::span<const LocalAddress> addresses,
                           uint16_t port) {
  error_code last = NoAddress();
  const bool fixed = port != 0;
  sockets_.clear();
  locals_.clear();
  for (const auto& address : addresses) {
    const uint16_t own = address.address.port;
    auto opened = OpenSocket(executor, {address.address.ip, own != 0 ? own : port}, Sharing::kWithLoops);
    if (!opened && own == 0 && !fixed && port != 0) {
      opened = OpenSocket(executor, {address.address.ip, 0}, Sharing::kWithLoops);
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
                                               const LocalAddress& address, Sharing sharing) {
  const PortRange& range = options_.ports;
  auto opened = OpenSocket(executor, address.address, sharing);
  if (!opened || !range.Contains((*opened)->local().port)) {
    for (uint32_t port = range.low; port <= std::max(range.low, range.high); ++port) {
      opened = OpenSocket(executor, {address.address.ip, static_cast<uint16_t>(port)}, sharing);
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
  bound.socket.get_deleter().Close(*bound.socket);
  for (const auto& [remote, key] : bound.routes) Unclaim(RouteOf(index, remote));
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
  if (entry == peers_.end() || ufrags_.contains(ufrag)) return false;
  if (membership_ && membership_.group->directory().ufrags.Claim(ufrag, membership_.loop) != membership_.loop) {
    return false;
  }
  ufrags_.try_emplace(std::string(ufrag), peer);
  auto& ufrags = entry->second.ufrags;
  ufrags.emplace_back(ufrag);
  if (ufrags.size() > kMaxUfrags) {
    RemoveUfrag(ufrags.front());
    ufrags.erase(ufrags.begin());
  }
  return true;
}

void UdpMux::RemovePeer(Key peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  const PeerEntry entry = std::move(found->second);
  peers_.erase(found);
  for (const auto& ufrag : entry.ufrags) RemoveUfrag(ufrag);
  for (const auto& route : entry.routes) {
    auto& routes = sockets_[route.socket].routes;
    const auto at = routes.find(route.remote);
    if (at == routes.end() || at->second != peer) continue;  // another peer took the address over
    RemoveRoute(route.socket, route.remote);
  }
}

void UdpMux::RemoveUfrag(const std::string& ufrag) {
  if (membership_) membership_.group->directory().ufrags.Release(ufrag, membership_.loop);
  ufrags_.erase(ufrag);
}

UdpMux::Key UdpMux::FindByUfrag(std::string_view ufrag) const {
  const auto found = ufrags_.find(ufrag);
  return found == ufrags_.end() ? nullptr : found->second;
}

UdpMux::Key UdpMux::FindHolder(size_t socket, const SocketAddress& remote) const {
  const auto& routes = sockets_[socket].routes;
  const auto route = routes.find(remote);
  return route == routes.end() ? nullptr : route->second;
}

UdpMux::Match UdpMux::FindByAddress(size_t socket, const SocketAddress& remote, uint64_t& unknown) {
  const Key holder = FindHolder(socket, remote);
  const auto loop = holder == nullptr ? FindHolderElsewhere(socket, remote) : std::nullopt;
  if (holder == nullptr && !loop) ++unknown;
  return {holder, false, holder, false, loop};
}

UdpMux::Match UdpMux::Find(size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram) {
  if (!stun::MessageView::LooksLikeStun(datagram)) return FindByAddress(socket, remote, stats_.unknown_source);
  // RFC 8489 §5: the class bits of the message type; 0x0110 masks them.
  const bool is_response = (datagram[0] & 0x01) != 0;
  if (is_response) {
    const stun::TransactionId id = TransactionOf(datagram);
    const auto request = requests_.find(id);
    if (request != requests_.end() && peers_.contains(request->second)) {
      const Key by_address = FindHolder(socket, remote);
      return {request->second, request->second != by_address, by_address};
    }
    if (const auto loop = FindLoop(&LoopDirectory::requests, id)) return {.loop = loop};
    return FindByAddress(socket, remote, stats_.unknown_source);  // to a request on a route, which is not noted
  }
  if (const auto ufrag = UfragOf(datagram)) {
    if (const Key by_ufrag = FindByUfrag(*ufrag)) {
      const Key by_address = FindHolder(socket, remote);
      return {by_ufrag, by_ufrag != by_address, by_address};
    }
    if (const auto loop = FindLoop(&LoopDirectory::ufrags, *ufrag)) return {.loop = loop};
  }
  Match match = FindByAddress(socket, remote, stats_.unknown_ufrag);
  match.is_unknown_request = true;  // the peer of that address drops and counts it
  return match;
}

UdpMux::Key UdpMux::FindRequested(std::span<const uint8_t> request) {
  const auto ufrag = UfragOf(request);
  const Key peer = ufrag ? FindByUfrag(*ufrag) : nullptr;
  if (peer == nullptr) ++stats_.unknown_ufrag;
  return peer;
}

UdpMux::Key UdpMux::FindSender(size_t socket, const SocketAddress& remote, std::span<const uint8_t> quoted) const {
  if (const Key holder = FindHolder(socket, remote)) return holder;
  if (quoted.size() < kTransactionOffset + sizeof(stun::TransactionId)) return nullptr;
  const auto request = requests_.find(TransactionOf(quoted));
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
  if (existing == routes.end()) {
    if (membership_ && !membership_.group->ClaimRoute(membership_.loop, RouteOf(socket, remote))) return;
    ++route_count_;
  }
  routes.insert_or_assign(remote, peer);
  entry->second.routes.push_back({socket, remote});
}

// Its peer's own list goes on to have it, as after another peer took it over.
void UdpMux::RemoveRoute(size_t socket, const SocketAddress& remote) {
  if (sockets_[socket].routes.erase(remote) == 0) return;
  --route_count_;
  Unclaim(RouteOf(socket, remote));
}

void UdpMux::Unclaim(const LoopRoute& route) {
  if (membership_) membership_.group->directory().routes.Release(route, membership_.loop);
}

void UdpMux::NoteSent(Key peer, size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram) {
  if (!stun::MessageView::LooksLikeStun(datagram) || (datagram[0] & 0x01) != 0 || (datagram[1] & 0x10) != 0) return;
  if (FindHolder(socket, remote) == peer) return;
  const stun::TransactionId id = TransactionOf(datagram);
  if (!requests_.insert_or_assign(id, peer).second) return;  // a retransmission
  if (membership_) (void)membership_.group->directory().requests.Claim(id, membership_.loop);
  request_order_.push_back(id);
  if (request_order_.size() <= options_.max_pending_requests) return;
  if (membership_) membership_.group->directory().requests.Release(request_order_.front(), membership_.loop);
  requests_.erase(request_order_.front());
  request_order_.pop_front();
}

}  // namespace jsp::transport::io
