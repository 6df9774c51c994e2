#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "ice/tcp_door.h"
#include "transport/asio/interface_list.h"
#include "transport/asio/memory_budget.h"
#include "transport/asio/port_mapper.h"
#include "transport/asio/udp_mux.h"
#include "transport/asio/unknown_requests.h"
#include "transport/peer.h"
namespace jsp::transport::io {

// Of passive candidates over TCP (RFC 6544), where PeerOptions::ice_tcp wants them.
struct IceTcpListenOptions {
  PortRange ports;  // both 0: the UDP socket's port where it is free, else any
  ice::TcpDoorOptions door;
};

struct DriverOptions {
  InterfaceFilter interfaces;
  std::vector<SocketAddress> bind;  // exactly these instead of the interfaces' addresses; port 0: options of the mux
  UdpMux::Options mux;
  size_t receive_budget = 1024;  // datagrams read before what they caused is sent, and others get their turn
  bool resolve_mdns = true;      // "….local" names of candidates; otherwise they are dropped
  PortMappingOptions port_mapping;
  IceTcpListenOptions ice_tcp;
  UnknownRequestOptions unknown_requests;
  // Of all its peers, and of whoever else shares it; not of peers with a source of their own. nullptr: no limit.
  std::shared_ptr<MemoryBudget> memory;
  bool find_nat64 = true;  // on a host with IPv6 only (RFC 7050); otherwise IPv4 stays out of its reach
  // Busy polling, processor time for latency: how long a socket is read again and again behind a turn that received
  // something, before the loop sleeps. To sleep and be woken costs a processor some 10 to 20 us, a nearby peer answers
  // within 30. Other handlers of the executor wait meanwhile, for no more than 1 ms. 0: the loop sleeps at once.
  Duration busy_poll{};
  // Interfaces that come, go or get another address change the sockets, and every peer hears of it
  // (Peer::HandleLocalAddresses). Not with `bind`.
  bool watch_interfaces = true;
};

struct DriverStats {
  uint64_t turns = 0;
  uint64_t timer_moves = 0;
  Duration latest{};             // that a timer of a peer ran after its time: how long the loop was held up
  uint64_t waits = 0;            // for a socket to become readable or writable; each is a call of the kernel
  uint64_t network_changes = 0;  // sockets opened and closed by SetAddresses
  MuxStats mux;
  ice::TcpDoorMetrics tcp_door;
  UnknownRequestStats unknown_requests;  // while there is a handler
  UdpSocketStats sockets;                // sums; the buffer sizes are the smallest
  HandoverStats handover;                // of a driver in a group (driver_group.h)
};

// Hears of one peer. Called after the turn, on the driver's executor; may do anything, also destroy the PeerHandle, the
// Driver or itself.
class PeerObserver {
 public:
  virtual ~PeerObserver() = default;
  virtual void HandlePeerEvent(PeerEvent& event) = 0;
  // The room that PeerHandle::WaitForRoom asked for is there.
  virtual void HandleRoom() {}
};

struct DriverCore;
struct DrivenPeer;

// Owns one Peer on a Driver. Destroying it, legal at any moment, closes the peer (its goodbye is sent), removes its
// routes, and silences its observer. Keeps the driver's sockets open. Not thread-safe: use it on the driver's executor.
class PeerHandle {
 public:
  PeerHandle() = default;
  PeerHandle(PeerHandle&& other) noexcept = default;
  PeerHandle& operator=(PeerHandle&& other) noexcept;
  ~PeerHandle();
  explicit operator bool() const { return driven_ != nullptr; }

  // call(Peer&, Timestamp now); what the call caused is sent, and events delivered, at the end of the current turn.
  //   auto offer = handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
  template <class F>
  decltype(auto) Call(F&& call) {
    Touch();
    return std::forward<F>(call)(mutable_peer(), CallTime());
  }
  const Peer& peer() const;
  // More sockets at the local addresses, which a restart of ICE (Peer::RestartIce, then an offer) brings into play,
  // where the mappings of the first ones are of no use (transport/hole_opener.h). False when there are as many as may
  // be.
  bool AddFreshSockets();
  // HandleRoom() comes, once, when Peer::send_buffer_room() is at least `octets`.
  void WaitForRoom(size_t octets);
  // Sends what waits now instead of at the end of the turn.
  void Flush();

 private:
  friend class Driver;
  PeerHandle(std::shared_ptr<DriverCore> core, std::shared_ptr<DrivenPeer> driven);
  Peer& mutable_peer();
  Timestamp CallTime() const;
  void Touch();
  void Release();

  std::shared_ptr<DriverCore> core_;
  std::shared_ptr<DrivenPeer> driven_;
};

// Drives many Peers over real sockets on one executor (of a single thread, or a strand): waits, reads in batches, feeds
// the peers, sends what they have in one flush per turn, and keeps one timer for all. Owns sockets, timer and routes;
// each Peer is owned by its PeerHandle. Many peers share the ports. No global state, no threads.
class Driver {
 public:
  static Expected<std::shared_ptr<Driver>, boost::system::error_code> Open(boost::asio::any_io_executor executor,
                                                                           const DriverOptions& options = {});
  explicit Driver(std::shared_ptr<DriverCore> core) : core_(std::move(core)) {}
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // The peer gets all local addresses; host candidates are there at once. `observer` must outlive the handle.
  PeerHandle AddPeer(const PeerOptions& options, PeerObserver& observer);

  // For PeerOptions::nat64 and ThroughNat64: the prefix of the network, where this host has IPv6 only; elsewhere
  // nullopt, before this returns. No answer until `deadline` counts as none.
  void FindNat64(Duration deadline, std::function<void(std::optional<Nat64Prefix>)> done) const;
  // Hears of connectivity checks for ufrags that no peer here has, within DriverOptions::unknown_requests: it may look
  // the ufrag up elsewhere, add a peer with those PeerOptions::local_credentials, and have that answer the request.
  // Called as observers are, and may do what they may. Without a handler all are dropped and counted.
  void SetUnknownRequestHandler(std::function<void(const UnknownRequest&)> handler);
  // As if it came now. False: its ufrag is still nobody's, or its socket is gone. The peer's next repetition would do
  // the same, some 50 ms or more later. In a group the peer may be another loop's, which gets it then.
  bool HandleRequest(const UnknownRequest& request);
  // What the watch calls when the network changed: exactly these from now on, port 0 as in `bind`. An address that
  // cannot be bound yet is left out.
  void SetAddresses(const std::vector<LocalAddress>& addresses);

  const boost::asio::any_io_executor& executor() const;
  // Of all sockets; one that was closed has port 0.
  const std::vector<LocalAddress>& local_addresses() const;
  size_t peer_count() const;
  DriverStats stats() const;
  Rng& rng();

 private:
  std::shared_ptr<DriverCore> core_;
};

}  // namespace jsp::transport::io
