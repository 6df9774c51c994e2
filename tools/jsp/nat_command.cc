#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stun/nat_discovery.h"
#include "tools/jsp/commands.h"
#include "tools/jsp/output.h"
#include "tools/jsp/stun_server_address.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"

namespace jsp::tool {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

constexpr size_t kLifetimeProbes = 8;
constexpr int kPortTries = 64;

struct NatArguments {
  std::string uri;
  std::string json;
  double lifetime_s = 0;
};

// The sockets and the timer of one discovery: drives stun::NatDiscovery on a loop until it has its report.
class NatRun {
 public:
  NatRun(boost::asio::io_context& loop, const SocketAddress& server)
      : loop_(loop), timer_(loop), rng_(transport::io::SystemRng()), server_(server) {}

  Expected<stun::NatReport, std::string> Run(double lifetime_s) {
    const auto local = LocalAddressTowards(server_);
    if (!local) return Unexpected<std::string>(local.error());
    stun::NatDiscoveryOptions options;
    options.server = server_;
    if (const auto opened = OpenSockets(*local, lifetime_s, options); !opened) {
      return Unexpected<std::string>(opened.error());
    }
    discovery_.emplace(options, rng_, transport::io::Now());
    for (auto& socket : sockets_) Receive(*socket);
    ProgressLine progress("asking " + server_.ToString());
    const auto start = std::chrono::steady_clock::now();
    Drain();
    while (!report_) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
      progress.Show(Format("%lld s", static_cast<long long>(seconds.count())));
      loop_.run_one_for(std::chrono::milliseconds(250));
    }
    progress.Clear();
    return *report_;
  }

 private:
  struct Socket {
    Socket(boost::asio::io_context& loop, const SocketAddress& bound) : udp(loop), address(bound) {}
    boost::asio::ip::udp::socket udp;
    SocketAddress address;
    boost::asio::ip::udp::endpoint from{};
    std::array<uint8_t, 2048> datagram{};
  };

  Expected<IpAddress, std::string> LocalAddressTowards(const SocketAddress& server) {
    error_code error;
    udp::socket probe(loop_);
    const auto remote = transport::io::ToEndpoint(server);
    probe.open(remote.protocol(), error);
    if (!error) probe.connect(remote, error);  // sends nothing; the system chooses the interface
    if (error) return Unexpected<std::string>("cannot reach " + server.ToString() + ": " + error.message());
    return transport::io::FromEndpoint(probe.local_endpoint()).ip;
  }

  // RFC 5780 §4.1: a random port of the dynamic range, so that no earlier run left its traces on it.
  Expected<SocketAddress, std::string> OpenSocket(const IpAddress& ip) {
    error_code error;
    for (int i = 0; i < kPortTries; ++i) {
      const SocketAddress address{ip, static_cast<uint16_t>(49152 + rng_.Below(16384))};
      auto socket = std::make_unique<Socket>(loop_, address);
      const auto endpoint = transport::io::ToEndpoint(address);
      socket->udp.open(endpoint.protocol(), error);
      if (!error) socket->udp.bind(endpoint, error);
      if (!error) {
        sockets_.push_back(std::move(socket));
        return address;
      }
      if (error != boost::asio::error::address_in_use) break;
    }
    return Unexpected<std::string>("cannot open a UDP socket on " + ip.ToString() + ": " + error.message());
  }

  Expected<void, std::string> OpenSockets(const IpAddress& ip, double lifetime_s, stun::NatDiscoveryOptions& options) {
    const size_t probes = lifetime_s > 0 ? kLifetimeProbes : 0;
    for (size_t i = 0; i < 2 + probes; ++i) {
      const auto address = OpenSocket(ip);
      if (!address) return Unexpected<std::string>(address.error());
      if (i == 0) {
        options.mapping_socket = *address;
      } else if (i == 1) {
        options.filtering_socket = *address;
      } else {
        const double after = lifetime_s * static_cast<double>(i - 1) / static_cast<double>(probes);
        options.lifetime.push_back({*address, Duration(static_cast<int64_t>(after * 1e6))});
      }
    }
    return {};
  }

  void Receive(Socket& socket) {
    socket.udp.async_receive_from(
        boost::asio::buffer(socket.datagram), socket.from, [this, &socket](error_code error, size_t size) {
          if (error == boost::asio::error::operation_aborted) return;
          // An unconnected socket reports no ICMP errors: what fails here is one datagram, and silence is an answer.
          if (!error) {
            discovery_->HandleDatagram(transport::io::Now(), socket.address, transport::io::FromEndpoint(socket.from),
                                       std::span(socket.datagram).first(size));
          }
          Drain();
          if (!report_) Receive(socket);
        });
  }

  void Drain() {
    std::array<uint8_t, 1500> out;
    const Timestamp next = jsp::Drain(
        *discovery_, transport::io::Now(), out,
        [&](const stun::NatDiscovery::Transmit& transmit, std::span<const uint8_t> bytes) { Send(transmit, bytes); },
        [&](stun::NatDiscovery::Event&& event) { report_ = std::get<stun::event::NatDiscovered>(event).report; });
    if (report_) return;
    timer_.expires_at(transport::io::ToTimePoint(next));
    timer_.async_wait([this](error_code error) {
      if (error || report_) return;
      discovery_->HandleTimeout(transport::io::Now());
      Drain();
    });
  }

  void Send(const stun::NatDiscovery::Transmit& transmit, std::span<const uint8_t> bytes) {
    for (auto& socket : sockets_) {
      if (socket->address != transmit.local) continue;
      error_code ignored;  // the retransmission is the remedy
      socket->udp.send_to(boost::asio::buffer(bytes.data(), transmit.size), transport::io::ToEndpoint(transmit.remote),
                          0, ignored);
    }
  }

  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  Rng rng_;
  SocketAddress server_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::optional<stun::NatDiscovery> discovery_;
  std::optional<stun::NatReport> report_;
};

