#include "transport/asio/relay_connection.h"

#include <boost/asio/ip/udp.hpp>
#include <string>
#include <utility>
#include <vector>

#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/stream_connection.h"
#include "turn/stream_framer.h"
namespace jsp::transport::io {
namespace {

using boost::system::error_code;

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
    socket_->WaitForRoom([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self && !error) self->HandleWritable();
    });
  }
  bool is_blocked() const override { return socket_->has_backlog(); }
  void CatchUp() override { (void)Read(); }
  void Close() override {
    error_code ignored;
    socket_->socket().close(ignored);
  }

 private:
  void HandleReadable() {
    if (Read()) WaitReadable();
  }
  // Returns whether it goes on.
  bool Read() {
    return InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
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

// TCP, or TLS over it.
class StreamRelayConnection final : public RelayConnection,
                                    public std::enable_shared_from_this<StreamRelayConnection>,
                                    private StreamObserver {
 public:
  StreamRelayConnection(const std::shared_ptr<DriverCore>& core, const std::shared_ptr<DrivenPeer>& driven, RelayId id,
                        const StreamTarget& target)
      : RelayConnection(core, driven, id),
        server_(target.server),
        stream_(StreamConnection::Open(core->executor, target, *this)) {}
  ~StreamRelayConnection() override { Close(); }

  void Send(SendBatch& batch, const Peer::Transmit& transmit) override {
    const auto message = batch.room().first(transmit.size);
    gathered_.insert(gathered_.end(), message.begin(), message.end());
    was_blocked_ = was_blocked_ || is_blocked();
  }
  // All of a turn at once: a few whole records of TLS instead of one for each datagram.
  void HandleFlushed() override {
    if (gathered_.empty()) return;
    stream_->Send(gathered_);
    gathered_.clear();
  }
  bool is_blocked() const override { return gathered_.size() + stream_->unsent() > kMaxUnsent; }
  void Close() override {
    HandleFlushed();
    stream_->Close();
  }

 private:
  // The turn may end this connection: it is kept until the call is over.
  void HandleStreamConnected(const SocketAddress& local) override {
    const auto kept = shared_from_this();
    InTurn([&](DriverCore&, Peer& peer, Timestamp now) { peer.HandleRelayConnected(now, id(), local); });
  }
  void HandleStreamReceived(std::span<const uint8_t> octets) override {
    const auto kept = shared_from_this();
    InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
      while (const auto message = framer_.Next(octets)) peer.HandleRelayMessage(now, id(), server_, *message);
      if (framer_.error()) peer.HandleRelayConnectionFailed(now, id(), "what it sends is not TURN");
    });
  }
  void HandleStreamWritten() override {
    const auto kept = shared_from_this();
    if (!std::exchange(was_blocked_, is_blocked()) || was_blocked_) return;
    InTurn([](DriverCore&, Peer&, Timestamp) {});
  }
  void HandleStreamFailed(std::string reason) override {
    const auto kept = shared_from_this();
    InTurn([&](DriverCore&, Peer& peer, Timestamp now) {
      peer.HandleRelayConnectionFailed(now, id(), std::move(reason));
    });
  }

  SocketAddress server_;
  turn::StreamFramer framer_;
  bool was_blocked_ = false;
  std::vector<uint8_t> gathered_;
  std::shared_ptr<StreamConnection> stream_;  // last: it calls the rest
};

// The address that the system would send from, or the unspecified one where it has no route.
IpAddress SourceFor(const boost::asio::any_io_executor& executor, const SocketAddress& server) {
  boost::asio::ip::udp::socket probe(executor);
  const boost::asio::ip::udp::endpoint remote(ToAsioAddress(server.ip), server.port);
  boost::system::error_code error;
  probe.open(remote.protocol(), error);
  if (!error) probe.connect(remote, error);  // sends nothing
  const auto local = error ? boost::asio::ip::udp::endpoint() : probe.local_endpoint(error);
  if (!error) return FromAsioAddress(local.address());
  return server.ip.is_v4() ? IpAddress() : *IpAddress::Parse("::");
}

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
      // The 5-tuple is one of this address for good: when it goes, the allocation does, too.
      auto socket =
          UdpSocket::Open(core->executor, {SourceFor(core->executor, server.address), 0}, core->options.mux.socket);
      if (!socket) return fail("no UDP socket: " + socket.error().message());
      auto udp = std::make_shared<UdpRelayConnection>(core, driven, id, std::move(*socket));
      udp->WaitReadable();
      driven->peer.HandleRelayConnected(Now(), id, udp->local());
      return udp;
    }
    case turn::ControlTransport::kTcp:
      return std::make_shared<StreamRelayConnection>(core, driven, id, StreamTarget{.server = server.address});
    case turn::ControlTransport::kTls:
      if (!server.tls) return fail("nobody said whose certificates TLS may trust (RelayServer::tls)");
      return std::make_shared<StreamRelayConnection>(
          core, driven, id, StreamTarget{.server = server.address, .tls = server.tls, .host = server.host});
  }
  return fail("unknown transport");
}

}  // namespace jsp::transport::io
