#include "transport/webrtc_transport.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <thread>

namespace jsp {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

WebRtcConfig LoopbackConfig() {
  WebRtcConfig config;
  config.driver_options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
  return config;
}

Message Binary(size_t size, uint8_t fill = 7) { return {MessageKind::kBinary, std::vector<uint8_t>(size, fill)}; }

// Offer and answer from hand to hand.
void Signal(WebRtcTransport& a, WebRtcTransport& z) {
  const auto offer = a.create_offer();
  ASSERT_TRUE(offer) << offer.error().message;
  ASSERT_TRUE(z.set_remote_description(SdpType::kOffer, *offer));
  const auto answer = z.create_answer();
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_TRUE(a.set_remote_description(SdpType::kAnswer, *answer));
}

class WebRtcTransportTest : public ::testing::Test {
 protected:
  template <class Done>
  bool RunUntil(Done&& done, std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    io_.restart();
    while (!done() && std::chrono::steady_clock::now() < end) {
      if (io_.run_one_until(end) == 0) break;
    }
    return done();
  }
  void Open(WebRtcConfig a_config = LoopbackConfig(), WebRtcConfig z_config = LoopbackConfig()) {
    a_ = std::make_unique<WebRtcTransport>(io_.get_executor(), std::move(a_config));
    z_ = std::make_unique<WebRtcTransport>(io_.get_executor(), std::move(z_config));
    int ready = 0;
    a_->async_initialize([&](error_code error) { ready += error ? 0 : 1; });
    z_->async_initialize([&](error_code error) { ready += error ? 0 : 1; });
    ASSERT_TRUE(RunUntil([&] { return ready == 2; })) << a_->error_detail();
  }
  void Connect() {
    Open();
    Signal(*a_, *z_);
    int ready = 0;
    a_->async_connect([&](error_code error) { ready += error ? 0 : 1; });
    z_->async_connect([&](error_code error) { ready += error ? 0 : 1; });
    ASSERT_TRUE(RunUntil([&] { return ready == 2; })) << a_->state_reason();
  }

  asio::io_context io_;
  std::unique_ptr<WebRtcTransport> a_;
  std::unique_ptr<WebRtcTransport> z_;
};

TEST_F(WebRtcTransportTest, CarriesMessagesBetweenCallbacks) {
  Connect();
  std::string heard;
  z_->async_receive([&](error_code error, Message message) { heard = error ? error.message() : message.text(); });
  std::optional<size_t> sent;
  a_->async_send(asio::buffer("hello", 5), [&](error_code, size_t size) { sent = size; });
  ASSERT_TRUE(RunUntil([&] { return !heard.empty() && sent; }));
  EXPECT_EQ(heard, "hello");
  EXPECT_EQ(sent, 5u);
  EXPECT_EQ(z_->channel().label(), "jetstream_proto");
}

TEST_F(WebRtcTransportTest, SaysWhichPairDataTakes) {  // RFC 8445 §12
  Open();
  std::vector<std::string> said;
  a_->on_selected_pair([&](const ice::Candidate& local, const ice::Candidate& remote) {
    const auto pair = a_->stats().selected_pair;
    ASSERT_TRUE(pair);
    EXPECT_EQ(pair->remote.address, remote.address) << "stats have it already";
    said.push_back(std::string(ice::ToString(local.type)) + " " + remote.address.ip.ToString());
  });
  Signal(*a_, *z_);
  int ready = 0;
  a_->async_connect([&](error_code error) { ready += error ? 0 : 1; });
  z_->async_connect([&](error_code error) { ready += error ? 0 : 1; });
  ASSERT_TRUE(RunUntil([&] { return ready == 2; })) << a_->state_reason();
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.front(), "host 127.0.0.1");
}

