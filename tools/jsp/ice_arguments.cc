#include "tools/jsp/ice_arguments.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "ice/candidate_filter.h"
#include "stun/uri.h"
#include "tools/jsp/tls_trust.h"
#include "transport/asio/interface_list.h"

namespace jsp::tool {
namespace {

using Result = Expected<void, std::string>;

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

Result ApplyServers(const IceArguments& arguments, WebRtcConfig& config) {
  for (const auto& text : arguments.servers) {
    const auto uri = stun::ParseUri(text);
    if (!uri) {
      return Unexpected<std::string>("--ice-server " + text + ": " + std::string(stun::Describe(uri.error().code)));
    }
    if (!uri->IsTurn()) {
      config.stun_servers.push_back(text);
      continue;
    }
    if (arguments.username.empty() || arguments.credential.empty()) {
      return Unexpected<std::string>("--ice-server " + text + ": a TURN server needs --username and --credential");
    }
    config.turn_servers.push_back({{text}, arguments.username, arguments.credential});
  }
  return {};
}

Result ApplyPortRange(const std::string& option, const std::string& text, transport::io::PortRange& range) {
  if (text.empty()) return {};
  const size_t dash = text.find('-');
  const auto low = ParsePort(std::string_view(text).substr(0, dash));
  const auto high = dash == std::string::npos ? low : ParsePort(std::string_view(text).substr(dash + 1));
  if (!low || !high || *low > *high) {
    return Unexpected<std::string>(option + " " + text + ": write LO-HI, both from 1 to 65535, such as 50000-50100");
  }
  range = {*low, *high};
  return {};
}

transport::IceTcp IceTcpMode(const std::string& name) {
  if (name == "active") return transport::IceTcp::kActive;
  if (name == "passive") return transport::IceTcp::kPassive;
  return name == "both" ? transport::IceTcp::kBoth : transport::IceTcp::kOff;
}

Result CheckInterfaces(const std::vector<std::string>& names) {
  const auto interfaces = transport::io::ListInterfaces();
  for (const auto& name : names) {
    if (std::ranges::any_of(interfaces, [&](const auto& i) { return i.name == name; })) continue;
    std::string known;
    for (const auto& i : interfaces) {
      if (known.find(i.name) == std::string::npos) known += (known.empty() ? "" : ", ") + i.name;
    }
    return Unexpected<std::string>("--interface " + name + ": no such interface with an address; there are " + known);
  }
  return {};
}

Result ReadPrefixes(const std::string& option, const std::vector<std::string>& texts, std::vector<IpPrefix>& prefixes) {
  for (const std::string& text : texts) {
    const auto prefix = IpPrefix::Parse(text);
    if (!prefix) {
      return Unexpected<std::string>(option + " " + text + ": write ADDRESS/BITS with zeros behind them, 10.0.0.0/8");
    }
    prefixes.push_back(*prefix);
  }
  return {};
}

Result ReadFilter(const std::string& prefix, const FilterArguments& arguments, ice::CandidateFilter& filter) {
  if (auto read = ReadPrefixes(prefix + "only-prefix", arguments.only, filter.only); !read) return read;
  if (auto read = ReadPrefixes(prefix + "without-prefix", arguments.without, filter.without); !read) return read;
  filter.max_network_cost = arguments.max_cost;
  if (arguments.types.empty()) return {};
  const auto names = [&](const char* type) {
    return std::ranges::find(arguments.types, type) != arguments.types.end();
  };
  filter.host = names("host");
  filter.server_reflexive = names("srflx");
  filter.peer_reflexive = names("prflx");
  filter.relayed = names("relay");
  return {};
}

void AddFilterOptions(CLI::App& command, const std::string& prefix, const std::string& whose,
                      FilterArguments& arguments) {
  command.add_option(prefix + "only-prefix", arguments.only, whose + " candidates of these prefixes only");
  command.add_option(prefix + "without-prefix", arguments.without,
                     "none of " + whose + " candidates of these prefixes");
  command.add_option(prefix + "candidate-type", arguments.types, whose + " candidates of these types only")
      ->check(CLI::IsMember({"host", "srflx", "prflx", "relay"}));
  command.add_option(
      prefix + "max-network-cost", arguments.max_cost,
      "none of " + whose + " candidates that cost more: 0 wired, 10 wireless, 50 a tunnel, 900 cellular");
}

}  // namespace

void AddIceOptions(CLI::App& command, IceArguments& arguments) {
  command.add_option("--ice-server", arguments.servers, "stun:, turn: or turns: URI; repeatable");
  command.add_option("--username", arguments.username, "user name for the TURN servers");
  command.add_option("--credential", arguments.credential, "password for the TURN servers");
  command.add_option("--ca-file", arguments.ca_file,
                     "PEM file of the only CA that turns: servers may have, not the system's");
  command.add_option("--policy", arguments.policy, "all candidates, or relayed ones only")
      ->check(CLI::IsMember({"all", "relay"}))
      ->capture_default_str();
  command.add_option("--interface", arguments.interfaces, "gather on these network interfaces only");
  AddFilterOptions(command, "--", "own", arguments.local);
  AddFilterOptions(command, "--peer-", "the peer's", arguments.remote);
  command.add_flag("--map-port", arguments.map_port, "ask the gateway to map the port, by PCP or NAT-PMP");
  command
      .add_option("--ip-handling", arguments.ip_handling,
                  "RFC 8828 mode: 1 all addresses, 2 those of the default route, 3 and no host's is told, 4 relays by "
                  "TCP or TLS")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  command.add_flag("--mdns", arguments.mdns, "tell .local names, answered by multicast DNS, and no host's address");
  command.add_option("--port-range", arguments.port_range, "LO-HI: UDP ports to use");
  command.add_option("--ice-tcp", arguments.ice_tcp, "connect over TCP (active), listen (passive), or both (RFC 6544)")
      ->check(CLI::IsMember({"off", "active", "passive", "both"}))
      ->capture_default_str();
  command.add_option("--tcp-port-range", arguments.tcp_port_range, "LO-HI: where --ice-tcp passive or both listens");
}

Result ApplyIceArguments(const IceArguments& arguments, WebRtcConfig& config) {
  if (const auto servers = ApplyServers(arguments, config); !servers) return servers;
  const bool uses_tls = std::ranges::any_of(arguments.servers, [](const std::string& text) {
    return stun::ParseUri(text)->scheme == stun::UriScheme::kTurns;
  });
  if (uses_tls || !arguments.ca_file.empty()) {
    auto trust = ReadTrust(arguments.ca_file);
    if (!trust) return Unexpected<std::string>(std::move(trust.error()));
    for (TurnServer& server : config.turn_servers) server.tls = *trust;
  }
  if (arguments.policy == "relay") {
    if (config.turn_servers.empty()) {
      return Unexpected<std::string>("--policy relay: needs a TURN server; add --ice-server turn:HOST:PORT");
    }
    config.ice_transport_policy = IceTransportPolicy::kRelay;
  }
  if (const auto known = CheckInterfaces(arguments.interfaces); !known) return known;
  config.driver_options.interfaces.names = arguments.interfaces;
  auto& ice = config.peer_options.ice;
  if (const auto read = ReadFilter("--", arguments.local, ice.filters.local); !read) return read;
  if (const auto read = ReadFilter("--peer-", arguments.remote, ice.filters.remote); !read) return read;
  config.driver_options.interfaces.addresses = ice.filters.local;
  config.driver_options.port_mapping.is_enabled = arguments.map_port;
  auto& driver = config.driver_options;
  if (const auto range = ApplyPortRange("--port-range", arguments.port_range, driver.mux.ports); !range) return range;
  const auto tcp_range = ApplyPortRange("--tcp-port-range", arguments.tcp_port_range, driver.ice_tcp.ports);
  if (!tcp_range) return tcp_range;
  config.ice_tcp = IceTcpMode(arguments.ice_tcp);
  if (arguments.mdns) config.peer_options.hosts = transport::HostExposure::kNames;
  if (const auto valid = config.Validate(); !valid) return Unexpected<std::string>(valid.error().ToString());
  if (const auto used = config.UseIpHandling(static_cast<IpHandling>(arguments.ip_handling)); !used) {
    return Unexpected<std::string>("--ip-handling: " + used.error().ToString());
  }
  return {};
}

}  // namespace jsp::tool
