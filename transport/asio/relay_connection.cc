#include "transport/asio/relay_connection.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>
#include <vector>

#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "turn/stream_framer.h"
namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// A server that answers at all answers sooner; gathering may end before that.
constexpr auto kConnectTimeout = std::chrono::seconds(5);
// What TCP may hold back: more would only grow the delay of what the congestion control above believes to be sent.
constexpr size_t kMaxUnsent = 256 * 1024;

class UdpRelayConnection final : public RelayConnection, public std::enable_shared_from_this<UdpRelayConnection> {
 public:
  UdpRelayConnection(const std::shared_ptr<DriverCore>& core, const std::shared_ptr<DrivenPeer>& driven, RelayId id,
                     std::unique_ptr<UdpSocket> socket)
      : RelayConnection(core, driven, id), socket_(std::move(socket)), budget_(core->options.receive_budget) {}

  const SocketAddress& local() const { return socket_->local(); }
  void WaitReadable() {
    socket_->socket().async_wait(UdpSocket::Native::wait_read, [weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self && !error) self->HandleReadable();
    });
  }
  void Send(SendBatch& batch, const Peer::Transmit& transmit) override { batch.Append(*socket_, transmit); }
  void HandleFlushed() override {
    if (!socket_->has_backlog() || waits_writable_) return;
    waits_writable_ = true;
    socket_->socket().async_wait(UdpSocket::Native::wait_write, [weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self && !error) self->HandleWritable();
    });
  }
  bool is_blocked() const override { return socket_->has_backlog(); }
  void Close() override {
    error_code ignored;
    socket_->socket().close(ignored);
  }

 private:
  void HandleReadable() {
    const bool goes_on = InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
      for (size_t received = 0; received < budget_;) {
        const size_t count = socket_->Receive([&](const SocketAddress& remote, std::span<const uint8_t> datagram) {
          was_answered_ = true;
          peer.HandleRelayMessage(now, id(), remote, datagram);
        });
        if (count == 0) break;
        received += count;
      }
      socket_->ReceiveErrors([&](const NetworkError& error) { HandleError(peer, now, error); });
    });
    if (goes_on) WaitReadable();
  }
  // ICMP can be forged: once the server has answered, only its silence tells that it is gone.
  void HandleError(Peer& peer, Timestamp now, const NetworkError& error) {
    if (error.kind == NetworkError::Kind::kTooBig || was_answered_) return;
    peer.HandleRelayConnectionFailed(now, id(), "nothing listens there, or a firewall refuses");
  }
  void HandleWritable() {
    waits_writable_ = false;
    InTurn([&](DriverCore&, Peer&, Timestamp) { socket_->Flush(); });
  }

  std::unique_ptr<UdpSocket> socket_;
  size_t budget_;
  bool waits_writable_ = false;
  bool was_answered_ = false;
};

class TcpRelayConnection final : public RelayConnection, public std::enable_shared_from_this<TcpRelayConnection> {
 public:
  TcpRelayConnection(const std::shared_ptr<DriverCore>& core, const std::shared_ptr<DrivenPeer>& driven, RelayId id,
                     const SocketAddress& server)
      : RelayConnection(core, driven, id), socket_(core->executor), timer_(core->executor), server_(server) {}

