#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "stun/uri.h"
#include "tools/jsp/bench_commands.h"
#include "tools/jsp/bench_turn_clients.h"
#include "tools/jsp/bench_turn_flow.h"
#include "tools/jsp/output.h"
#include "tools/jsp/stun_server_address.h"
#include "transport/asio/system_rng.h"

namespace jsp::tool {
namespace {

constexpr size_t kRateClients = 256;  // of the measurement of allocations a second
constexpr size_t kProbes = 1000;      // of the measurement of the added delay

struct BenchTurnArguments {
  std::string uri;
  std::string username;
  std::string credential;
  std::string direction = "up";
  std::string json;
  FlowOptions flow;
  size_t allocations = 1;
  double rate_seconds = 3;
  double hold_seconds = 0;
};

struct BenchTurnResult {
  std::optional<double> allocations_per_s{};
  FlowResult flow;
  DelayResult delay;
};

Expected<double, std::string> MeasureAllocations(const BenchTurnServer& server, double seconds, BenchPorts& ports) {
  double spent = 0;
  size_t rounds = 0;
  for (; spent < seconds; ++rounds) {
    const auto clients = BenchTurnClients::Open(server, kRateClients, ports);
    if (!clients) return Unexpected<std::string>(clients.error());
    const auto allocated = (*clients)->Allocate();
    if (!allocated) return allocated;
    spent += *allocated;
    if (const auto closed = (*clients)->Close(); !closed) return Unexpected<std::string>(closed.error());
  }
  return static_cast<double>(rounds * kRateClients) / spent;
}

// Allocations with a channel each to one peer, `peer`.
Expected<std::unique_ptr<BenchTurnClients>, std::string> OpenRelays(const BenchTurnServer& server,
                                                                    const BenchTurnArguments& arguments,
                                                                    const SocketAddress& peer, BenchPorts& ports) {
  auto clients = BenchTurnClients::Open(server, arguments.allocations, ports, SegmentationFor(arguments.flow.burst));
  if (!clients) return clients;
  if (const auto allocated = (*clients)->Allocate(); !allocated) return Unexpected<std::string>(allocated.error());
  if (const auto bound = (*clients)->BindChannels(peer); !bound) return Unexpected<std::string>(bound.error());
  return clients;
}

Expected<BenchTurnResult, std::string> Measure(const BenchTurnServer& server, const BenchTurnArguments& arguments) {
  BenchTurnResult result;
  Rng rng = transport::io::SystemRng();
  BenchPorts ports(rng);
  if (arguments.rate_seconds > 0) {
    const auto rate = MeasureAllocations(server, arguments.rate_seconds, ports);
    if (!rate) return Unexpected<std::string>(rate.error());
    result.allocations_per_s = *rate;
  }
  // Who receives may get trains; what is measured is the server.
  const bool peer_sends = arguments.flow.direction == FlowDirection::kDown;
  auto peer = BenchSockets::Open(server.address, 1, SegmentationFor(peer_sends ? arguments.flow.burst : size_t{2}));
  if (!peer) return Unexpected<std::string>(peer.error());
  auto clients = OpenRelays(server, arguments, (**peer)[0].local(), ports);
  if (!clients) return Unexpected<std::string>(clients.error());
  TurnFlow flow(**clients, **peer);
  result.flow = flow.Run(arguments.flow);
  if (result.flow.received == 0) {
    return Unexpected<std::string>("nothing came out of the relays of " + server.address.ToString());
  }
  const auto delay = flow.MeasureDelay(arguments.flow.size, kProbes);
  if (!delay) return Unexpected<std::string>(delay.error());
  result.delay = *delay;
  if (const auto closed = (*clients)->Close(); !closed) return Unexpected<std::string>(closed.error());
  return result;
}

// Keeps allocations, so that somebody can look at the server's memory.
int Hold(const BenchTurnServer& server, const BenchTurnArguments& arguments) {
  const auto peer = BenchSockets::Open(server.address, 1);
  if (!peer) return Fail(peer.error());
  Rng rng = transport::io::SystemRng();
  BenchPorts ports(rng);
  const auto clients = OpenRelays(server, arguments, (**peer)[0].local(), ports);
  if (!clients) return Fail(clients.error());
  HumanText(false).Print(Format("holding %zu allocations\n", (*clients)->size()));
  std::this_thread::sleep_for(std::chrono::duration<double>(arguments.hold_seconds));
  if (const auto closed = (*clients)->Close(); !closed) return Fail(closed.error());
  return kExitDone;
}

std::string ToJson(const BenchTurnArguments& arguments, const BenchTurnResult& result) {
  const double per_s = static_cast<double>(result.flow.received) / result.flow.seconds;
  const boost::json::object document{
      {"server", arguments.uri},
      {"direction", arguments.direction},
      {"relayed_per_s", per_s},
      {"bytes_per_s", per_s * static_cast<double>(arguments.flow.size)},
      {"sent", result.flow.sent},
      {"lost", result.flow.lost},
      {"allocations_per_s", result.allocations_per_s ? boost::json::value(*result.allocations_per_s) : nullptr},
      {"added_delay_us", {{"p50", result.delay.p50}, {"p99", result.delay.p99}}},
      {"size", arguments.flow.size},
      {"allocations", arguments.allocations},
      {"burst", arguments.flow.burst},
      {"window", arguments.flow.window},
      {"seconds", result.flow.seconds},
      {"generator_cpu_share", result.flow.cpu_share},
  };
  return boost::json::serialize(document) + "\n";
}

std::string ToText(const BenchTurnArguments& arguments, const BenchTurnResult& result) {
  const double per_s = static_cast<double>(result.flow.received) / result.flow.seconds;
  const std::string rate = result.allocations_per_s ? Format("%.0f", *result.allocations_per_s) : "not measured:";
  return Format(
      "%.0f relayed packets/s (%s, %zu octets, %zu allocations, bursts of %zu), %.1f MB/s, lost %llu of %llu\n"
      "%s allocations/s\n"
      "added delay %.0f us in the median, %.0f us in the slowest hundredth\n"
      "the generator used %.0f %% of a processor\n",
      per_s, arguments.direction.c_str(), arguments.flow.size, arguments.allocations, arguments.flow.burst,
      per_s * static_cast<double>(arguments.flow.size) / 1e6, static_cast<unsigned long long>(result.flow.lost),
      static_cast<unsigned long long>(result.flow.sent), rate.c_str(), result.delay.p50, result.delay.p99,
      result.flow.cpu_share * 100);
}

Expected<BenchTurnServer, std::string> FindServer(const BenchTurnArguments& arguments) {
  const auto uri = stun::ParseUri(arguments.uri);
  if (!uri) return Unexpected<std::string>(arguments.uri + ": " + std::string(stun::Describe(uri.error().code)));
  if (uri->scheme != stun::UriScheme::kTurn || uri->transport != stun::UriTransport::kUdp) {
    return Unexpected<std::string>(arguments.uri + ": write turn:HOST[:PORT]; this measures UDP");
  }
  boost::asio::io_context loop(1);
  const auto address = ResolveStunServer(loop, *uri);
  if (!address) return Unexpected<std::string>(address.error());
  return BenchTurnServer{*address, arguments.username, arguments.credential};
}

int RunBenchTurn(BenchTurnArguments arguments) {
  arguments.flow.direction = arguments.direction == "up" ? FlowDirection::kUp : FlowDirection::kDown;
  if (arguments.flow.burst > arguments.flow.window) {
    return Fail("--burst: is larger than --window; lower it, or raise the other", kExitUsage);
  }
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  const auto server = FindServer(arguments);
  if (!server) return Fail(server.error(), kExitUsage);
  if (arguments.hold_seconds > 0) return Hold(*server, arguments);
  const auto result = Measure(*server, arguments);
  if (!result) return Fail(result.error());
  if (!arguments.json.empty()) {
    const auto written = WriteDocument(arguments.json, ToJson(arguments, *result));
    if (!written) return Fail(written.error());
  }
  HumanText(arguments.json == "-").Print(ToText(arguments, *result));
  return kExitDone;
}

}  // namespace

void AddBenchTurnCommand(CLI::App& bench, int& exit_code) {
  auto arguments = std::make_shared<BenchTurnArguments>();
  auto& flow = arguments->flow;
  auto* command = bench.add_subcommand("turn", "relayed packets and allocations a second of a TURN server, over UDP");
  command->add_option("URI", arguments->uri, "turn:HOST[:PORT]")->required();
  command->add_option("--username", arguments->username, "user name for the server")->required();
  command->add_option("--credential", arguments->credential, "password for the server")->required();
  command->add_option("--size", flow.size, "octets of payload")->check(CLI::Range(1, 1400))->capture_default_str();
  command->add_option("--allocations", arguments->allocations, "clients that send or receive")
      ->check(CLI::Range(1, 60000))
      ->capture_default_str();
  command->add_option("--direction", arguments->direction, "up: client to peer; down: peer to client")
      ->check(CLI::IsMember({"up", "down"}))
      ->capture_default_str();
  command->add_option("--burst", flow.burst, "datagrams that are sent at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--window", flow.window, "datagrams that are on the way, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--seconds", flow.seconds, "of the relaying that is measured")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("--rate-seconds", arguments->rate_seconds, "of allocating that is measured; 0: not at all")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--hold", arguments->hold_seconds, "only keep the allocations for so many seconds")
      ->check(CLI::Range(0.0, 500.0));
  command->add_option("--json", arguments->json, "write the result as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunBenchTurn(*arguments); });
}

}  // namespace jsp::tool
