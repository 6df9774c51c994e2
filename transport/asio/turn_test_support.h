#pragma once
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"
#include "transport/asio/turn_server.h"
#include "transport/asio/udp_socket.h"
#include "turn/client.h"
#include "turn/stream_framer.h"
namespace jsp::transport::io::testing {

const IpAddress kLocalhost = IpAddress::V4(127, 0, 0, 1);

// A server on loopback whose users "user" and "other" have the passwords "pass" and "word", and whose peers are on
// loopback, too.
inline TurnServerOptions LoopbackServer() {
  TurnServerOptions options;
  options.listen = {{turn::ControlTransport::kUdp, {kLocalhost, 0}}, {turn::ControlTransport::kTcp, {kLocalhost, 0}}};
  options.core.realm = "example.org";
  for (const auto& [user, password] : {std::pair{"user", "pass"}, std::pair{"other", "word"}}) {
    options.core.credentials.AddUser(user, "example.org", stun::LongTermKeys::Of(user, "example.org", password));
  }
  options.core.policy.Allow(*turn::Prefix::Parse("127.0.0.0/8"));
  options.core.relay_protocols = {turn::RelayProtocol::kUdp, turn::RelayProtocol::kTcp};
  return options;
}

struct TestDatagram {
  SocketAddress from;
  std::vector<uint8_t> data;
};

// A UDP socket that keeps what it gets; `on_datagram` may answer.
class TestPeerSocket {
 public:
  explicit TestPeerSocket(boost::asio::io_context& io, const IpAddress& ip = kLocalhost)
      : socket_(std::move(*UdpSocket::Open(io.get_executor(), {ip, 0}))) {
    Wait();
  }
  const SocketAddress& local() const { return socket_->local(); }
  // Datagrams of these sizes, as trains where they may be; every octet is the number of its datagram, counted for good.
  void SendTrain(const SocketAddress& to, std::span<const size_t> sizes) {
    std::vector<uint8_t> buffer;
    std::vector<OutgoingDatagram> datagrams;
    for (const size_t size : sizes) {
      datagrams.push_back({to, static_cast<uint32_t>(buffer.size()), static_cast<uint32_t>(size)});
      buffer.insert(buffer.end(), size, static_cast<uint8_t>(sent++));
    }
    socket_->Send(buffer, datagrams);
  }
  void Send(const SocketAddress& to, const std::vector<uint8_t>& data) {
    const OutgoingDatagram one{to, 0, static_cast<uint32_t>(data.size())};
    socket_->Send(data, std::span(&one, 1));
  }

  std::vector<TestDatagram> received;
  std::function<void(const TestDatagram&)> on_datagram;
  size_t sent = 0;

 private:
  void Wait() {
    socket_->socket().async_wait(UdpSocket::Native::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      while (socket_->Receive([&](const SocketAddress& from, std::span<const uint8_t> datagram) {
        received.push_back({from, {datagram.begin(), datagram.end()}});
        if (on_datagram) on_datagram(received.back());
      }) > 0) {
      }
      Wait();
    });
  }

  std::unique_ptr<UdpSocket> socket_;
};

// A TCP connection that keeps what it gets.
class TestTcp {
 public:
  TestTcp(boost::asio::io_context& io, const SocketAddress& server) : socket_(io) {
    socket_.connect({ToAsioAddress(server.ip), server.port});
    Read();
  }
  explicit TestTcp(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) { Read(); }
  SocketAddress local() const {
    const auto endpoint = socket_.local_endpoint();
    return {FromAsioAddress(endpoint.address()), endpoint.port()};
  }
  SocketAddress remote() const {
    const auto endpoint = socket_.remote_endpoint();
    return {FromAsioAddress(endpoint.address()), endpoint.port()};
  }
  // Small things only: it blocks.
  void Write(const std::vector<uint8_t>& octets) { boost::asio::write(socket_, boost::asio::buffer(octets)); }
  // In the background; `octets` must outlive it.
  void WriteAll(const std::vector<uint8_t>& octets) {
    boost::asio::async_write(socket_, boost::asio::buffer(octets), [](boost::system::error_code, size_t) {});
  }
  void EndWriting() { socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send); }
  void Close() { socket_.close(); }

  std::vector<uint8_t> received;
  bool is_closed = false;  // by the other side

 private:
  void Read() {
    const std::weak_ptr<int> watched = alive_;
    socket_.async_read_some(boost::asio::buffer(input_), [this, watched](boost::system::error_code error, size_t size) {
      if (watched.expired() || error == boost::asio::error::operation_aborted) return;
      received.insert(received.end(), input_.begin(), input_.begin() + static_cast<ptrdiff_t>(size));
      is_closed = bool(error);
      if (!error) Read();
    });
  }

  boost::asio::ip::tcp::socket socket_;
  std::array<uint8_t, 65536> input_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

