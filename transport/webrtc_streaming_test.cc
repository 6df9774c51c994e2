// The façade: messages in pieces, with completion tokens.
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "transport/webrtc_transport.h"

namespace jsp {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

WebRtcConfig SmallConfig() {
  WebRtcConfig config;
  config.driver_options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
  config.send_queue_bytes = 128 * 1024;
  config.peer_options.sctp.max_message_size = 0;
  config.peer_options.sctp.receive_window = config.peer_options.sctp.max_receive_window = 256 * 1024;
  return config;
}

Message Piece(Part part, size_t size, uint8_t fill = 7) {
  return {MessageKind::kBinary, std::vector<uint8_t>(size, fill), part};
}

class WebRtcStreamingTest : public ::testing::Test {
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
  void SetUp() override {
    int ready = 0;
    const auto count = [&](error_code error) { ready += error ? 0 : 1; };
    a_.async_initialize(count);
    z_.async_initialize(count);
    ASSERT_TRUE(RunUntil([&] { return ready == 2; }));
    ASSERT_TRUE(z_.set_remote_description(SdpType::kOffer, *a_.create_offer()));
    ASSERT_TRUE(a_.set_remote_description(SdpType::kAnswer, *z_.create_answer()));
    a_.async_connect(count);
    z_.async_connect(count);
    ASSERT_TRUE(RunUntil([&] { return ready == 4; }));
    z_.set_delivery(Delivery::kPieces);
  }
  error_code Send(Message message) {
    std::optional<error_code> result;
    a_.async_send(std::move(message), [&](error_code error, size_t) { result = error; });
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return *result;
  }
  // One async_receive_some: its error and what it filled.
  std::pair<error_code, ReceivedSome> Receive(asio::mutable_buffer buffer) {
    std::optional<std::pair<error_code, ReceivedSome>> result;
    z_.async_receive_some(buffer, [&](error_code error, ReceivedSome some) { result = {error, some}; });
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return *result;
  }