TEST_F(WebRtcTransportTest, GivesTheKeysOfItsDtlsWhereThatWasAskedFor) {
  WebRtcConfig collecting = LoopbackConfig();
  collecting.peer_options.collect_keylog = true;
  Open(collecting);
  EXPECT_EQ(a_->take_key_log(), "");
  Signal(*a_, *z_);
  int ready = 0;
  a_->async_connect([&](error_code error) { ready += error ? 0 : 1; });
  z_->async_connect([&](error_code error) { ready += error ? 0 : 1; });
  ASSERT_TRUE(RunUntil([&] { return ready == 2; })) << a_->state_reason();
  EXPECT_EQ(a_->take_key_log().rfind("CLIENT_RANDOM ", 0), 0u);
  EXPECT_EQ(a_->take_key_log(), "") << "each line once";
  EXPECT_EQ(z_->take_key_log(), "") << "nobody asked there";
}

asio::awaitable<void> EchoOnce(WebRtcTransport& transport) {
  Message message = co_await transport.async_receive(asio::use_awaitable);
  co_await transport.async_send(std::move(message), asio::use_awaitable);
}

asio::awaitable<void> AskOnce(WebRtcTransport& transport, std::string& answer) {
  co_await transport.async_connect(asio::use_awaitable);
  co_await transport.async_send(asio::buffer("ping", 4), asio::use_awaitable);
  answer = std::string((co_await transport.async_receive(asio::use_awaitable)).text());
}

