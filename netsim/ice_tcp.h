#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ice/tcp_door.h"
#include "netsim/stream.h"
#include "netsim/tcp_host.h"
#include "netsim/world.h"
#include "transport/peer.h"
namespace jsp::netsim {

// ICE over TCP (RFC 6544) of one peer of a world, as transport/asio does it over real sockets: a listener whose door
// (ice/tcp_door.h) stands before the peer, and the connections of both directions. PeerDriver owns one.
class IceTcp {
 public:
  struct Parts {
    World& world;
    NodeId host;
    TcpHost& tcp;
    transport::Peer& peer;
  };
  // Called after something was given to the peer: poll it.
  struct Kick {
    void* self;
    void (*call)(void* self);
  };
  IceTcp(const Parts& parts, IpAddress address, const Kick& kick) : parts_(parts), address_(address), kick_(kick) {}
  IceTcp(const IceTcp&) = delete;
  IceTcp& operator=(const IceTcp&) = delete;

  void Listen(const SocketAddress& address);
  // True: it was about a connection of these.
  bool TakeEvent(const transport::PeerEvent& event);
  void Write(ice::TcpId id, std::span<const uint8_t> octets);
  bool IsBusy() const;
  void HandleTimeout();
  Timestamp NextTimeout() const { return door_.NextTimeout(); }

 private:
  // A visitor until the peer has taken it in; then it has an id.
  struct Connection {
    IceTcp* owner;
    SocketAddress listener{};
    SocketAddress remote{};
    std::optional<ice::TcpVisitorId> visitor{};
    std::optional<ice::TcpId> id{};
    std::unique_ptr<Stream> stream{};
  };

  static TcpObserver Accept(void* self, TcpSocketId socket, const SocketAddress& local, const SocketAddress& remote);
  static void HandleConnected(void* self);
  static void HandleOctets(void* self, std::span<const uint8_t> octets);
  static void HandleClosed(void* self, std::string reason);
  static void HandleWritable(void* self);

  Connection& Add(Connection connection);
  void Remove(const Connection* connection);
  void RemoveVisitors();
  // False: it is no connection of the peer's, yet or any more.
  bool LetIn(Connection& connection, std::span<const uint8_t>& octets);
  void Poll() { kick_.call(kick_.self); }
  Timestamp now() const { return parts_.world.now(); }

  Parts parts_;
  IpAddress address_;
  Kick kick_;
  ice::TcpDoor door_{ice::TcpDoorOptions{}};
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace jsp::netsim