// Our own client on a real socket: UDP, or TCP once it is connected.
class TestTurnClient {
 public:
  TestTurnClient(boost::asio::io_context& io, const TurnListen& server, turn::ClientOptions options = {})
      : server_(server), timer_(io), rng_(SystemRng()) {
    if (options.credentials.username.empty()) {
      options.credentials.username = "user";
      options.credentials.password = "pass";
    }
    options.server = server.address;
    options.transport = server.transport;
    if (turn::IsStream(server.transport)) {
      tcp_.emplace(io);
      tcp_->connect({ToAsioAddress(server.address.ip), server.address.port});
      const auto local = tcp_->local_endpoint();
      options.local = {FromAsioAddress(local.address()), local.port()};
    } else {
      udp_ = std::move(*UdpSocket::Open(io.get_executor(), {server.address.ip, 0}));
      options.local = udp_->local();
    }
    client_.emplace(options, rng_);
    Read();
  }
  turn::Client& client() { return *client_; }
  SocketAddress relayed() const { return *client_->allocation()->relayed_v4(); }

  // call(client, now), and what comes of it.
  template <class Call>
  auto Do(Call&& call) {
    if constexpr (std::is_void_v<decltype(call(*client_, Now()))>) {
      call(*client_, Now());
      Flush();
    } else {
      auto result = call(*client_, Now());
      Flush();
      return result;
    }
  }
  void Start() {
    Do([](turn::Client& c, Timestamp now) { c.Start(now); });
  }
  // Data of these sizes for a peer, in one train over UDP; every octet is the number of its datagram, counted for good.
  void SendTrain(const SocketAddress& peer, std::span<const size_t> sizes) {
    std::vector<uint8_t> out;
    std::vector<OutgoingDatagram> datagrams;
    for (const size_t size : sizes) {
      const std::vector<uint8_t> data(size, static_cast<uint8_t>(sent++));
      const size_t at = out.size();
      out.resize(at + size + turn::Client::kMaxOverhead);
      const auto written = client_->Send(Now(), peer, data, std::span(out).subspan(at));
      ASSERT_TRUE(written);
      out.resize(at + *written);
      if (*written == 0) continue;
      datagrams.push_back({server_.address, static_cast<uint32_t>(at), static_cast<uint32_t>(*written)});
    }
    Flush();
    if (udp_) {
      udp_->Send(out, datagrams);
    } else {
      WriteStream(std::move(out));
    }
  }
  void Send(const SocketAddress& peer, size_t size) { SendTrain(peer, std::span(&size, 1)); }
  // A stream that is not read: the server's data piles up.
  void StopReading() { stream_.reads = false; }
  void ReadAgain() {
    stream_.reads = true;
    Read();
  }
  void Disconnect() { tcp_->close(); }
  boost::asio::ip::tcp::socket& tcp() { return *tcp_; }

  template <class E>
  const E* Find() const {
    for (const auto& event : events) {
      if (const E* found = std::get_if<E>(&event)) return found;
    }
    return nullptr;
  }
  template <class E>
  size_t Count() const {
    size_t count = 0;
    for (const auto& event : events) count += std::holds_alternative<E>(event);
    return count;
  }

