#include "tools/jsp/host_path.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "transport/webrtc_transport.h"

namespace jsp::tool {
namespace {

using boost::asio::awaitable;
using boost::asio::use_awaitable;
using Clock = std::chrono::steady_clock;

constexpr int kConnections = 20;
constexpr int kRoundTrips = 200;
constexpr size_t kMessageSize = 64 * 1024;
constexpr auto kThroughputTime = std::chrono::seconds(1);
constexpr auto kDeadline = std::chrono::seconds(30);  // of everything: a machine without loopback must not hang us

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Pair {
  WebRtcTransport a;
  WebRtcTransport z;
};

WebRtcConfig LoopbackConfig(const std::shared_ptr<const dtls::Certificate>& certificate) {
  WebRtcConfig config;
  config.certificate = certificate;
  config.driver_options.bind = {SocketAddress{IpAddress::V4(127, 0, 0, 1), 0}};
  return config;
}

std::string Value(Expected<std::string, DescriptionError> description) {
  if (!description) throw std::runtime_error(description.error().message);
  return *std::move(description);
}

void Apply(WebRtcTransport& transport, SdpType type, const std::string& sdp) {
  const auto applied = transport.set_remote_description(type, sdp);
  if (!applied) throw std::runtime_error(applied.error().message);
}

// Both halves of one connection; the time counts from the first socket to the open channel.
awaitable<double> Connect(Pair& pair) {
  const auto start = Clock::now();
  co_await pair.a.async_initialize(use_awaitable);
  co_await pair.z.async_initialize(use_awaitable);
  const std::string offer = Value(pair.a.create_offer());
  Apply(pair.z, SdpType::kOffer, offer);
  const std::string answer = Value(pair.z.create_answer());
  Apply(pair.a, SdpType::kAnswer, answer);
  co_await pair.a.async_connect(use_awaitable);
  co_await pair.z.async_connect(use_awaitable);
  co_return MillisecondsSince(start);
}

awaitable<std::vector<double>> MeasureRoundTrips(Pair& pair) {
  std::vector<double> sample;
  for (int i = 0; i < kRoundTrips; ++i) {
    const auto start = Clock::now();
    co_await pair.a.async_send(Message{MessageKind::kBinary, std::vector<uint8_t>(32)}, use_awaitable);
    Message echo = co_await pair.z.async_receive(use_awaitable);
    co_await pair.z.async_send(std::move(echo), use_awaitable);
    co_await pair.a.async_receive(use_awaitable);
    sample.push_back(MillisecondsSince(start));
  }
  co_return sample;
}

// Sends until `stop` says that the receiver has seen enough.
awaitable<void> SendUntil(WebRtcTransport& transport, const bool& stop) {
  const std::vector<uint8_t> payload(kMessageSize, 0x5a);
  while (!stop) {
    boost::system::error_code error;
    co_await transport.async_send(boost::asio::buffer(payload), boost::asio::redirect_error(use_awaitable, error));
    if (error) co_return;
  }
}

awaitable<double> MeasureThroughput(Pair& pair) {
  bool stop = false;
  boost::asio::co_spawn(pair.a.get_executor(), SendUntil(pair.a, stop), boost::asio::detached);
  const auto start = Clock::now();
  uint64_t bytes = 0;
  while (Clock::now() - start < kThroughputTime) {
    const Message message = co_await pair.z.async_receive(use_awaitable);
    bytes += message.payload.size();
  }
  const double seconds = MillisecondsSince(start) / 1000;
  stop = true;
  // The sender may wait for room: closing ends its operation before `stop` goes out of scope.
  co_await pair.a.async_close(use_awaitable);
  co_await boost::asio::post(pair.a.get_executor(), use_awaitable);
  co_return static_cast<double>(bytes) / 1e6 / seconds;
}

awaitable<void> Measure(natlab::PathReport& report) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto certificate = dtls::Certificate::Generate();
  if (!certificate) throw std::runtime_error("no certificate could be made");
  std::vector<double> connect_ms;
  for (int i = 0; i < kConnections; ++i) {
    Pair pair{{executor, LoopbackConfig(*certificate)}, {executor, LoopbackConfig(*certificate)}};
    connect_ms.push_back(co_await Connect(pair));
    if (i + 1 < kConnections) continue;
    report.rtt_ms = natlab::Distribution::Of(co_await MeasureRoundTrips(pair));
    report.mbytes_per_s = co_await MeasureThroughput(pair);
  }
  report.connect_ms = natlab::Distribution::Of(std::move(connect_ms));
}

}  // namespace

Expected<natlab::PathReport, std::string> MeasureHostPath() {
  natlab::PathReport report;
  report.path = "host";
  boost::asio::io_context loop(1);
  std::optional<std::string> outcome;
  boost::asio::co_spawn(loop, Measure(report), [&](std::exception_ptr error) {
    outcome = "";
    try {
      if (error) std::rethrow_exception(error);
    } catch (const std::exception& e) {
      outcome = std::string("the host path could not be measured: ") + e.what();
    }
  });
  const auto deadline = Clock::now() + kDeadline;
  while (!outcome && loop.run_one_until(deadline) > 0) {
  }
  if (!outcome) outcome = "the host path could not be measured: no connection over loopback within 30 s";
  if (!outcome->empty()) return Unexpected<std::string>(*outcome);
  return report;
}

}  // namespace jsp::tool
