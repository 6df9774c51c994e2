#include "bench/natlab/path_runner.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <utility>

namespace jsp::natlab {
namespace {

using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::seconds;
using turn::ControlTransport;

constexpr size_t kPingOctets = 32;
constexpr size_t kBulkMessage = 16 * 1024;
constexpr Duration kConnectDeadline = seconds(60);
constexpr Duration kTransferDeadline = seconds(300);

// Of this process, all threads, in user and kernel mode.
double CpuMilliseconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

double Milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

// What the runs of one path have measured.
struct Samples {
  std::vector<double> connect_ms;
  std::vector<double> rtt_ms;
  std::vector<double> loaded_rtt_ms;
  std::string pair;
  double mbytes_per_s = 0;
  double cpu_ms_per_mb = 0;
};

// One connection: a pings over one channel, z echoes; a sends a bulk over another, z counts.
class PathRun {
 public:
  PathRun(const Path& path, IpAddress::Family family, uint64_t seed) : lab_(OptionsFor(path, family, seed)) {}

  Expected<void, std::string> Connect(Samples& samples) {
    if (!lab_.error().empty()) return Unexpected(lab_.error());
    ping_ = lab_.a->peer.OpenChannel(lab_.world.now(), {.label = "ping"}).value_or(datachannel::ChannelId{});
    bulk_ = lab_.a->peer.OpenChannel(lab_.world.now(), {.label = "bulk"}).value_or(datachannel::ChannelId{});
    if (!lab_.Signal()) return Unexpected(lab_.error());
    const auto is_open = [&] { return lab_.a->peer.channel_state(ping_) == datachannel::ChannelState::kOpen; };
    if (!lab_.world.RunUntil(is_open, kConnectDeadline)) {
      return Unexpected("no connection: " + lab_.a->peer.stats().state_reason);
    }
    samples.connect_ms.push_back(Milliseconds(lab_.world.now() - lab_.start));
    // The pair that is measured is the one that was nominated.
    (void)lab_.world.RunUntil([&] { return lab_.a->IsNominated() && lab_.z->IsNominated(); }, kConnectDeadline);
    if (samples.pair.empty()) samples.pair = Judge(lab_.a->path(), lab_.z->path()).pair_type;
    return {};
  }

  Expected<void, std::string> Ping(std::vector<double>& samples) {
    for (size_t i = 0; i < kPathPings; ++i) {
      SendPing();
      if (!lab_.world.RunUntil([&] { return Pump(samples) && !pinged_at_; }, kTransferDeadline)) {
        return Unexpected<std::string>("a message was not echoed");
      }
    }
    return {};
  }

  Expected<void, std::string> Transfer(size_t octets, Samples& samples) {
    const Timestamp begin = lab_.world.now();
    const double cpu_begin = CpuMilliseconds();
    const double megabytes = static_cast<double>(octets) / 1e6;
    size_t sent = 0;
    const auto done = [&] {
      while (sent < octets && lab_.a->peer.send_buffer_room() >= kBulkMessage) {
        std::vector<uint8_t> message(std::min(kBulkMessage, octets - sent));
        sent += message.size();
        (void)lab_.a->peer.Send(lab_.world.now(), bulk_, datachannel::MessageKind::kBinary, std::move(message));
        lab_.a->driver.Kick();
      }
      if (!pinged_at_) SendPing();
      return Pump(samples.loaded_rtt_ms) && arrived_ >= octets;
    };
    if (!lab_.world.RunUntil(done, kTransferDeadline)) return Unexpected<std::string>("the bulk did not arrive");
    const double took = Milliseconds(lab_.world.now() - begin) / 1000.0;
    samples.mbytes_per_s = megabytes / took;
    samples.cpu_ms_per_mb = (CpuMilliseconds() - cpu_begin) / megabytes;
    return {};
  }

