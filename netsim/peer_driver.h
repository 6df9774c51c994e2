#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "netsim/ice_tcp.h"
#include "netsim/stream.h"
#include "netsim/tcp_host.h"
#include "netsim/world.h"
#include "transport/peer.h"
#include "turn/stream_framer.h"
namespace jsp::netsim {

// Who hears what a peer tells, as a plain function; the events about relay connections are the driver's affair.
struct PeerObserver {
  void* self = nullptr;
  void (*handle_event)(void* self, transport::PeerEvent event) = nullptr;
};

// Runs a whole peer on a host of a world, as transport/asio's driver does over real sockets: its own UDP socket, and a
// connection of its own to each TURN server, over UDP, TCP or TLS, and TCP to its peer (netsim/ice_tcp.h). Borrows
// world, TCP and peer, which outlive it. After a command on the peer, call Kick().
class PeerDriver {
 public:
  // `address` is the host's; relay connections leave from there.
  PeerDriver(World& world, NodeId host, TcpHost& tcp, transport::Peer& peer, IpAddress address);
  ~PeerDriver();
  PeerDriver(const PeerDriver&) = delete;
  PeerDriver& operator=(const PeerDriver&) = delete;

  void SetObserver(const PeerObserver& observer) { observer_ = observer; }
  // Before Gather: a listener at that port, where the peer wants passive candidates.
  void ListenForIceTcp(uint16_t port) { ice_tcp_.Listen({address_, port}); }
  // Binds a UDP socket and makes it the peer's only local address.
  SocketAddress Gather();
  // The UDP sockets of Gather go, and another one is there.
  void Renumber();
  void Kick();
  size_t sockets() const { return sockets_; }  // of UDP, that are open

 private:
  // To a TURN server, over TCP or TLS.
  struct Connection {
    PeerDriver* driver;
    transport::RelayId id;
    SocketAddress server;
    turn::StreamFramer framer{};
    std::unique_ptr<Stream> stream{};
  };
  // The peer while its streams take what it has; transport/asio waits likewise.
  struct Gate;

  static void HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> datagram, EcnMark mark);
  static void HandleTimeout(void* self);
  static void HandlePacketTooBig(void* self, const SocketAddress& local, const SocketAddress& remote, size_t mtu);
  static void HandleUnreachable(void* self, const SocketAddress& local, const SocketAddress& remote);
  static void HandleConnected(void* self);
  static void HandleOctets(void* self, std::span<const uint8_t> octets);
  static void HandleClosed(void* self, std::string reason);
  static void HandleWritable(void* self);
  static void HandleIceTcp(void* self) { static_cast<PeerDriver*>(self)->Kick(); }

  SocketAddress Open(const SocketAddress& address);
  void Close(const SocketAddress& socket);
  void Open(const transport::event::RelayConnectionWanted& wanted);
  bool IsBlocked() const;
  void Send(const transport::Peer::Transmit& transmit, std::span<const uint8_t> octets);
  // True: it was about a connection, and may have caused more.
  bool TakeEvent(const transport::PeerEvent& event);

  World& world_;
  NodeId node_;
  TcpHost& tcp_;
  transport::Peer& peer_;
  IpAddress address_;
  PeerObserver observer_;
  std::vector<SocketAddress> locals_;
  size_t sockets_ = 0;
  EndpointId endpoint_;
  std::map<uint32_t, std::unique_ptr<Connection>> streams_;  // by RelayId
  std::map<uint32_t, SocketAddress> udp_;                    // by RelayId
  IceTcp ice_tcp_;
};

}  // namespace jsp::netsim