using Outcome = Expected<stun::NatReport, std::string>;

Outcome Discover(const stun::Uri& uri, double lifetime_s) {
  boost::asio::io_context loop(1);
  const auto server = ResolveStunServer(loop, uri);
  if (!server) return Unexpected<std::string>(server.error());
  NatRun run(loop, *server);
  Outcome outcome = run.Run(lifetime_s);
  if (outcome && !outcome->mapped) {
    return Unexpected<std::string>(outcome->udp_blocked
                                       ? server->ToString() + " does not answer; is it a STUN server, and is UDP open?"
                                       : server->ToString() + ": " + outcome->mapping_reason);
  }
  return outcome;
}

boost::json::value TextOrNull(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

boost::json::value AddressOrNull(const std::optional<SocketAddress>& address) {
  if (!address) return nullptr;
  return {{"address", address->ip.ToString()}, {"port", address->port}};
}

boost::json::value SecondsOrNull(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  return std::chrono::duration<double>(*duration).count();
}

std::string ToJson(const std::string& uri, const Outcome& outcome) {
  const stun::NatReport report = outcome.value_or(stun::NatReport{});
  boost::json::object document{{"ok", outcome.has_value()}, {"uri", uri}};
  document["local"] = outcome ? AddressOrNull(report.local) : nullptr;
  document["mapped"] = AddressOrNull(report.mapped);
  document["other_address"] = AddressOrNull(report.other_address);
  document["translated"] = outcome ? boost::json::value(report.translated) : nullptr;
  document["mapping"] = ToString(report.mapping);
  document["mapping_reason"] = TextOrNull(report.mapping_reason);
  document["filtering"] = ToString(report.filtering);
  document["filtering_reason"] = TextOrNull(report.filtering_reason);
  document["hairpin"] = report.hairpin ? boost::json::value(*report.hairpin) : nullptr;
  document["lifetime_s"] = {{"at_least", SecondsOrNull(report.lifetime_at_least)},
                            {"below", SecondsOrNull(report.lifetime_below)}};
  document["lifetime_reason"] = TextOrNull(report.lifetime_reason);
  document["software"] = TextOrNull(report.server_software);
  document["error"] = outcome ? boost::json::value(nullptr) : boost::json::value(outcome.error());
  return boost::json::serialize(document) + "\n";
}

// RFC 4787 §4.1 and RFC 4787 §5 in terms of what a user will meet.
const char* Conclusion(const stun::NatReport& report) {
  using stun::NatBehavior;
  if (report.mapping == NatBehavior::kUnknown) return "whether peers can connect directly cannot be told";
  if (report.filtering == NatBehavior::kEndpointIndependent) return "every peer that UDP reaches can connect directly";
  if (report.mapping == NatBehavior::kEndpointIndependent) {
    return "peers connect directly, unless their own NAT maps per destination";
  }
  return "only peers that are open to anybody connect directly; the others need a relay (TURN)";
}

std::string LifetimeText(const NatArguments& arguments, const stun::NatReport& report) {
  if (arguments.lifetime_s <= 0) return "not measured (--lifetime SECONDS)";
  const auto seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
  if (!report.lifetime_at_least && !report.lifetime_below) return "unknown: " + report.lifetime_reason;
  std::string text;
  if (report.lifetime_at_least) text = Format("at least %.0f s", seconds(*report.lifetime_at_least));
  if (report.lifetime_below) {
    text += Format("%sbelow %.0f s", text.empty() ? "" : ", ", seconds(*report.lifetime_below));
  }
  return text;
}

void PrintReport(const NatArguments& arguments, const stun::NatReport& report) {
  const auto with_reason = [](stun::NatBehavior behavior, const std::string& reason) {
    return std::string(ToString(behavior)) + (reason.empty() ? "" : ": " + reason);
  };
  const HumanText text(arguments.json == "-");
  text.Print(Format("local address     %s\n", report.local.ToString().c_str()));
  text.Print(Format("mapped address    %s%s\n", report.mapped->ToString().c_str(),
                    report.translated ? "" : " (the same: no NAT)"));
  text.Print("mapping           " + with_reason(report.mapping, report.mapping_reason) + "\n");
  text.Print("filtering         " + with_reason(report.filtering, report.filtering_reason) + "\n");
  const char* hairpin = !report.hairpin ? "not applicable" : *report.hairpin ? "yes" : "no";
  text.Print(Format("hairpin           %s\n", hairpin));
  text.Print("binding lifetime  " + LifetimeText(arguments, report) + "\n");
  text.Print(Format("%s\n", Conclusion(report)));
}

int RunNat(const NatArguments& arguments) {
  const auto uri = ParseStunUri(arguments.uri);
  if (!uri) return Fail(uri.error(), kExitUsage);
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  const Outcome outcome = Discover(*uri, arguments.lifetime_s);
  if (!arguments.json.empty()) {
    const auto written = WriteDocument(arguments.json, ToJson(arguments.uri, outcome));
    if (!written) return Fail(written.error());
  }
  if (!outcome) return Fail(outcome.error());
  PrintReport(arguments, *outcome);
  return kExitDone;
}

}  // namespace

void AddNatCommand(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<NatArguments>();
  auto* command = program.add_subcommand("nat", "how the NAT here maps and filters (RFC 5780), hairpins and forgets");
  command->add_option("URI", arguments->uri, "stun:HOST[:PORT] of a server with two addresses")->required();
  command->add_option("--lifetime", arguments->lifetime_s, "also find the lifetime of a binding, up to SECONDS")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--json", arguments->json, "write the result as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunNat(*arguments); });
}

}  // namespace jsp::tool
