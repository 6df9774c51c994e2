#include "tools/jsp/peer_measurement.h"

#include <time.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <string_view>
#include <utility>

namespace jsp::tool {
namespace {

namespace json = boost::json;
using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr size_t kPingOctets = 32;
constexpr size_t kBulkMessage = 16 * 1024;
constexpr auto kEchoDeadline = std::chrono::seconds(30);
constexpr std::string_view kEnd = "end";

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Message EndOfBulk() { return {MessageKind::kString, {kEnd.begin(), kEnd.end()}}; }

json::array ToArray(const std::vector<double>& samples) {
  json::array array;
  for (const double sample : samples) array.emplace_back(sample);
  return array;
}

}  // namespace

PeerMeasurement::PeerMeasurement(boost::asio::io_context& loop, WebRtcTransport& transport)
    : loop_(loop), transport_(transport), echo_(loop) {}

awaitable<json::object> PeerMeasurement::Run(size_t pings, size_t octets) {
  std::vector<double> idle, loaded;
  for (size_t i = 0; i < pings; ++i) {
    if (!co_await Ping(idle)) co_return json::object{{"failed", "a message was not echoed"}};
  }
  boost::asio::co_spawn(loop_, SendBulk(octets), boost::asio::detached);
  while (!is_over_) {
    if (!co_await Ping(loaded)) co_return json::object{{"failed", "a message beside the bulk was not echoed"}};
  }
  if (mbytes_per_s_ == 0) co_return json::object{{"failed", "the bulk did not arrive"}};
  co_return json::object{
      {"rtt_ms", ToArray(idle)}, {"loaded_rtt_ms", ToArray(loaded)}, {"mbytes_per_s", mbytes_per_s_}};
}

void PeerMeasurement::HandleEcho() {
  is_echoed_ = true;
  echo_.cancel();
}

awaitable<bool> PeerMeasurement::Ping(std::vector<double>& samples) {
  const auto begin = Clock::now();
  is_echoed_ = false;
  echo_.expires_after(kEchoDeadline);
  Message ping(MessageKind::kBinary, std::vector<uint8_t>(kPingOctets));
  error_code error;
  co_await transport_.async_send(std::move(ping), redirect_error(use_awaitable, error));
  if (error) co_return false;
  if (!is_echoed_) co_await echo_.async_wait(redirect_error(use_awaitable, error));
  if (is_echoed_) samples.push_back(MillisecondsSince(begin));
  co_return is_echoed_;
}

awaitable<void> PeerMeasurement::SendBulk(size_t octets) {
  error_code error;
  auto channel = transport_.open_channel({.label = "bulk"});
  if (channel) co_await channel->async_wait_open(redirect_error(use_awaitable, error));
  is_over_ = !channel || error;
  if (is_over_) co_return;
  const auto begin = Clock::now();
  for (size_t sent = 0; sent < octets && !error;) {
    Message message(MessageKind::kBinary, std::vector<uint8_t>(std::min(kBulkMessage, octets - sent)));
    sent += message.payload.size();
    co_await channel->async_send(std::move(message), redirect_error(use_awaitable, error));
  }
  if (!error) co_await channel->async_send(EndOfBulk(), redirect_error(use_awaitable, error));
  if (!error) (void)co_await channel->async_receive(redirect_error(use_awaitable, error));
  if (!error) mbytes_per_s_ = static_cast<double>(octets) / 1e3 / MillisecondsSince(begin);
  is_over_ = true;
}

awaitable<void> PeerMeasurement::TakeBulk(DataChannel channel) {
  error_code error;
  while (!error) {
    const Message message = co_await channel.async_receive(redirect_error(use_awaitable, error));
    if (error || message.kind != MessageKind::kString) continue;
    co_await channel.async_send(EndOfBulk(), redirect_error(use_awaitable, error));
  }
}

double ProcessCpuMilliseconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

}  // namespace jsp::tool
