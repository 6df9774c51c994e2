#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "tools/jsp/bench_commands.h"
#include "tools/jsp/bench_sockets.h"
#include "tools/jsp/output.h"
#include "tools/jsp/stun_server_address.h"

namespace jsp::tool {
namespace {

using transport::io::TrainIo;

constexpr auto kWarmUp = std::chrono::milliseconds(200);
constexpr auto kStalled = std::chrono::milliseconds(50);
constexpr size_t kMaxSamples = 1 << 20;  // of the round trip; more are not kept

struct BenchStunArguments {
  std::string uri;
  std::string json;
  size_t sockets = 16;
  size_t burst = 16;
  size_t window = 1024;
  double seconds = 3;
};

struct BenchStunResult {
  double requests_per_s = 0;
  double rtt_p50_us = 0;
  double rtt_p99_us = 0;
  double cpu_share = 0;
};

// Binding requests whose transaction ids say when they were sent.
class BindingFlow {
 public:
  BindingFlow(BenchSockets& sockets, const BenchStunArguments& arguments)
      : sockets_(&sockets), arguments_(&arguments), origin_(BenchClock::now()) {}

  Expected<BenchStunResult, std::string> Run() {
    const auto measured_from = origin_ + kWarmUp;
    const auto end = measured_from + std::chrono::duration_cast<BenchClock::duration>(
                                         std::chrono::duration<double>(arguments_->seconds));
    auto progress = origin_;
    double cpu_before = 0;
    for (auto now = origin_; now < end; now = BenchClock::now()) {
      if (!is_measuring_ && now >= measured_from) {
        is_measuring_ = true;
        begin_ = now;
        cpu_before = CpuSeconds();
      }
      while (sent_ + arguments_->burst <= answered_ + written_off_ + arguments_->window) SendBurst(now);
      sockets_->io().Flush();
      const uint64_t before = answered_;
      for (const size_t i : sockets_->Wait(std::chrono::milliseconds(0))) ReceiveFrom(i);
      if (answered_ != before) {
        progress = now;
      } else if (now - progress > kStalled) {
        written_off_ = sent_ - std::min(sent_, answered_);
        progress = now;
      } else {
        (void)sockets_->Wait(std::chrono::milliseconds(1));
      }
    }
    if (round_trips_.empty()) {
      return Unexpected<std::string>(sockets_->server().ToString() +
                                     " does not answer; is it a STUN server, and is UDP open?");
    }
    const double seconds = std::chrono::duration<double>(BenchClock::now() - begin_).count();
    std::ranges::sort(round_trips_);
    return BenchStunResult{static_cast<double>(measured_) / seconds, Percentile(round_trips_, 0.5),
                           Percentile(round_trips_, 0.99), (CpuSeconds() - cpu_before) / seconds};
  }

 private:
  void SendBurst(BenchClock::time_point now) {
    TrainIo& io = sockets_->io();
    const int64_t at = (now - origin_).count();
    for (auto& segment : io.room().first(arguments_->burst)) {
      stun::TransactionId id{};
      const uint32_t number = static_cast<uint32_t>(sent_++);
      std::memcpy(id.octets.data(), &at, sizeof(at));
      std::memcpy(id.octets.data() + sizeof(at), &number, sizeof(number));
      stun::MessageBuilder request(segment.prefix, {stun::Method::kBinding, stun::MessageClass::kRequest}, id);
      segment.prefix_size = static_cast<uint8_t>(request.Finish().size());
      segment.padding = 0;
      segment.payload = {};
    }
    io.Append((*sockets_)[next_], sockets_->server(), arguments_->burst, TrainIo::Fragmenting::kAllowed);
    next_ = (next_ + 1) % sockets_->size();
  }
  void ReceiveFrom(size_t i) {
    const auto now = BenchClock::now();
    sockets_->Receive(i, [&](std::span<const uint8_t> datagram, const SocketAddress& remote) {
      const auto view = stun::MessageView::Parse(datagram);
      if (!view || remote != sockets_->server()) return;
      if (view->type().message_class != stun::MessageClass::kSuccessResponse) return;
      ++answered_;
      if (!is_measuring_) return;
      ++measured_;
      int64_t at = 0;
      std::memcpy(&at, view->transaction_id().octets.data(), sizeof(at));
      if (round_trips_.size() == kMaxSamples) return;
      round_trips_.push_back(
          std::chrono::duration<double, std::micro>(now - origin_ - BenchClock::duration(at)).count());
    });
  }

  BenchSockets* sockets_;
  const BenchStunArguments* arguments_;
  BenchClock::time_point origin_;
  BenchClock::time_point begin_;
  bool is_measuring_ = false;
  uint64_t sent_ = 0;
  uint64_t answered_ = 0;
  uint64_t written_off_ = 0;
  uint64_t measured_ = 0;
  size_t next_ = 0;
  std::vector<double> round_trips_;
};

int RunBenchStun(const BenchStunArguments& arguments) {
  if (arguments.burst > arguments.window) {
    return Fail("--burst: is larger than --window; lower it, or raise the other", kExitUsage);
  }
  const auto uri = ParseStunUri(arguments.uri);
  if (!uri) return Fail(uri.error(), kExitUsage);
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  boost::asio::io_context loop(1);
  const auto server = ResolveStunServer(loop, *uri);
  if (!server) return Fail(server.error());
  auto sockets = BenchSockets::Open(*server, arguments.sockets, SegmentationFor(arguments.burst));
  if (!sockets) return Fail(sockets.error());
  const auto result = BindingFlow(**sockets, arguments).Run();
  if (!result) return Fail(result.error());
  const boost::json::object document{{"server", arguments.uri},
                                     {"requests_per_s", result->requests_per_s},
                                     {"rtt_us", {{"p50", result->rtt_p50_us}, {"p99", result->rtt_p99_us}}},
                                     {"sockets", arguments.sockets},
                                     {"burst", arguments.burst},
                                     {"window", arguments.window},
                                     {"generator_cpu_share", result->cpu_share}};
  if (!arguments.json.empty()) {
    const auto written = WriteDocument(arguments.json, boost::json::serialize(document) + "\n");
    if (!written) return Fail(written.error());
  }
  HumanText(arguments.json == "-")
      .Print(Format("%.0f Binding requests/s, round trip %.0f us in the median, %.0f us in the slowest hundredth\n"
                    "the generator used %.0f %% of a processor\n",
                    result->requests_per_s, result->rtt_p50_us, result->rtt_p99_us, result->cpu_share * 100));
  return kExitDone;
}

}  // namespace

void AddBenchStunCommand(CLI::App& bench, int& exit_code) {
  auto arguments = std::make_shared<BenchStunArguments>();
  auto* command = bench.add_subcommand("stun", "Binding requests a second of a STUN server, and their round trip");
  command->add_option("URI", arguments->uri, "stun:HOST[:PORT]")->required();
  command->add_option("--sockets", arguments->sockets, "clients that ask")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--burst", arguments->burst, "requests that a client sends at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--window", arguments->window, "requests that are not answered yet, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--seconds", arguments->seconds, "of the measurement")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("--json", arguments->json, "write the result as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunBenchStun(*arguments); });
}

}  // namespace jsp::tool
