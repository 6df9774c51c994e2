#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/time.h"
#include "transport/asio/turn_connection.h"
#include "turn/server/server.h"
namespace jsp::transport::io {

struct TurnServerCore;
class TurnStream;

// A connection with a peer (RFC 6062 §5.2, §5.3). Until it is bound nothing is read of it: the peer's early octets wait
// in the system's buffer, which is bounded, and go to the client then (RFC 6062 §5.4).
class TurnPeerConnection final : public TurnConnection {
 public:
  TurnPeerConnection(TurnServerCore& core, Socket socket, turn::ConnectionId id);
  void Splice(const std::shared_ptr<TurnStream>& client) {
    client_ = client;
    Resume();
  }

 protected:
  void HandleOctets(Timestamp now, std::span<const uint8_t> octets) override;
  void HandleEnd(Timestamp now) override;
  void HandleDrained(Timestamp now) override;

 private:
  TurnServerCore& core_;
  turn::ConnectionId id_;
  std::weak_ptr<TurnStream> client_;
};

// The TCP relays of a TURN server (RFC 6062): listening sockets, and connections with peers. Owns both; part of a
// TurnServerCore, which calls it.
class TurnTcpRelays {
 public:
  explicit TurnTcpRelays(TurnServerCore& core) : core_(core) {}

  // Listens at once (RFC 6062 §5.1); the core hears of the result.
  void OpenRelay(Timestamp now, const turn::Server::OpenRelay& open);
  void CloseRelay(turn::RelayHandle handle);
  void Connect(Timestamp now, const turn::Server::ConnectPeer& connect);
  void Splice(Timestamp now, const turn::Server::Splice& splice);
  void CloseConnection(Timestamp now, const turn::Server::CloseConnection& close);
  size_t relays() const { return relays_.size(); }

 private:
  struct Relay {
    turn::RelayHandle handle;
    SocketAddress bound;
    boost::asio::ip::tcp::acceptor acceptor;
  };

  void Accept(const std::shared_ptr<Relay>& relay);
  boost::system::error_code Listen(const SocketAddress& address, boost::asio::ip::tcp::acceptor& acceptor);
  void HandleAccepted(const Relay& relay, boost::asio::ip::tcp::socket socket);
  void HandleConnected(turn::ConnectionId id, const boost::system::error_code& error);

  TurnServerCore& core_;
  boost::unordered_flat_map<uint32_t, std::shared_ptr<Relay>> relays_;              // by RelayHandle::index
  boost::unordered_flat_map<uint32_t, std::shared_ptr<TurnPeerConnection>> peers_;  // by ConnectionId
};

}  // namespace jsp::transport::io