  std::vector<turn::ClientEvent> events;
  std::vector<TestDatagram> received;
  TestDatagram last_message;  // of the server, of any kind
  size_t sent = 0;

  // The server closed the stream.
  bool is_closed() const { return stream_.is_closed; }

 private:
  struct Stream {
    turn::StreamFramer framer;
    std::vector<std::shared_ptr<std::vector<uint8_t>>> unsent;
    bool reads = true;
    bool is_closed = false;
  };
  // What was received already when the client goes is told to its handlers all the same: not as aborted.
  std::weak_ptr<int> Alive() const { return alive_; }
  void Read() {
    if (udp_) {
      udp_->socket().async_wait(UdpSocket::Native::wait_read, [this, alive = Alive()](boost::system::error_code error) {
        if (error || alive.expired()) return;
        while (udp_->Receive(
                   [&](const SocketAddress& from, std::span<const uint8_t> datagram) { Feed(from, datagram); }) > 0) {
        }
        Flush();
        Read();
      });
      return;
    }
    tcp_->async_read_some(
        boost::asio::buffer(input_), [this, alive = Alive()](boost::system::error_code error, size_t size) {
          if (alive.expired()) return;
          stream_.is_closed = stream_.is_closed || (error && error != boost::asio::error::operation_aborted);
          if (error) return;
          std::span<const uint8_t> rest(input_.data(), size);
          while (const auto message = stream_.framer.Next(rest)) Feed(server_.address, *message);
          EXPECT_FALSE(stream_.framer.error());
          Flush();
          if (stream_.reads) Read();
        });
  }
  void Feed(const SocketAddress& from, std::span<const uint8_t> message) {
    last_message = {from, {message.begin(), message.end()}};
    const auto handled = client_->HandleDatagram(Now(), client_->local(), from, message);
    if (handled.data) received.push_back({handled.data->peer, {handled.data->data.begin(), handled.data->data.end()}});
  }
  void Flush() {
    std::vector<uint8_t> out(turn::Client::kMaxRequest);
    while (const auto transmit = client_->PollTransmit(Now(), out)) {
      const std::vector<uint8_t> message(out.begin(), out.begin() + static_cast<ptrdiff_t>(transmit->size));
      if (transmit->local != client_->local()) {
        elsewhere.push_back(message);
      } else if (udp_) {
        const OutgoingDatagram one{transmit->remote, 0, static_cast<uint32_t>(message.size())};
        udp_->Send(message, std::span(&one, 1));
      } else {
        WriteStream(message);
      }
    }
    while (auto event = client_->PollEvent()) events.push_back(std::move(*event));
    timer_.expires_at(ToTimePoint(client_->NextTimeout()));
    timer_.async_wait([this, alive = Alive()](boost::system::error_code error) {
      if (error || alive.expired()) return;
      client_->HandleTimeout(Now());
      Flush();
    });
  }
  void WriteStream(std::vector<uint8_t> octets) {
    if (octets.empty()) return;
    auto kept = std::make_shared<std::vector<uint8_t>>(std::move(octets));
    stream_.unsent.push_back(kept);
    if (stream_.unsent.size() == 1) WriteNext();
  }
  void WriteNext() {
    const auto first = stream_.unsent.front();
    boost::asio::async_write(*tcp_, boost::asio::buffer(*first),
                             [this, first, alive = Alive()](boost::system::error_code error, size_t) {
                               if (alive.expired() || error == boost::asio::error::operation_aborted) return;
                               stream_.unsent.erase(stream_.unsent.begin());
                               if (!error && !stream_.unsent.empty()) WriteNext();
                             });
  }

 public:
  std::vector<std::vector<uint8_t>> elsewhere;  // for data connections (RFC 6062 §4.3)

 private:
  TurnListen server_;
  boost::asio::steady_timer timer_;
  Rng rng_;
  std::unique_ptr<UdpSocket> udp_;
  std::optional<boost::asio::ip::tcp::socket> tcp_;
  std::optional<turn::Client> client_;
  std::array<uint8_t, 65536> input_;
  Stream stream_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace jsp::transport::io::testing
