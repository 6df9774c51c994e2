#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stun/client.h"
#include "stun/uri.h"
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

struct StunArguments {
  std::string uri;
  std::string json;
  double timeout_s = 10;
};

// One Binding over a socket of the server's family: drives stun::Client on a loop until it has an outcome.
class BindingRun {
 public:
  BindingRun(boost::asio::io_context& loop, const SocketAddress& server)
      : socket_(loop), timer_(loop), rng_(transport::io::SystemRng()), client_({}, rng_), server_(server) {}

  Expected<stun::event::BindingSucceeded, std::string> Run(boost::asio::io_context& loop,
                                                           std::chrono::steady_clock::time_point deadline) {
    error_code error;
    const auto remote = transport::io::ToEndpoint(server_);
    socket_.open(remote.protocol(), error);
    // Connected, so that the system reports an ICMP error and drops what others send.
    if (!error) socket_.connect(remote, error);
    if (error) return Unexpected<std::string>("cannot reach " + server_.ToString() + ": " + error.message());
    local_ = transport::io::FromEndpoint(socket_.local_endpoint());
    (void)client_.StartBinding(transport::io::Now(), local_, server_);
    Receive();
    Drain();
    while (!outcome_ && std::chrono::steady_clock::now() < deadline) loop.run_one_until(deadline);
    if (outcome_) return *outcome_;
    return Unexpected<std::string>(server_.ToString() + " does not answer; is it a STUN server, and is UDP open?");
  }

 private:
  void Receive() {
    socket_.async_receive(boost::asio::buffer(datagram_), [this](error_code error, size_t size) {
      if (error == boost::asio::error::operation_aborted) return;
      const auto now = transport::io::Now();
      if (error) {
        client_.HandleUnreachable(now, local_, server_);
      } else {
        client_.HandleDatagram(now, local_, server_, std::span(datagram_).first(size));
      }
      Drain();
      if (!outcome_) Receive();
    });
  }
  void Drain() {
    std::array<uint8_t, 1500> out;
    const auto now = transport::io::Now();
    while (const auto transmit = client_.PollTransmit(now, out)) {
      error_code ignored;  // the retransmission is the remedy
      socket_.send(boost::asio::buffer(out, transmit->size), 0, ignored);
    }
    while (auto event = client_.PollEvent()) HandleEvent(*event);
    timer_.expires_at(transport::io::ToTimePoint(client_.NextTimeout()));
    timer_.async_wait([this](error_code error) {
      if (error || outcome_) return;
      client_.HandleTimeout(transport::io::Now());
      Drain();
    });
  }
  void HandleEvent(stun::Client::Event& event) {
    if (auto* succeeded = std::get_if<stun::event::BindingSucceeded>(&event)) {
      outcome_ = std::move(*succeeded);
      return;
    }
    const auto& failed = std::get<stun::event::BindingFailed>(event);
    std::string why = server_.ToString();
    switch (failed.reason) {
      case stun::RequestFailure::kTimeout:
        why += " does not answer; is it a STUN server, and is UDP open?";
        break;
      case stun::RequestFailure::kUnreachable:
        why += " is unreachable: nothing listens on that port, or a firewall refuses";
        break;
      case stun::RequestFailure::kErrorResponse:
        why += " refuses: " + std::to_string(failed.error_code) + " " + failed.detail;
        break;
      case stun::RequestFailure::kChangeIgnored:
      case stun::RequestFailure::kMalformedResponse:
      case stun::RequestFailure::kUnknownRequiredAttribute:
        why += " answers with a bad response: " + failed.detail;
        break;
    }
    outcome_ = Unexpected<std::string>(why);
  }

  udp::socket socket_;
  boost::asio::steady_timer timer_;
  Rng rng_;
  stun::Client client_;
  SocketAddress server_;
  SocketAddress local_;
  std::array<uint8_t, 1500> datagram_{};
  std::optional<Expected<stun::event::BindingSucceeded, std::string>> outcome_;
};

using Outcome = Expected<stun::event::BindingSucceeded, std::string>;

double Milliseconds(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

Outcome Bind(const stun::Uri& uri, double timeout_s) {
  boost::asio::io_context loop(1);
  const auto server = ResolveStunServer(loop, uri);
  if (!server) return Unexpected<std::string>(server.error());
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int64_t>(timeout_s * 1000));
  BindingRun run(loop, *server);
  return run.Run(loop, deadline);
}

std::string ToJson(const std::string& uri, const Outcome& outcome) {
  boost::json::object document{{"ok", outcome.has_value()}, {"uri", uri}};
  document["server"] = outcome ? boost::json::value(outcome->server.ToString()) : nullptr;
  document["mapped"] = nullptr;
  if (outcome) document["mapped"] = {{"address", outcome->mapped.ip.ToString()}, {"port", outcome->mapped.port}};
  document["rtt_ms"] = outcome ? boost::json::value(Milliseconds(outcome->rtt)) : nullptr;
  document["software"] = outcome && !outcome->software.empty() ? boost::json::value(outcome->software) : nullptr;
  document["error"] = outcome ? boost::json::value(nullptr) : boost::json::value(outcome.error());
  return boost::json::serialize(document) + "\n";
}

int RunStun(const StunArguments& arguments) {
  const auto uri = ParseStunUri(arguments.uri);
  if (!uri) return Fail(uri.error(), kExitUsage);
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  const Outcome outcome = Bind(*uri, arguments.timeout_s);
  if (!arguments.json.empty()) {
    const auto written = WriteDocument(arguments.json, ToJson(arguments.uri, outcome));
    if (!written) return Fail(written.error());
  }
  if (!outcome) return Fail(outcome.error());
  const std::string software = outcome->software.empty() ? "" : ", server software " + outcome->software;
  HumanText(arguments.json == "-")
      .Print(Format("mapped address %s, round trip %.3f ms%s\n", outcome->mapped.ToString().c_str(),
                    Milliseconds(outcome->rtt), software.c_str()));
  return kExitDone;
}

}  // namespace

void AddStunCommand(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<StunArguments>();
  auto* command = program.add_subcommand("stun", "one STUN Binding: the mapped address, round trip, server software");
  command->add_option("URI", arguments->uri, "stun:HOST[:PORT]")->required();
  command->add_option("--timeout", arguments->timeout_s, "seconds")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->add_option("--json", arguments->json, "write the result as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunStun(*arguments); });
}

}  // namespace jsp::tool
