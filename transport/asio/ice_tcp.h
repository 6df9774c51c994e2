#pragma once
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ice/tcp_connections.h"
#include "ice/tcp_door.h"
#include "transport/asio/driver_core.h"
#include "transport/asio/ice_tcp_socket.h"
namespace jsp::transport::io {

// A TCP connection of one peer (RFC 6544), or of a visitor at the door, of whom nobody knows yet whose it is.
class IceTcpConnection final : public IceTcpObserver, public std::enable_shared_from_this<IceTcpConnection> {
 public:
  explicit IceTcpConnection(const std::shared_ptr<DriverCore>& core) : core_(core) {}
  // The socket may outlive it, by its last words.
  ~IceTcpConnection() override {
    if (socket_) socket_->Close();
  }
  void Connect(const std::shared_ptr<DrivenPeer>& driven, const event::TcpConnectWanted& wanted);
  void Visit(IceTcpSocket::Native socket, const SocketAddress& listener, ice::TcpVisitorId visitor);
  // It is not welcome, and hears nothing more.
  void TurnAway();
  // It showed an authentic check.
  void LetIn(const std::shared_ptr<DrivenPeer>& driven, ice::TcpId id);

  std::optional<ice::TcpId> id() const { return id_; }
  std::optional<ice::TcpVisitorId> visitor() const { return visitor_; }
  const SocketAddress& listener() const { return listener_; }
  const SocketAddress& remote() const { return remote_; }
  void Write(std::span<const uint8_t> octets) { socket_->Write(octets); }
  bool is_blocked() const { return socket_->is_blocked(); }
  void Flush() { socket_->Flush(); }
  void Close() { socket_->Close(); }

 private:
  void HandleTcpConnected() override;
  void HandleTcpReadable() override;
  void HandleTcpWritable() override;
  void HandleTcpFailed() override;
  // Its peer, if that and the driver are still there, and it is still the peer's.
  std::shared_ptr<DrivenPeer> Owner() const;
  // False: the connection is not to be read any more.
  bool Feed(DriverCore& core, Timestamp now, std::span<const uint8_t> octets);

  std::weak_ptr<DriverCore> core_;
  std::weak_ptr<DrivenPeer> driven_;
  std::optional<ice::TcpId> id_;              // set: of driven_
  std::optional<ice::TcpVisitorId> visitor_;  // set: at the door
  SocketAddress listener_;
  SocketAddress remote_;
  std::shared_ptr<IceTcpSocket> socket_;
};

// The passive candidates of all peers of a driver: a listener for each local address, and the door before them. Exists
// from the first peer on that wants one.
class IceTcpListeners {
 public:
  // One for each address; those that cannot be bound are left out.
  IceTcpListeners(const std::shared_ptr<DriverCore>& core, const std::vector<LocalAddress>& addresses);
  ~IceTcpListeners();

  // Where it listens.
  std::vector<LocalAddress> addresses() const;
  // The host has these addresses now; returns the listeners that are new.
  std::vector<LocalAddress> SetAddresses(const std::vector<LocalAddress>& addresses);
  // What a visitor says. True: it is a peer's now, and `octets` are what is left for that.
  bool HandleOctets(DriverCore& core, Timestamp now, IceTcpConnection& visitor, std::span<const uint8_t>& octets);
  void HandleGone(ice::TcpVisitorId visitor);

  const ice::TcpDoorMetrics& metrics() const { return door_.metrics(); }

 private:
  using Acceptor = boost::asio::ip::tcp::acceptor;
  std::optional<SocketAddress> Bind(Acceptor& acceptor, const SocketAddress& wish);
  void Open(const LocalAddress& address, const PortRange& ports);
  void Accept(size_t listener);
  void HandleAccepted(size_t listener, IceTcpSocket::Native socket);
  void PauseAccepting(size_t listener);
  void CloseRefused();
  void ArmTimer();

  std::weak_ptr<DriverCore> core_;
  boost::asio::any_io_executor executor_;
  ice::TcpDoor door_;
  std::vector<LocalAddress> addresses_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // closed: its address is gone; no place is used again
  PortRange ports_;
  std::map<ice::TcpVisitorId, std::shared_ptr<IceTcpConnection>> visitors_;
  boost::asio::steady_timer timer_;
  Timestamp armed_at_;
  std::shared_ptr<IceTcpListeners*> alive_;  // for what runs in the background
};

}  // namespace jsp::transport::io
