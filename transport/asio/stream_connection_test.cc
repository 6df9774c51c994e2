#include "transport/asio/stream_connection.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <string>

#include "dtls/stream_test_support.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using testing::RunUntil;

std::span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Accepts one connection and returns what it hears, with TLS when it has a certificate.
class EchoServer {
 public:
  EchoServer(boost::asio::io_context& io, std::shared_ptr<const dtls::StreamContext> tls)
      : acceptor_(io, {boost::asio::ip::address_v4::loopback(), 0}), socket_(io) {
    acceptor_.async_accept(socket_, [this, tls](error_code error) {
      if (error) return;
      if (tls) session_.emplace(dtls::StreamOptions{.context = tls}, Now());
      Read();
    });
  }
  SocketAddress address() const { return {IpAddress::V4(127, 0, 0, 1), acceptor_.local_endpoint().port()}; }
  void Drop() { socket_.close(); }
  const std::string& heard() const { return heard_; }
  bool is_over() const { return is_over_; }
  bool is_closed_properly() const { return is_closed_properly_; }

 private:
  void Read() {
    socket_.async_read_some(boost::asio::buffer(input_), [this](error_code error, size_t size) {
      if (error) {
        is_over_ = true;
        return;
      }
      Handle(std::span(input_).first(size));
      Read();
    });
  }
  void Handle(std::span<const uint8_t> octets) {
    if (!session_) return Echo(octets);
    std::array<uint8_t, 20000> buffer;
    do {
      octets = octets.subspan(session_->HandleReceived(Now(), octets));
      while (const auto size = session_->PollPlaintext(Now(), buffer)) Echo(std::span(buffer).first(*size));
      Flush();
    } while (!octets.empty());
    while (const auto event = session_->PollEvent()) {
      if (std::holds_alternative<dtls::StreamSession::Closed>(*event)) is_closed_properly_ = true;
    }
  }
  void Echo(std::span<const uint8_t> octets) {
    heard_.append(octets.begin(), octets.end());
    error_code ignored;
    if (!session_) {
      boost::asio::write(socket_, boost::asio::buffer(octets.data(), octets.size()), ignored);
      return;
    }
    while (!octets.empty()) {
      const auto taken = session_->Send(Now(), octets);
      if (!taken) return;
      octets = octets.subspan(*taken);
      Flush();
    }
  }
  void Flush() {
    std::array<uint8_t, 20000> buffer;
    error_code ignored;
    while (const auto transmit = session_->PollTransmit(Now(), buffer)) {
      boost::asio::write(socket_, boost::asio::buffer(buffer, transmit->size), ignored);
    }
  }

  tcp::acceptor acceptor_;
  tcp::socket socket_;
  std::optional<dtls::StreamSession> session_;
  std::array<uint8_t, 4096> input_{};
  std::string heard_;
  bool is_over_ = false;
  bool is_closed_properly_ = false;
};

struct Listener : StreamObserver {
  void HandleStreamConnected(const SocketAddress& address) override { local = address; }
  void HandleStreamReceived(std::span<const uint8_t> octets) override {
    received.append(octets.begin(), octets.end());
    if (on_received) on_received();
  }
  void HandleStreamFailed(std::string reason) override { failure = std::move(reason); }

  std::optional<SocketAddress> local;
  std::string received;
  std::optional<std::string> failure;
  std::function<void()> on_received;
};

class StreamConnectionTest : public ::testing::Test {
 protected:
  StreamTarget TlsTarget(const SocketAddress& server, const std::string& host = "127.0.0.1") {
    return {.server = server, .tls = *dtls::StreamContext::ForClient({.ca_pem = authority_.pem()}), .host = host};
  }
  std::shared_ptr<const dtls::StreamContext> ServerContext() {
    const auto issued = authority_.Issue({.names = {"IP:127.0.0.1"}});
    return *dtls::StreamContext::ForServer(issued.chain_pem, issued.key_pem);
  }

  boost::asio::io_context io_;
  dtls::testing::TestAuthority authority_;
};

