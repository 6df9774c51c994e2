#include "transport/connection.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "transport/signaling/session_host.h"

namespace jsp {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using transport::Peer;

// Returns every message on its channel; what does not fit waits for room.
class EchoService final : public signaling::SessionService {
 public:
  explicit EchoService(signaling::Session& session) : session_(session) {}
  void HandlePeerEvent(transport::PeerEvent& event) override {
    if (std::holds_alternative<datachannel::event::MessagesWaiting>(event)) Pump();
  }
  void HandleRoom() override { Pump(); }

 private:
  void Pump() {
    session_.peer().Call([&](Peer& p, Timestamp now) {
      while (p.send_buffer_room() >= kRoom) {
        auto message = p.PollAnyMessage(now);
        if (!message) return;
        ASSERT_TRUE(p.Send(now, message->channel, message->kind, std::move(message->payload)));
      }
      session_.peer().WaitForRoom(kRoom);
    });
  }
  static constexpr size_t kRoom = 256 * 1024;
  signaling::Session& session_;
};

class ConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    transport::io::DriverOptions options;
    options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
    auto driver = transport::io::Driver::Open(io_.get_executor(), options);
    ASSERT_TRUE(driver);
    driver_ = *driver;
    signaling::SessionHostOptions host_options;
    host_options.make_service = [](signaling::Session& session) { return std::make_unique<EchoService>(session); };
    host_options.peer.ice.mobility.restart_patience = std::chrono::seconds(30);
    host_options.on_session_end = [this](const signaling::Session&) { ++ended_; };
    host_ = std::make_unique<signaling::SessionHost>(*driver, std::move(host_options));
    auto server = signaling::Server::Listen(io_.get_executor(), {}, *host_);
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    config_.webrtc.driver_options.bind = options.bind;
  }
  template <class Done>
  bool RunUntil(Done&& done, std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    io_.restart();
    while (!done() && std::chrono::steady_clock::now() < end) {
      if (io_.run_one_until(end) == 0) break;
    }
    return done();
  }

  asio::io_context io_;
  std::shared_ptr<transport::io::Driver> driver_;  // of the host
  std::unique_ptr<signaling::SessionHost> host_;
  std::unique_ptr<signaling::Server> server_;
  ConnectionConfig config_;
  int ended_ = 0;
};

asio::awaitable<void> Echo(std::string url, ConnectionConfig config, std::string& answer) {
  auto connection =
      co_await Connection::async_connect(co_await asio::this_coro::executor, url, config, asio::use_awaitable);
  co_await connection->async_send(asio::buffer("over http", 9), asio::use_awaitable);
  answer = std::string((co_await connection->async_receive(asio::use_awaitable)).text());
  co_await connection->async_close(asio::use_awaitable);
}

