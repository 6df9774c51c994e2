#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "stun/uri.h"
#include "tools/jsp/commands.h"
#include "tools/jsp/output.h"
#include "tools/jsp/stun_binding.h"
#include "tools/jsp/stun_server_address.h"
#include "tools/jsp/tls_trust.h"

namespace jsp::tool {
namespace {

struct StunArguments {
  std::string uri;
  std::string ca_file;
  std::string json;
  double timeout_s = 10;
  bool tcp = false;
};

using Outcome = BindingOutcome;

double Milliseconds(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

Outcome Bind(const stun::Uri& uri, const StunArguments& arguments) {
  boost::asio::io_context loop(1);
  const auto servers = ResolveStunServers(loop, uri);
  if (!servers) return Unexpected<std::string>(servers.error());
  BindingTarget target{.servers = *servers, .host = uri.host};
  if (uri.IsSecure()) {
    const auto trust = ReadTrust(arguments.ca_file);
    if (!trust) return Unexpected<std::string>(trust.error());
    target.tls = *trust;
  }
  target.kind = uri.transport == stun::UriTransport::kTcp ? BindingTarget::Kind::kStream : BindingTarget::Kind::kUdp;
  const auto timeout = std::chrono::milliseconds(static_cast<int64_t>(arguments.timeout_s * 1000));
  return RunBinding(loop, target, timeout);
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
  auto uri = ParseBindingUri(arguments.uri);
  if (!uri) return Fail(uri.error(), kExitUsage);
  if (arguments.tcp) uri->transport = stun::UriTransport::kTcp;
  if (const auto writable = CheckWritable(arguments.json); !writable) return Fail(writable.error());
  const Outcome outcome = Bind(*uri, arguments);
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
  command->add_option("URI", arguments->uri, "stun:HOST[:PORT], or stuns: over TLS")->required();
  command->add_flag("--tcp", arguments->tcp, "over TCP instead of UDP");
  command->add_option("--ca-file", arguments->ca_file, "PEM file of the only CA that a stuns: server may have");
  command->add_option("--timeout", arguments->timeout_s, "seconds")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->add_option("--json", arguments->json, "write the result as JSON to FILE, - is standard output");
  command->callback([arguments, &exit_code] { exit_code = RunStun(*arguments); });
}

}  // namespace jsp::tool