  void Connect() {
    timer_.expires_after(kConnectTimeout);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self && !error) self->Fail("no connection in " + std::to_string(kConnectTimeout.count()) + " s");
    });
    socket_.async_connect({ToAsioAddress(server_.ip), server_.port}, [weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self) self->HandleConnected(error);
    });
  }
  void Send(SendBatch& batch, const Peer::Transmit& transmit) override {
    const auto octets = batch.room().first(transmit.size);
    unsent_.insert(unsent_.end(), octets.begin(), octets.end());
    Write();
  }
  void HandleFlushed() override {}
  bool is_blocked() const override { return unsent_.size() > kMaxUnsent; }
  void Close() override {
    closing_ = true;
    timer_.cancel();
    if (writing_.empty()) Shut();
  }

 private:
  void HandleConnected(error_code error) {
    timer_.cancel();
    if (closing_) return;
    if (error) return Fail(error.message());
    socket_.set_option(tcp::no_delay(true), error);
    const tcp::endpoint local = socket_.local_endpoint(error);
    const bool goes_on = InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
      peer.HandleRelayConnected(now, id(), {FromAsioAddress(local.address()), local.port()});
    });
    if (goes_on) Read();
  }
  void Read() {
    socket_.async_read_some(boost::asio::buffer(input_), [weak = weak_from_this()](error_code error, size_t size) {
      const auto self = weak.lock();
      if (self) self->HandleRead(error, size);
    });
  }
  void HandleRead(error_code error, size_t size) {
    if (closing_) return;
    if (error) return Fail("the server closed the connection");
    const bool goes_on = InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
      std::span<const uint8_t> rest(input_.data(), size);
      while (const auto message = framer_.Next(rest)) peer.HandleRelayMessage(now, id(), server_, *message);
      if (framer_.error()) peer.HandleRelayConnectionFailed(now, id(), "what it sends is not TURN");
    });
    if (goes_on && !framer_.error()) Read();
  }
  // Two buffers in turns: one is filled while the other is written.
  void Write() {
    if (!writing_.empty() || unsent_.empty()) return;
    writing_.swap(unsent_);
    boost::asio::async_write(socket_, boost::asio::buffer(writing_),
                             [self = shared_from_this()](error_code error, size_t) { self->HandleWritten(error); });
  }
  void HandleWritten(error_code error) {
    writing_.clear();
    if (error) return Fail("the connection broke: " + error.message());
    if (closing_ && unsent_.empty()) return Shut();
    const bool was_blocked = is_blocked();
    Write();
    if (was_blocked) InTurn([](DriverCore&, Peer&, Timestamp) {});
  }
  void Fail(std::string reason) {
    if (closing_) return Shut();
    closing_ = true;
    Shut();
    InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
      peer.HandleRelayConnectionFailed(now, id(), std::move(reason));
    });
  }
  void Shut() {
    error_code ignored;
    socket_.close(ignored);
  }

  tcp::socket socket_;
  boost::asio::steady_timer timer_;
  SocketAddress server_;
  turn::StreamFramer framer_;
  std::array<uint8_t, 64 * 1024> input_;
  std::vector<uint8_t> unsent_;
  std::vector<uint8_t> writing_;
  bool closing_ = false;
};

}  // namespace

std::shared_ptr<RelayConnection> RelayConnection::Open(const std::shared_ptr<DriverCore>& core,
                                                       const std::shared_ptr<DrivenPeer>& driven, RelayId id,
                                                       const RelayServer& server) {
  const auto fail = [&](std::string reason) {
    driven->peer.HandleRelayConnectionFailed(Now(), id, std::move(reason));
    return nullptr;
  };
  switch (server.transport) {
    case turn::ControlTransport::kUdp: {
      const SocketAddress any{server.address.ip.is_v4() ? IpAddress() : *IpAddress::Parse("::"), 0};
      auto socket = UdpSocket::Open(core->executor, any, core->options.mux.socket);
      if (!socket) return fail("no UDP socket: " + socket.error().message());
      auto udp = std::make_shared<UdpRelayConnection>(core, driven, id, std::move(*socket));
      udp->WaitReadable();
      driven->peer.HandleRelayConnected(Now(), id, udp->local());
      return udp;
    }
    case turn::ControlTransport::kTcp: {
      auto tcp_connection = std::make_shared<TcpRelayConnection>(core, driven, id, server.address);
      tcp_connection->Connect();
      return tcp_connection;
    }
    case turn::ControlTransport::kTls:
      break;
  }
  return fail("TLS to a TURN server is not supported yet; use turn:…?transport=tcp");
}

}  // namespace jsp::transport::io