TEST_F(StreamConnectionTest, CarriesOctetsOverTcpAndOverTls) {
  for (const bool with_tls : {false, true}) {
    SCOPED_TRACE(with_tls);
    EchoServer server(io_, with_tls ? ServerContext() : nullptr);
    Listener listener;
    const StreamTarget target = with_tls ? TlsTarget(server.address()) : StreamTarget{.server = server.address()};
    const auto connection = StreamConnection::Open(io_.get_executor(), target, listener);
    ASSERT_TRUE(RunUntil(io_, [&] { return listener.local.has_value() || listener.failure; }));
    ASSERT_FALSE(listener.failure) << *listener.failure;
    std::string large(200'000, 'x');
    large += "end";
    connection->Send(AsBytes(large));
    ASSERT_TRUE(RunUntil(io_, [&] { return listener.received.size() == large.size(); }));
    EXPECT_EQ(listener.received, large);
    EXPECT_EQ(connection->unsent(), 0u);
    connection->Close();
    ASSERT_TRUE(RunUntil(io_, [&] { return server.is_over(); }));
    EXPECT_EQ(server.is_closed_properly(), with_tls);
    EXPECT_FALSE(listener.failure);  // our own end is no event
  }
}

TEST_F(StreamConnectionTest, WhatWasSentStillArrivesAfterClose) {
  EchoServer server(io_, ServerContext());
  Listener listener;
  auto connection = StreamConnection::Open(io_.get_executor(), TlsTarget(server.address()), listener);
  ASSERT_TRUE(RunUntil(io_, [&] { return listener.local.has_value(); }));
  connection->Send(AsBytes("last words"));
  connection->Close();
  connection.reset();
  ASSERT_TRUE(RunUntil(io_, [&] { return server.is_over(); }));
  EXPECT_EQ(server.heard(), "last words");
  EXPECT_TRUE(server.is_closed_properly());
}

TEST_F(StreamConnectionTest, SaysInOneLineWhyThereIsNoConnection) {
  EchoServer server(io_, ServerContext());
  Listener wrong_name;
  const auto first =
      StreamConnection::Open(io_.get_executor(), TlsTarget(server.address(), "other.example"), wrong_name);
  ASSERT_TRUE(RunUntil(io_, [&] { return wrong_name.failure.has_value(); }));
  EXPECT_EQ(*wrong_name.failure, "TLS: the server's certificate is for 127.0.0.1, not for other.example");
  EXPECT_EQ(server.heard(), "");

  const SocketAddress closed = [&] {
    tcp::acceptor gone(io_, {boost::asio::ip::address_v4::loopback(), 0});
    return SocketAddress{IpAddress::V4(127, 0, 0, 1), gone.local_endpoint().port()};
  }();
  Listener refused;
  const auto second = StreamConnection::Open(io_.get_executor(), {.server = closed}, refused);
  ASSERT_TRUE(RunUntil(io_, [&] { return refused.failure.has_value(); }));
  EXPECT_EQ(*refused.failure, "nothing listens there");
}

TEST_F(StreamConnectionTest, GivesUpAServerThatAcceptsAndIsSilent) {
  tcp::acceptor silent(io_, {boost::asio::ip::address_v4::loopback(), 0});
  StreamTarget target = TlsTarget({IpAddress::V4(127, 0, 0, 1), silent.local_endpoint().port()});
  target.timeout = std::chrono::milliseconds(50);
  Listener listener;
  const auto connection = StreamConnection::Open(io_.get_executor(), target, listener);
  ASSERT_TRUE(RunUntil(io_, [&] { return listener.failure.has_value(); }));
  EXPECT_EQ(*listener.failure, "no TLS session in 50 ms");
}

TEST_F(StreamConnectionTest, TellsATruncatedSessionFromAClosedOne) {
  EchoServer server(io_, ServerContext());
  Listener listener;
  const auto connection = StreamConnection::Open(io_.get_executor(), TlsTarget(server.address()), listener);
  ASSERT_TRUE(RunUntil(io_, [&] { return listener.local.has_value(); }));
  server.Drop();
  ASSERT_TRUE(RunUntil(io_, [&] { return listener.failure.has_value(); }));
  EXPECT_EQ(*listener.failure, "TLS: the other side closed the connection without saying so in TLS");
}

TEST_F(StreamConnectionTest, R9_ItsOwnerMayLetGoInsideACall) {
  EchoServer server(io_, ServerContext());
  Listener listener;
  auto connection = StreamConnection::Open(io_.get_executor(), TlsTarget(server.address()), listener);
  ASSERT_TRUE(RunUntil(io_, [&] { return listener.local.has_value(); }));
  connection->Send(AsBytes("x"));
  listener.on_received = [&] {
    connection->Close();
    connection.reset();
  };
  ASSERT_TRUE(RunUntil(io_, [&] { return server.is_over(); }));
  EXPECT_EQ(listener.received, "x");
}

}  // namespace
}  // namespace jsp::transport::io
