#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dtls/stream_session.h"
#include "netsim/tcp_host.h"
#include "netsim/world.h"
namespace jsp::netsim {

// The time of day when a world begins: 2023-11-14. Certificates must be valid then.
constexpr int64_t kUnixTimeOfWorlds = 1'700'000'000;

// Who uses a stream, as plain functions. Each may destroy the stream; handle_closed is the last.
struct StreamObserver {
  void* self = nullptr;
  void (*handle_connected)(void* self) = nullptr;
  void (*handle_octets)(void* self, std::span<const uint8_t> octets) = nullptr;
  void (*handle_closed)(void* self, std::string reason) = nullptr;
  void (*handle_writable)(void* self) = nullptr;
};

// A TCP connection of one host, with TLS (dtls::StreamSession, the one of production) when there is a context. Owned by
// its user; borrows world and TCP. What was written before it is destroyed still goes out.
class Stream {
 public:
  struct Tls {
    std::shared_ptr<const dtls::StreamContext> context{};  // none: TCP alone
    std::string host{};                                    // client: the name that the certificate must have
  };
  Stream(World& world, NodeId node, TcpHost& tcp, const StreamObserver& observer, Tls tls);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // One of the two, once. Accept: what TcpListener::accept returns.
  void Connect(const IpAddress& local, const SocketAddress& remote);
  TcpObserver Accept(TcpSocketId socket);
  void Write(std::span<const uint8_t> octets);
  bool IsBusy() const { return tcp_.IsBusy(socket_); }
  SocketAddress local() const { return tcp_.LocalAddress(socket_); }

 private:
  static void HandleTcpConnected(void* self, TcpSocketId socket);
  static void HandleTcpOctets(void* self, TcpSocketId socket, std::span<const uint8_t> octets);
  static void HandleTcpClosed(void* self, TcpSocketId socket, TcpEnd end);
  static void HandleTcpWritable(void* self, TcpSocketId socket);
  static void HandleTimeout(void* self);

  TcpObserver observer_of_tcp();
  void StartTls();
  void HandleCiphertext(std::span<const uint8_t> rest);
  void FlushTls();
  void TellTls();
  void Fail(std::string reason);

  World& world_;
  TcpHost& tcp_;
  StreamObserver observer_;
  Tls options_;
  EndpointId timer_;
  TcpSocketId socket_{};
  std::optional<dtls::StreamSession> tls_;
  std::vector<uint8_t> plaintext_;  // to be told
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace jsp::netsim