 private:
  static LabOptions OptionsFor(const Path& path, IpAddress::Family family, uint64_t seed) {
    LabOptions options;
    options.layout = {.a = path.a, .z = path.z, .a_access = PathAccessLink(), .z_access = PathAccessLink()};
    options.layout.family = family;
    options.layout.server_access.jitter = std::chrono::microseconds(500);
    options.a = {.relays = path.relays, .only_relays = !path.relays.empty(), .ice_tcp = path.ice_tcp};
    options.z.ice_tcp = path.ice_tcp;
    options.seed = seed;
    return options;
  }
  void SendPing() {
    pinged_at_ = lab_.world.now();
    (void)lab_.a->peer.Send(lab_.world.now(), ping_, datachannel::MessageKind::kBinary,
                            std::vector<uint8_t>(kPingOctets));
    lab_.a->driver.Kick();
  }
  // Takes what has arrived on both sides; always true.
  bool Pump(std::vector<double>& samples) {
    const Timestamp now = lab_.world.now();
    bool took = false;
    while (auto message = lab_.z->peer.PollAnyMessage(now)) {
      took = true;
      if (message->payload.size() == kPingOctets) {
        (void)lab_.z->peer.Send(now, message->channel, message->kind, std::move(message->payload));
      } else {
        arrived_ += message->payload.size();
      }
    }
    if (took) lab_.z->driver.Kick();
    while (lab_.a->peer.PollAnyMessage(now)) {
      samples.push_back(Milliseconds(now - *pinged_at_));
      pinged_at_.reset();
    }
    return true;
  }

  Lab lab_;
  datachannel::ChannelId ping_;
  datachannel::ChannelId bulk_;
  std::optional<Timestamp> pinged_at_;
  size_t arrived_ = 0;
};

Expected<PathReport, std::string> RunPath(const Path& path, IpAddress::Family family, const PathOptions& options) {
  Samples samples;
  for (size_t i = 0; i < options.runs; ++i) {
    PathRun run(path, family, options.seed * 1'000'003 + i);
    auto result = run.Connect(samples);
    if (result) result = run.Ping(samples.rtt_ms);
    if (result && i == 0) result = run.Transfer(options.octets, samples);
    if (!result)
      return Unexpected("path " + std::string(path.name) + " over " + FamilyName(family) + ": " + result.error());
  }
  return PathReport{
      .path = path.name,
      .family = family,
      .pair = samples.pair,
      .connect_ms = Distribution::Of(samples.connect_ms),
      .rtt_ms = Distribution::Of(samples.rtt_ms),
      .mbytes_per_s = samples.mbytes_per_s,
      .loaded_rtt_ms = Distribution::Of(samples.loaded_rtt_ms),
      .cpu_ms_per_mb = options.cpu == CpuMeter::kOn ? std::optional(samples.cpu_ms_per_mb) : std::nullopt};
}

}  // namespace

std::vector<Path> AllPaths() {
  return {{"host", NatType::kPublic, NatType::kPublic},
          {"srflx", NatType::kPort, NatType::kPort},
          {"prflx", NatType::kSymmetric, NatType::kAddress},
          {"ice-tcp", NatType::kUdpBlocked, NatType::kPublic, {}, transport::IceTcp::kBoth},
          {"relay-udp", NatType::kPort, NatType::kPort, {ControlTransport::kUdp}},
          {"relay-tcp", NatType::kPort, NatType::kPort, {ControlTransport::kTcp}},
          {"relay-tls", NatType::kPort, NatType::kPort, {ControlTransport::kTls}}};
}

netsim::LinkOptions PathAccessLink() {
  netsim::LinkOptions link;
  link.delay = milliseconds(10);
  link.jitter = std::chrono::microseconds(500);
  link.bytes_per_second = 6'250'000;
  link.loss = netsim::UniformLoss{0.0001};
  return link;
}

Expected<std::vector<PathReport>, std::string> RunPaths(const PathOptions& options) {
  std::vector<PathReport> reports;
  for (const Path& path : AllPaths()) {
    for (const auto family : {IpAddress::Family::kV4, IpAddress::Family::kV6}) {
      auto report = RunPath(path, family, options);
      if (!report) return Unexpected(report.error());
      reports.push_back(*std::move(report));
    }
  }
  return reports;
}

}  // namespace jsp::natlab