  asio::io_context io_;
  WebRtcTransport a_{io_.get_executor(), SmallConfig()};
  WebRtcTransport z_{io_.get_executor(), SmallConfig()};
};

constexpr size_t kSize = 8 * 1024 * 1024;
constexpr size_t kPiece = 50'000;

asio::awaitable<void> SendInPieces(WebRtcTransport& transport) {
  for (size_t sent = 0; sent < kSize; sent += std::min(kPiece, kSize - sent)) {
    const size_t size = std::min(kPiece, kSize - sent);
    Message piece{MessageKind::kBinary, std::vector<uint8_t>(size),
                  sent == 0              ? Part::kBegin
                  : sent + size == kSize ? Part::kEnd
                                         : Part::kMiddle};
    for (size_t i = 0; i < size; ++i) piece.payload[i] = static_cast<uint8_t>((sent + i) % 251);
    co_await transport.async_send(std::move(piece), asio::use_awaitable);
  }
}

struct Sum {
  size_t octets = 0;
  size_t calls = 0;
  bool is_right = true;
  bool is_done = false;
};

asio::awaitable<void> ReceiveSome(WebRtcTransport& transport, size_t buffer_size, Sum& sum) {
  std::vector<uint8_t> buffer(buffer_size);
  for (Part part = Part::kBegin; !sctp::Ends(part); ++sum.calls) {
    const ReceivedSome some = co_await transport.async_receive_some(asio::buffer(buffer), asio::use_awaitable);
    sum.is_right = sum.is_right && sctp::Begins(some.part) == (sum.octets == 0);
    for (size_t i = 0; i < some.size; ++i) sum.is_right = sum.is_right && buffer[i] == (sum.octets + i) % 251;
    sum.octets += some.size;
    part = some.part;
  }
  sum.is_done = true;
}

TEST_F(WebRtcStreamingTest, AMessageOfAnySizeStreamsBetweenCoroutines) {
  for (const size_t buffer : {size_t{100'000}, size_t{1000}}) {
    Sum sum;
    asio::co_spawn(io_, SendInPieces(a_), asio::detached);
    asio::co_spawn(io_, ReceiveSome(z_, buffer, sum), asio::detached);
    ASSERT_TRUE(RunUntil([&] { return sum.is_done; }, std::chrono::seconds(60)));
    EXPECT_EQ(sum.octets, kSize);
    EXPECT_TRUE(sum.is_right);
    EXPECT_GE(sum.calls, kSize / buffer);
  }
  EXPECT_EQ(z_.stats().channels[0].messages_received, 2u);
  EXPECT_EQ(z_.stats().channels[0].bytes_received, 2 * kSize);
}

TEST_F(WebRtcStreamingTest, ReceiveSomeReadsWholeMessagesInAnyBuffer) {
  EXPECT_FALSE(Send(Piece(Part::kWhole, 10)));
  EXPECT_FALSE(Send(Piece(Part::kWhole, 0)));
  EXPECT_FALSE(Send(Piece(Part::kWhole, 3)));
  std::array<uint8_t, 4> buffer{};
  for (const auto& [size, part] : {std::pair(size_t{4}, Part::kBegin),
                                   {4, Part::kMiddle},
                                   {2, Part::kEnd},
                                   {0, Part::kWhole},
                                   {3, Part::kWhole}}) {
    const auto [error, some] = Receive(asio::buffer(buffer));
    EXPECT_FALSE(error);
    EXPECT_EQ(some.size, size);
    EXPECT_EQ(some.part, part);
    EXPECT_EQ(some.kind, MessageKind::kBinary);
  }
}

TEST_F(WebRtcStreamingTest, TheRestOfAMessageThatWasReadInPartCanBeReceivedWhole) {
  EXPECT_FALSE(Send(Piece(Part::kWhole, 10)));
  std::array<uint8_t, 4> buffer{};
  EXPECT_EQ(Receive(asio::buffer(buffer)).second.part, Part::kBegin);
  std::optional<Message> rest;
  z_.async_receive([&](error_code, Message message) { rest = std::move(message); });
  ASSERT_TRUE(RunUntil([&] { return rest.has_value(); }));
  EXPECT_EQ(rest->payload.size(), 6u);
  EXPECT_EQ(rest->part, Part::kEnd);
}

TEST_F(WebRtcStreamingTest, AnAbortedMessageIsAnErrorAndTheNextOneFollows) {  // RFC 3758 §3.5 A3
  EXPECT_FALSE(Send(Piece(Part::kBegin, 5)));
  std::array<uint8_t, 100> buffer{};
  EXPECT_EQ(Receive(asio::buffer(buffer)).second.size, 5u);
  EXPECT_FALSE(Send(Piece(Part::kAborted, 0)));
  EXPECT_FALSE(Send(Piece(Part::kWhole, 6)));
  EXPECT_EQ(Receive(asio::buffer(buffer)).first, TransportErrc::kMessageAborted);
  const auto [error, some] = Receive(asio::buffer(buffer));
  EXPECT_FALSE(error);
  EXPECT_EQ(some.size, 6u);
  EXPECT_EQ(some.part, Part::kWhole);
}

TEST_F(WebRtcStreamingTest, MisplacedPiecesFailThatCallOnly) {
  EXPECT_EQ(a_.try_send(Piece(Part::kMiddle, 1)), TransportErrc::kBadPiece);
  EXPECT_FALSE(a_.try_send(Piece(Part::kBegin, 1)));
  EXPECT_EQ(a_.try_send(Piece(Part::kWhole, 1)), TransportErrc::kBadPiece);
  EXPECT_EQ(a_.try_send(Piece(Part::kMiddle, 0)), TransportErrc::kBadPiece);
  EXPECT_FALSE(a_.try_send(Piece(Part::kEnd, 1)));
  std::array<uint8_t, 100> buffer{};
  size_t received = 0;
  while (received < 2) received += Receive(asio::buffer(buffer)).second.size;
  EXPECT_EQ(received, 2u);
}

TEST_F(WebRtcStreamingTest, TrySendAndAsyncSendWaitForRoom) {
  // Nobody reads at z.
  EXPECT_FALSE(a_.try_send(Piece(Part::kBegin, 100'000)));
  int accepted = 0;
  const auto try_once = [&] {
    if (a_.try_send(Piece(Part::kMiddle, 10'000))) return false;
    ++accepted;
    return true;
  };
  for (int before = -1; before < accepted && accepted < 1000;) {
    before = accepted;
    (void)RunUntil([&] { return accepted > before || try_once(); }, std::chrono::seconds(1));
  }
  EXPECT_LE(accepted, 60);
  EXPECT_EQ(a_.try_send(Piece(Part::kMiddle, 100'000)), TransportErrc::kQueueFull);
  std::optional<error_code> sent;
  a_.async_send(Piece(Part::kEnd, 100'000), [&](error_code error, size_t) { sent = error; });
  std::vector<uint8_t> buffer(100'000);
  size_t received = 0;
  for (Part part = Part::kBegin; !sctp::Ends(part);) {
    const auto [error, some] = Receive(asio::buffer(buffer));
    ASSERT_FALSE(error);
    received += some.size;
    part = some.part;
  }
  EXPECT_EQ(sent, error_code());
  EXPECT_EQ(received, 200'000u + 10'000 * static_cast<size_t>(accepted));
}

TEST_F(WebRtcStreamingTest, R9_ClosingEndsAReaderInTheMiddleOfAMessage) {
  EXPECT_FALSE(Send(Piece(Part::kBegin, 5)));
  std::array<uint8_t, 100> buffer{};
  EXPECT_EQ(Receive(asio::buffer(buffer)).second.size, 5u);
  a_.channel().close();
  EXPECT_EQ(Receive(asio::buffer(buffer)).first, TransportErrc::kMessageAborted);
  EXPECT_EQ(Receive(asio::buffer(buffer)).first, TransportErrc::kChannelClosed);
}

}  // namespace
}  // namespace jsp
