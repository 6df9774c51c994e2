#include "transport/asio/turn_tcp_relays.h"

#include <boost/asio/ip/v6_only.hpp>
#include <utility>

#include "transport/asio/endpoint.h"
#include "transport/asio/native_socket.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/turn_server_core.h"
#include "transport/asio/turn_streams.h"
namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

tcp::endpoint EndpointOf(const SocketAddress& address) { return {ToAsioAddress(address.ip), address.port}; }
tcp ProtocolOf(const SocketAddress& address) { return address.ip.is_v4() ? tcp::v4() : tcp::v6(); }

}  // namespace

TurnPeerConnection::TurnPeerConnection(TurnServerCore& core, Socket socket, turn::ConnectionId id)
    : TurnConnection(std::move(socket), core.buffer), core_(core), id_(id) {}

// RFC 6062 §5.4: as-is, and no faster than the client reads.
void TurnPeerConnection::HandleOctets(Timestamp, std::span<const uint8_t> octets) {
  const auto client = client_.lock();
  if (!client) return;
  client->Write(octets);
  if (client->unsent() > 0) Pause();
}

void TurnPeerConnection::HandleEnd(Timestamp now) {
  core_.server.HandlePeerClosed(now, id_);
  core_.Drain(now);
}

void TurnPeerConnection::HandleDrained(Timestamp) {
  if (const auto client = client_.lock()) client->Resume();
}

// The port is this relay's alone: it is shared only once it listens, with the connections that go out from it.
error_code TurnTcpRelays::Listen(const SocketAddress& address, tcp::acceptor& acceptor) {
  error_code error;
  acceptor.open(ProtocolOf(address), error);
  if (!error && address.ip.is_v6()) acceptor.set_option(boost::asio::ip::v6_only(true), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(EndpointOf(address), error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) (void)SetOption(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, 1);
  return error;
}

void TurnTcpRelays::OpenRelay(Timestamp now, const turn::Server::OpenRelay& open) {
  const SocketAddress address = core_.BoundAddressOf(open.address);
  const auto relay = std::make_shared<Relay>(Relay{open.relay, address, tcp::acceptor(core_.executor)});
  if (Listen(address, relay->acceptor)) {
    ++core_.stats.relays_failed;
    return core_.server.HandleRelayFailed(now, open.relay);
  }
  relays_[open.relay.index] = relay;
  Accept(relay);
  core_.server.HandleRelayOpened(now, open.relay);
}

void TurnTcpRelays::CloseRelay(turn::RelayHandle handle) {
  const auto found = relays_.find(handle.index);
  if (found == relays_.end() || found->second->handle != handle) return;
  error_code ignored;
  found->second->acceptor.close(ignored);
  relays_.erase(found);
}

void TurnTcpRelays::Accept(const std::shared_ptr<Relay>& relay) {
  relay->acceptor.async_accept([weak = core_.weak_from_this(), relay](error_code error, tcp::socket socket) {
    const auto core = weak.lock();
    if (!core || core->phase.stopped || !relay->acceptor.is_open()) return;
    if (error) {
      ++core->stats.streams.accept_errors;
    } else {
      core->tcp_relays.HandleAccepted(*relay, std::move(socket));
    }
    if (!error || error == boost::asio::error::connection_aborted) core->tcp_relays.Accept(relay);
  });
}

// RFC 6062 §5.3.
void TurnTcpRelays::HandleAccepted(const Relay& relay, tcp::socket socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;
  const Timestamp now = Now();
  const SocketAddress peer{FromAsioAddress(remote.address()), remote.port()};
  if (const auto id = core_.server.HandlePeerAccepted(now, relay.handle, peer)) {
    peers_[id->value] = std::make_shared<TurnPeerConnection>(core_, std::move(socket), *id);
  }
  core_.Drain(now);
}

// RFC 6062 §5.2: from the relayed address.
void TurnTcpRelays::Connect(Timestamp now, const turn::Server::ConnectPeer& connect) {
  const auto relay = relays_.find(connect.relay.index);
  tcp::socket socket(core_.executor);
  error_code error;
  if (relay == relays_.end()) return core_.server.HandlePeerFailed(now, connect.connection);
  socket.open(ProtocolOf(relay->second->bound), error);
  if (!error) {
    (void)SetOption(socket.native_handle(), SOL_SOCKET, SO_REUSEADDR, 1);
    (void)SetOption(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, 1);
    socket.bind(EndpointOf(relay->second->bound), error);
  }
  if (error) return core_.server.HandlePeerFailed(now, connect.connection);
  const auto peer = std::make_shared<TurnPeerConnection>(core_, std::move(socket), connect.connection);
  peers_[connect.connection.value] = peer;
  peer->socket().async_connect(EndpointOf(connect.peer),
                               [weak = core_.weak_from_this(), id = connect.connection](error_code failure) {
                                 const auto core = weak.lock();
                                 if (core && !core->phase.stopped) core->tcp_relays.HandleConnected(id, failure);
                               });
}

void TurnTcpRelays::HandleConnected(turn::ConnectionId id, const error_code& error) {
  const auto found = peers_.find(id.value);
  if (found == peers_.end()) return;  // given up meanwhile
  const Timestamp now = Now();
  if (error) {
    peers_.erase(found);
    core_.server.HandlePeerFailed(now, id);
  } else {
    core_.server.HandlePeerConnected(now, id);
  }
  core_.Drain(now);
}

void TurnTcpRelays::Splice(Timestamp now, const turn::Server::Splice& splice) {
  const auto found = peers_.find(splice.connection.value);
  const auto client = core_.streams.Find(splice.client);
  if (found == peers_.end() || !client) return core_.server.HandlePeerClosed(now, splice.connection);
  client->Splice(found->second);
  found->second->Splice(client);
}

// RFC 6062 §5.5: with either side goes the other, after what was on its way to it.
void TurnTcpRelays::CloseConnection(Timestamp now, const turn::Server::CloseConnection& close) {
  if (const auto found = peers_.find(close.connection.value); found != peers_.end()) {
    const auto peer = std::move(found->second);
    peers_.erase(found);
    peer->Finish();
    core_.streams.KeepFinishing(peer);
  }
  if (!close.client) return;
  if (const auto client = core_.streams.Find(*close.client)) core_.streams.Close(now, *client);
}

}  // namespace jsp::transport::io