TEST_F(WebRtcTransportTest, CarriesMessagesBetweenCoroutines) {
  Open();
  Signal(*a_, *z_);
  std::string answer;
  asio::co_spawn(io_, EchoOnce(*z_), asio::detached);
  asio::co_spawn(io_, AskOnce(*a_, answer), asio::detached);
  ASSERT_TRUE(RunUntil([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "ping");
}

TEST_F(WebRtcTransportTest, CarriesMessagesBetweenFuturesOfAnotherThread) {
  Open();
  Signal(*a_, *z_);
  io_.restart();
  auto work = asio::make_work_guard(io_);
  std::thread loop([&] { io_.run(); });
  auto heard = z_->async_receive(asio::use_future);
  a_->async_connect(asio::use_future).get();
  EXPECT_EQ(a_->async_send(Binary(3), asio::use_future).get(), 3u);
  EXPECT_EQ(heard.get().payload, std::vector<uint8_t>(3, 7));
  a_->async_close(asio::use_future).get();
  io_.stop();
  loop.join();
}

TEST_F(WebRtcTransportTest, MessagesThatCameBeforeAnyReaderWaitInOrder) {
  Connect();
  int sent = 0;
  for (uint8_t i = 0; i < 10; ++i) a_->async_send(Binary(100, i), [&](error_code, size_t) { ++sent; });
  ASSERT_TRUE(RunUntil([&] {
    const auto channels = z_->stats().channels;
    return sent == 10 && !channels.empty() && channels[0].messages_received == 10;
  }));
  std::vector<uint8_t> order;
  for (int i = 0; i < 10; ++i) z_->async_receive([&](error_code, Message m) { order.push_back(m.payload[0]); });
  ASSERT_TRUE(RunUntil([&] { return order.size() == 10; }));
  for (uint8_t i = 0; i < 10; ++i) EXPECT_EQ(order[i], i);
}

TEST_F(WebRtcTransportTest, SendWaitsForRoomInTheBoundedQueue) {
  WebRtcConfig small = LoopbackConfig();
  small.send_queue_bytes = 256 * 1024;
  Open(small);
  Signal(*a_, *z_);
  constexpr size_t kMessages = 64;
  size_t sent = 0;
  size_t received = 0;
  bool full = false;
  a_->async_connect([&](error_code) {
    for (size_t i = 0; i < kMessages; ++i) {
      a_->async_send(Binary(64 * 1024), [&](error_code error, size_t) { sent += error ? 0 : 1; });
    }
    full = a_->try_send(Binary(64 * 1024)) == TransportErrc::kQueueFull;
  });
  std::function<void()> read = [&] {
    z_->async_receive([&](error_code error, Message message) {
      if (error) return;
      EXPECT_EQ(message.payload.size(), 64u * 1024);
      ++received;
      read();
    });
  };
  read();
  ASSERT_TRUE(RunUntil([&] { return received == kMessages; }));
  EXPECT_EQ(sent, kMessages);
  EXPECT_TRUE(full);
}

TEST_F(WebRtcTransportTest, OversizeMessageFailsThatCallOnly) {
  Connect();
  error_code oversize;
  a_->async_send(Binary(300 * 1024), [&](error_code error, size_t) { oversize = error; });
  ASSERT_TRUE(RunUntil([&] { return oversize.failed(); }));
  EXPECT_EQ(oversize, TransportErrc::kMessageTooLarge);
  bool heard = false;
  z_->async_receive([&](error_code error, Message) { heard = !error; });
  a_->async_send(Binary(10), [](error_code, size_t) {});
  EXPECT_TRUE(RunUntil([&] { return heard; }));
}

TEST_F(WebRtcTransportTest, BufferThatIsTooSmallLeavesTheMessage) {
  Connect();
  std::array<uint8_t, 4> small;
  std::array<uint8_t, 64> large;
  std::optional<std::pair<error_code, size_t>> first;
  z_->async_receive(asio::buffer(small), [&](error_code error, size_t size) { first = {error, size}; });
  a_->async_send(Binary(10), [](error_code, size_t) {});
  ASSERT_TRUE(RunUntil([&] { return first.has_value(); }));
  EXPECT_EQ(first->first, TransportErrc::kBufferTooSmall);
  EXPECT_EQ(first->second, 10u);
  size_t second = 0;
  z_->async_receive(asio::buffer(large), [&](error_code, size_t size) { second = size; });
  ASSERT_TRUE(RunUntil([&] { return second > 0; }));
  EXPECT_EQ(second, 10u);
  EXPECT_EQ(large[9], 7);
}

TEST_F(WebRtcTransportTest, MoreChannelsCarryTheirOptionsAndClose) {
  Connect();
  std::optional<DataChannel> remote;
  z_->on_channel([&](DataChannel channel) { remote = channel; });
  auto opened = a_->open_channel({.label = "more", .protocol = "p", .ordered = false, .max_retransmits = uint16_t{0}});
  ASSERT_TRUE(opened);
  ASSERT_TRUE(RunUntil([&] { return remote.has_value(); }));
  EXPECT_EQ(remote->label(), "more");
  EXPECT_FALSE(remote->options().ordered);
  EXPECT_EQ(remote->options().max_retransmits, uint16_t{0});
  error_code ended;
  remote->async_receive([&](error_code error, Message) { ended = error; });
  opened->close();
  ASSERT_TRUE(RunUntil([&] { return ended.failed(); }));
  EXPECT_EQ(ended, TransportErrc::kChannelClosed);
  error_code refused;
  opened->async_send(Binary(1), [&](error_code error, size_t) { refused = error; });
  ASSERT_TRUE(RunUntil([&] { return refused.failed(); }));
  EXPECT_EQ(refused, TransportErrc::kChannelClosed);
  EXPECT_FALSE(a_->try_send(Binary(1)));  // the connection is unharmed
}

TEST_F(WebRtcTransportTest, OversizeLabelIsRefusedByThatCallOnly) {
  Connect();
  const auto opened = a_->open_channel({.label = std::string(65536, 'x')});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), TransportErrc::kLabelTooLong);
  EXPECT_FALSE(a_->try_send(Binary(1)));
}

TEST_F(WebRtcTransportTest, WaitStateCompletesAtOnceOrWhenTheStateComes) {
  Open();
  std::optional<error_code> now;
  std::optional<error_code> later;
  a_->async_wait_state([](ConnectionState s) { return s == ConnectionState::kNew; }, [&](error_code e) { now = e; });
  a_->async_wait_state([](ConnectionState s) { return s == ConnectionState::kCompleted; },
                       [&](error_code e) { later = e; });
  ASSERT_TRUE(RunUntil([&] { return now.has_value(); }));
  EXPECT_FALSE(later);
  Signal(*a_, *z_);
  ASSERT_TRUE(RunUntil([&] { return later.has_value(); }));
  EXPECT_FALSE(*later);
  EXPECT_EQ(a_->connection_state(), ConnectionState::kCompleted);
}

