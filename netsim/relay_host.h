#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dtls/stream_context.h"
#include "netsim/stream.h"
#include "netsim/tcp_host.h"
#include "netsim/world.h"
#include "stun/server.h"
#include "turn/server/server.h"
#include "turn/stream_framer.h"
namespace jsp::netsim {

// A STUN and TURN server on a host of a world: the cores of production (stun::Server, turn::Server) with sockets in
// virtual time. It listens at one address over UDP and TCP, over TLS at the port of HTTPS, and opens UDP relays on the
// same address. Owns the cores, borrows the world and the host's TcpHost, which outlive it.
class RelayHost {
 public:
  static constexpr uint16_t kPort = 3478;  // RFC 8656 §6: of UDP and TCP
  static constexpr turn::ListenerId kUdp{1};
  static constexpr turn::ListenerId kTcp{2};
  static constexpr turn::ListenerId kTls{3};
  static constexpr uint16_t kTlsPort = 443;  // which firewalls leave open that close all others

  struct Options {
    IpAddress address{};  // of the host
    // Listeners, relay addresses and TCP relays are the host's affair. Policy, quotas and credentials are as given.
    turn::ServerOptions server{};
    std::shared_ptr<const dtls::StreamContext> tls{};  // none: no TLS
  };
  RelayHost(World& world, NodeId host, TcpHost& tcp, Options options);
  ~RelayHost();
  RelayHost(const RelayHost&) = delete;
  RelayHost& operator=(const RelayHost&) = delete;

  // A server of one user who may reach everything that stands for the public internet in a world (RFC 5737, RFC 3849),
  // and no private address.
  static Options DefaultOptions(const IpAddress& address, std::string_view username, std::string_view password);

  SocketAddress address() const { return {options_.address, kPort}; }
  SocketAddress tls_address() const { return {options_.address, kTlsPort}; }
  const turn::Server& server() const { return server_; }
  size_t connections() const { return connections_.size(); }

 private:
  struct Connection {
    RelayHost* host;
    turn::ClientPath path;
    turn::StreamFramer framer{};
    std::unique_ptr<Stream> stream{};
  };
  using PathKey = std::pair<uint16_t, SocketAddress>;
  static PathKey KeyOf(const turn::ClientPath& path) { return {path.listener.value, path.client}; }

  static turn::ServerOptions Complete(const Options& options);
  static void HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> datagram, EcnMark mark);
  static void HandleUnreachable(void* self, const SocketAddress& local, const SocketAddress& remote);
  static void HandleTimeout(void* self);
  static TcpObserver Accept(void* self, TcpSocketId id, const SocketAddress& local, const SocketAddress& remote);
  static void HandleOctets(void* self, std::span<const uint8_t> octets);
  static void HandleClosed(void* self, std::string reason);

  Connection* Find(const turn::ClientPath& path);
  void HandleFromClient(const turn::ClientPath& path, std::span<const uint8_t> message);
  void HandleFromPeer(const SocketAddress& relay, const SocketAddress& peer, std::span<const uint8_t> datagram);
  void HandleBinding(const turn::ClientPath& path, std::span<const uint8_t> message);
  void SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message);
  void HandleEvent(const turn::Server::Event& event);
  void Pump();

  World& world_;
  TcpHost& tcp_;
  Options options_;
  Rng rng_;
  turn::Server server_;
  stun::Server stun_;
  EndpointId endpoint_;
  std::unordered_map<SocketAddress, turn::RelayHandle> relays_;
  std::map<uint32_t, SocketAddress> relay_addresses_;  // by the index of the handle
  NodeId node_;
  std::map<PathKey, std::unique_ptr<Connection>> connections_;
};

}  // namespace jsp::netsim
