#pragma once
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "stun/transaction_id.h"
#include "transport/asio/loop_group.h"
#include "transport/asio/udp_socket.h"
#include "transport/local_address.h"
namespace jsp::transport::io {

// Both 0: the kernel picks a port. A port of the range that is free on all addresses is taken.
struct PortRange {
  uint16_t low = 0;
  uint16_t high = 0;
  bool Contains(uint16_t port) const { return low == 0 || (port >= low && port <= std::max(low, high)); }
};

struct MuxStats {
  uint64_t unknown_ufrag = 0;   // STUN requests for nobody here
  uint64_t unknown_source = 0;  // anything else without a route
  uint64_t routes_refused = 0;  // max_routes reached; such datagrams are still found by their ufrag
};

// Many peers on the same sockets, one socket per local address. Owns the sockets and the routes, not the peers: a peer
// is a key that the caller chose. A datagram is routed by (local, remote); a first one by the ufrag before ':' in its
// USERNAME (RFC 8445 §7.2.2), and its route is inserted only when the peer says that it was authenticated.
class UdpMux {
 public:
  using Key = void*;

  struct Options {
    PortRange ports;
    UdpSocketOptions socket;
    size_t max_routes = 65536;
    size_t max_routes_per_peer = 64;
    size_t max_pending_requests = 8192;  // of ours, to addresses without a route; the oldest is forgotten
  };

  // Addresses that cannot be bound are left out; an error only when none can. As a member its sockets share the ports
  // of the others, and what is found here is found from there.
  static Expected<std::unique_ptr<UdpMux>, boost::system::error_code> Open(const boost::asio::any_io_executor& executor,
                                                                           std::span<const LocalAddress> addresses,
                                                                           const Options& options,
                                                                           const LoopMembership& membership = {});
  const LoopMembership& membership() const { return membership_; }

  // Whether a socket more has its port together with those of the other members.
  enum class Sharing : uint8_t { kWithLoops, kNone };
  // A socket more, on the port of `address` where it is not 0 and free, and its index; one that is closed may be taken.
  // A socket less: its routes are forgotten, its index stays, and its address is nobody's.
  Expected<size_t, boost::system::error_code> AddSocket(const boost::asio::any_io_executor& executor,
                                                        const LocalAddress& address, Sharing sharing = Sharing::kNone);
  void RemoveSocket(size_t index);
  bool IsOpen(size_t index) const { return locals_[index].address.port != 0; }

  // Of closed ones too.
  size_t socket_count() const { return sockets_.size(); }
  UdpSocket& socket(size_t index) { return *sockets_[index].socket; }
  const std::vector<LocalAddress>& local_addresses() const { return locals_; }
  // The index of the socket bound to `local`.
  std::optional<size_t> FindSocket(const SocketAddress& local) const;

  // False when that ufrag is taken.
  bool AddPeer(Key peer, std::string_view ufrag);
  // Another ufrag of it, after an ICE restart; the last kMaxUfrags are known. False when it is taken.
  bool AddUfrag(Key peer, std::string_view ufrag);
  template <class Visit>
  void ForEachPeer(Visit&& visit) const {
    for (const auto& [key, entry] : peers_) visit(key);
  }
  // Removes its ufrags and all its routes.
  void RemovePeer(Key peer);

  // Whose datagram this is: by the ufrag of a request, the address, or the transaction of a response; nullptr:
  // nobody's, and counted. `is_new` tells that AddRoute would add or move a route.
  struct Match {
    Key peer = nullptr;
    bool is_new = false;
    Key holder = nullptr;             // whose route that address has now
    bool is_unknown_request = false;  // of STUN, for a ufrag that no peer here has
    std::optional<size_t> loop{};     // a member that has its peer, whose it is then
  };
  Match Find(size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram);
  // By its ufrag alone, which a TCP connection begins with (RFC 6544 §7.2).
  Key FindRequested(std::span<const uint8_t> request);
  // Whose datagram to `remote` an error is about: by the address, or by the transaction of the request that is quoted.
  Key FindSender(size_t socket, const SocketAddress& remote, std::span<const uint8_t> quoted) const;
  // Whose route that address has.
  Key FindHolder(size_t socket, const SocketAddress& remote) const;
  // The other member, in whose place nobody is here.
  std::optional<size_t> FindHolderElsewhere(size_t socket, const SocketAddress& remote) const {
    return FindLoop(&LoopDirectory::routes, RouteOf(socket, remote));
  }
  void RemoveRoute(size_t socket, const SocketAddress& remote);
  // To be called once the peer says that it authenticated that address. Takes the address from its holder: the caller
  // makes sure that the holder does not use it any more, because source addresses can be forged.
  void AddRoute(Key peer, size_t socket, const SocketAddress& remote);
  // A datagram about to be sent: the response to a STUN request finds its peer although no route exists yet.
  void NoteSent(Key peer, size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram);
  size_t route_count() const { return route_count_; }
  const MuxStats& stats() const { return stats_; }

 private:
  struct Bound {
    SharedPorts::Socket socket;
    boost::unordered_flat_map<SocketAddress, Key, std::hash<SocketAddress>> routes;
  };
  struct Route {
    size_t socket;
    SocketAddress remote;
  };
  struct PeerEntry {
    std::vector<std::string> ufrags;  // the latest last
    std::vector<Route> routes;
  };

  UdpMux(const Options& options, const LoopMembership& membership);
  Key FindByUfrag(std::string_view ufrag) const;
  Match FindByAddress(size_t socket, const SocketAddress& remote, uint64_t& unknown);
  // The other member that has it.
  template <class Table, class Name>
  std::optional<size_t> FindLoop(Table LoopDirectory::*table, const Name& name) const {
    const auto loop = membership_ ? (membership_.group->directory().*table).Find(name) : std::nullopt;
    return loop == membership_.loop ? std::nullopt : loop;
  }
  LoopRoute RouteOf(size_t socket, const SocketAddress& remote) const { return {locals_[socket].address, remote}; }
  void Unclaim(const LoopRoute& route);
  void RemoveUfrag(const std::string& ufrag);
  Expected<SharedPorts::Socket, boost::system::error_code> OpenSocket(const boost::asio::any_io_executor& executor,
                                                                      const SocketAddress& address, Sharing sharing);
  boost::system::error_code BindAll(const boost::asio::any_io_executor& executor,
                                    std::span<const LocalAddress> addresses, uint16_t port);

  Options options_;
  LoopMembership membership_;
  std::vector<Bound> sockets_;
  std::vector<LocalAddress> locals_;
  boost::unordered_flat_map<std::string, Key, TextHash, std::equal_to<>> ufrags_;
  boost::unordered_flat_map<Key, PeerEntry> peers_;
  boost::unordered_flat_map<stun::TransactionId, Key, std::hash<stun::TransactionId>> requests_;
  std::deque<stun::TransactionId> request_order_;
  size_t route_count_ = 0;
  MuxStats stats_;
};

}  // namespace jsp::transport::io