TEST_F(WebRtcTransportTest, CloseEndsBothSidesAndTheirReaders) {
  Connect();
  error_code a_reader;
  error_code z_reader;
  std::optional<error_code> closed;
  a_->async_receive([&](error_code error, Message) { a_reader = error; });
  z_->async_receive([&](error_code error, Message) { z_reader = error; });
  a_->async_close([&](error_code error) { closed = error; });
  ASSERT_TRUE(RunUntil([&] { return closed && a_reader.failed() && z_reader.failed(); }));
  EXPECT_EQ(a_->connection_state(), ConnectionState::kClosed);
  ASSERT_TRUE(RunUntil([&] { return z_->connection_state() == ConnectionState::kClosed; }));
}

TEST_F(WebRtcTransportTest, R9_DestroyingTheTransportInsideItsOwnHandlerAbortsWhatIsPending) {
  Connect();
  error_code pending;
  bool destroyed = false;
  z_->async_receive([&](error_code, Message) {
    z_.reset();
    destroyed = true;
  });
  z_->async_receive([&](error_code error, Message) { pending = error; });
  a_->async_send(Binary(1), [](error_code, size_t) {});
  ASSERT_TRUE(RunUntil([&] { return destroyed && pending.failed(); }));
  EXPECT_EQ(pending, asio::error::operation_aborted);
  ASSERT_TRUE(RunUntil([&] { return a_->connection_state() == ConnectionState::kClosed; }));
}

TEST_F(WebRtcTransportTest, R9_DestroyingTheTransportInsideItsStateHandlerIsSafe) {
  Open();
  bool destroyed = false;
  z_->on_state_change([&](ConnectionState state, const std::string&) {
    if (state != ConnectionState::kConnected && state != ConnectionState::kCompleted) return;
    z_.reset();
    destroyed = true;
  });
  Signal(*a_, *z_);
  EXPECT_TRUE(RunUntil([&] { return destroyed; }));
}

TEST_F(WebRtcTransportTest, R9_AChannelOutlivesItsTransportHarmlessly) {
  Connect();
  DataChannel channel = a_->channel();
  a_.reset();
  ASSERT_TRUE(RunUntil([&] { return channel.state() == ChannelState::kClosed; }));
  error_code error;
  channel.async_send(Binary(1), [&](error_code e, size_t) { error = e; });
  ASSERT_TRUE(RunUntil([&] { return error.failed(); }));
}

TEST_F(WebRtcTransportTest, CancellationEndsOneReader) {
  Connect();
  asio::cancellation_signal cancel;
  error_code cancelled;
  z_->async_receive(asio::bind_cancellation_slot(cancel.slot(), [&](error_code error, Message) { cancelled = error; }));
  cancel.emit(asio::cancellation_type::all);
  ASSERT_TRUE(RunUntil([&] { return cancelled.failed(); }));
  EXPECT_EQ(cancelled, asio::error::operation_aborted);
}

TEST_F(WebRtcTransportTest, TricklesCandidatesAndTheirEnd) {
  Open();
  std::vector<std::string> lines;
  a_->on_local_candidate([&](const std::string& line) { lines.push_back(line); });
  ASSERT_TRUE(RunUntil([&] { return lines.size() == 2; }));
  EXPECT_TRUE(lines[0].starts_with("candidate:"));
  EXPECT_EQ(lines[1], "");
}

TEST_F(WebRtcTransportTest, SharedDriverServesSeveralTransportsOnOnePort) {
  auto driver = transport::io::Driver::Open(io_.get_executor(), LoopbackConfig().driver_options);
  ASSERT_TRUE(driver);
  WebRtcConfig shared;
  shared.driver = *driver;
  Open(LoopbackConfig(), shared);
  WebRtcTransport second(io_.get_executor(), shared);
  bool ready = false;
  second.async_initialize([&](error_code error) { ready = !error; });
  ASSERT_TRUE(RunUntil([&] { return ready; }));
  EXPECT_EQ((*driver)->peer_count(), 2u);
  Signal(*a_, *z_);
  bool connected = false;
  a_->async_connect([&](error_code error) { connected = !error; });
  EXPECT_TRUE(RunUntil([&] { return connected; }));
}