TEST_F(ConnectionTest, SignalsOverHttpConnectsAndEchoes) {
  std::string answer;
  asio::co_spawn(io_, Echo(server_->url(), config_, answer), asio::detached);
  ASSERT_TRUE(RunUntil([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "over http");
  ASSERT_TRUE(RunUntil([&] { return ended_ == 1; }));  // the goodbye ended the session
  EXPECT_EQ(host_->stats().sessions, 0u);
}

TEST_F(ConnectionTest, DestroyingOneDeletesTheSessionAtTheServer) {  // RFC 9725
  std::optional<Connection> connection;
  const auto connect = [&] {
    connection.reset();
    Connection::async_connect(io_.get_executor(), server_->url(), config_,
                              [&](error_code, Connection c) { connection = std::move(c); });
    return RunUntil([&] { return connection.has_value(); }) && *connection;
  };
  ASSERT_TRUE(connect());
  EXPECT_EQ(server_->stats().requests, 1u);
  connection.reset();
  ASSERT_TRUE(RunUntil([&] { return server_->stats().requests == 2 && ended_ == 1; }));

  ASSERT_TRUE(connect());
  Connection moved = std::move(*connection);
  connection.reset();  // no longer its own
  EXPECT_TRUE(moved);
  moved = Connection();
  ASSERT_TRUE(RunUntil([&] { return server_->stats().requests == 4 && ended_ == 2; }));
  EXPECT_EQ(host_->stats().sessions, 0u);
}

TEST_F(ConnectionTest, EchoesBulkWithBackPressureInBothDirections) {
  std::optional<Connection> connection;
  Connection::async_connect(io_.get_executor(), server_->url(), config_,
                            [&](error_code, Connection c) { connection = std::move(c); });
  ASSERT_TRUE(RunUntil([&] { return connection.has_value(); }));
  ASSERT_TRUE(*connection) << connection->error();
  constexpr size_t kMessages = 200;
  constexpr size_t kSize = 64 * 1024;
  size_t sent = 0;
  size_t received = 0;
  for (size_t i = 0; i < kMessages; ++i) {
    Message message{MessageKind::kBinary, std::vector<uint8_t>(kSize, static_cast<uint8_t>(i))};
    (*connection)->async_send(std::move(message), [&](error_code error, size_t) { sent += error ? 0 : 1; });
  }
  std::function<void()> read = [&] {
    (*connection)->async_receive([&](error_code error, Message message) {
      if (error) return;
      EXPECT_EQ(message.payload.size(), kSize);
      EXPECT_EQ(message.payload[kSize - 1], static_cast<uint8_t>(received));
      ++received;
      read();
    });
  };
  read();
  ASSERT_TRUE(RunUntil([&] { return received == kMessages; }));
  EXPECT_EQ(sent, kMessages);
}

TEST_F(ConnectionTest, PrepareMayOpenMoreChannelsBeforeTheOffer) {
  std::optional<DataChannel> extra;
  config_.prepare = [&](WebRtcTransport& transport) { extra = *transport.open_channel({.label = "extra"}); };
  std::optional<Connection> connection;
  Connection::async_connect(io_.get_executor(), server_->url(), config_,
                            [&](error_code, Connection c) { connection = std::move(c); });
  ASSERT_TRUE(RunUntil([&] { return connection.has_value(); }));
  ASSERT_TRUE(*connection) << connection->error();
  bool heard = false;
  extra->async_receive([&](error_code error, Message message) { heard = !error && message.text() == "x"; });
  extra->async_send(asio::buffer("x", 1), [](error_code, size_t) {});
  EXPECT_TRUE(RunUntil([&] { return heard; }));
}

TEST_F(ConnectionTest, FailuresAreOneLineThatSaysWhatToDo) {
  std::string message;
  const auto attempt = [&](const std::string& url) {
    message.clear();
    Connection::async_connect(io_.get_executor(), url, config_, [&](error_code error, Connection c) {
      EXPECT_TRUE(error.failed());
      EXPECT_FALSE(c);
      message = c.error();
    });
    ASSERT_TRUE(RunUntil([&] { return !message.empty(); }));
  };
  attempt("https://example.org");
  EXPECT_NE(message.find("use http://HOST:PORT"), std::string::npos) << message;
  attempt(server_->url() + "/nowhere");
  EXPECT_NE(message.find("answered 404"), std::string::npos) << message;
  const std::string gone = server_->url();
  server_.reset();
  attempt(gone);
  EXPECT_NE(message.find("nothing listens on"), std::string::npos) << message;
}

// With candidates of both sides gone no check finds the other; only signalling does.
TEST_F(ConnectionTest, ARestartOverHttpFollowsWhenBothSidesAreRenumbered) {  // RFC 8445 §9
  auto own = transport::io::Driver::Open(io_.get_executor(), config_.webrtc.driver_options);
  ASSERT_TRUE(own);
  config_.webrtc.driver = *own;
  std::optional<Connection> connection;
  Connection::async_connect(io_.get_executor(), server_->url(), config_, [&](error_code error, Connection made) {
    ASSERT_FALSE(error) << made.error();
    connection = std::move(made);
  });
  ASSERT_TRUE(RunUntil([&] { return connection.has_value(); }));
  for (uint8_t round = 1; round <= 2; ++round) {
    (*own)->SetAddresses({{.address = {IpAddress::V4(127, 0, 1, round), 0}}});
    driver_->SetAddresses({{.address = {IpAddress::V4(127, 0, 2, round), 0}}});
    std::string answer;
    (*connection)->async_send(asio::buffer("moved", 5), [](error_code, size_t) {});
    (*connection)->async_receive([&](error_code error, const Message& message) {
      answer = error ? error.message() : std::string(message.text());
    });
    ASSERT_TRUE(RunUntil([&] { return !answer.empty(); }));
    EXPECT_EQ(answer, "moved");
    EXPECT_EQ(connection->restarts(), round);
    ASSERT_TRUE(RunUntil([&] { return (*connection)->connection_state() == ConnectionState::kCompleted; }));
  }
  EXPECT_EQ((*connection)->stats().selected_pair->remote.address.ip, IpAddress::V4(127, 0, 2, 2));
}

TEST_F(ConnectionTest, ARestartThatTheServerRefusesIsNotRepeated) {
  auto own = transport::io::Driver::Open(io_.get_executor(), config_.webrtc.driver_options);
  ASSERT_TRUE(own);
  config_.webrtc.driver = *own;
  config_.restart_patience = std::chrono::seconds(1);
  std::optional<Connection> connection;
  Connection::async_connect(io_.get_executor(), server_->url(), config_,
                            [&](error_code, Connection made) { connection = std::move(made); });
  ASSERT_TRUE(RunUntil([&] { return connection.has_value() && *connection; }));
  const std::string id = connection->session_url().substr(connection->session_url().rfind('/') + 1);
  driver_->SetAddresses({{.address = {IpAddress::V4(127, 0, 2, 9), 0}}});
  (*own)->SetAddresses({{.address = {IpAddress::V4(127, 0, 1, 9), 0}}});
  host_->HandleDelete(id);  // its goodbye goes to where nobody is any more
  ASSERT_TRUE(RunUntil([&] { return (*connection)->error_detail().find("404") != std::string::npos; }));
  EXPECT_EQ(connection->restarts(), 1u);
}

TEST_F(ConnectionTest, TheDeadlineCoversConnecting) {
  config_.timeout = std::chrono::milliseconds(100);
  // The server's peer is gone before the checks begin: signalling succeeds, connecting cannot.
  config_.prepare = [&](WebRtcTransport& transport) {
    transport.on_state_change([&](ConnectionState state, const std::string&) {
      if (state != ConnectionState::kChecking) return;
      server_.reset();  // it refers to the host
      host_.reset();
    });
  };
  std::string message;
  Connection::async_connect(io_.get_executor(), server_->url(), config_,
                            [&](error_code, Connection c) { message = c.error(); });
  ASSERT_TRUE(RunUntil([&] { return !message.empty(); }));
  EXPECT_NE(message.find("not connected"), std::string::npos) << message;
}

}  // namespace
}  // namespace jsp