TEST_F(WebRtcTransportTest, ConnectTimesOutWithAReasonWhenNobodyAnswers) {
  WebRtcConfig config = LoopbackConfig();
  config.connect_timeout = std::chrono::milliseconds(50);
  Open(config);
  ASSERT_TRUE(a_->create_offer());
  error_code result;
  a_->async_connect([&](error_code error) { result = error; });
  ASSERT_TRUE(RunUntil([&] { return result.failed(); }));
  EXPECT_EQ(result, TransportErrc::kTimedOut);
  EXPECT_NE(a_->error_detail().find("new"), std::string::npos);
}

TEST_F(WebRtcTransportTest, CallsBeforeInitializeAreRefusedWithAReason) {
  WebRtcTransport transport(io_.get_executor(), LoopbackConfig());
  EXPECT_FALSE(transport.create_offer());
  EXPECT_EQ(transport.open_channel({}).error(), TransportErrc::kNotInitialized);
  EXPECT_EQ(transport.try_send(Binary(1)), TransportErrc::kNotInitialized);
  EXPECT_EQ(transport.restart_ice(), TransportErrc::kNotInitialized);
}

TEST_F(WebRtcTransportTest, RestartsIceWhileMessagesFlow) {  // RFC 8445 §9
  Connect();
  size_t received = 0;
  const std::function<void()> receive = [&] {
    z_->async_receive([&](error_code error, Message) {
      if (error) return;
      ++received;
      receive();
    });
  };
  receive();
  for (int round = 0; round < 2; ++round) {
    const auto before = a_->stats().local_candidates.size();
    ASSERT_FALSE(a_->try_send(Binary(1000)));
    ASSERT_FALSE((round == 0 ? *a_ : *z_).restart_ice()) << a_->error_detail() << z_->error_detail();
    ASSERT_FALSE(a_->try_send(Binary(1000)));
    round == 0 ? Signal(*a_, *z_) : Signal(*z_, *a_);
    ASSERT_FALSE(a_->try_send(Binary(1000)));
    const auto moved = [](const WebRtcTransport& t) { return t.stats().pairs.size() == 1; };
    ASSERT_TRUE(RunUntil([&] { return moved(*a_) && moved(*z_); }));
    EXPECT_EQ(a_->stats().local_candidates.size(), before);
  }
  EXPECT_TRUE(RunUntil([&] { return received == 6; }));
  EXPECT_EQ(a_->connection_state(), ConnectionState::kCompleted);
  ASSERT_TRUE(a_->create_offer());
  EXPECT_EQ(a_->restart_ice(), boost::system::errc::operation_not_permitted) << "a round is incomplete";
  EXPECT_NE(a_->error_detail().find("not complete"), std::string::npos);
}

TEST_F(WebRtcTransportTest, InvalidConfigurationAndUnresolvableRelaysFailAtInitialize) {
  WebRtcConfig bad;
  bad.stun_servers = {"stun://example.org"};
  WebRtcTransport first(io_.get_executor(), bad);
  WebRtcTransport second(io_.get_executor(), WebRtcConfig::RelayOnly({{"turn:host.invalid"}, "u", "p"}));
  error_code first_error;
  error_code second_error;
  first.async_initialize([&](error_code error) { first_error = error; });
  second.async_initialize([&](error_code error) { second_error = error; });
  ASSERT_TRUE(RunUntil([&] { return first_error.failed() && second_error.failed(); }));
  EXPECT_EQ(first_error, TransportErrc::kInvalidConfig);
  EXPECT_NE(first.error_detail().find("stun_servers[0]"), std::string::npos);
  EXPECT_EQ(second_error, TransportErrc::kRelayUnavailable);
  EXPECT_NE(second.error_detail().find("turn_servers"), std::string::npos);
}

}  // namespace
}  // namespace jsp
