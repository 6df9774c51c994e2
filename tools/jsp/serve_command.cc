#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tools/jsp/channel_service.h"
#include "tools/jsp/commands.h"
#include "tools/jsp/host_port.h"
#include "tools/jsp/ice_arguments.h"
#include "tools/jsp/output.h"
#include "tools/jsp/page.h"
#include "transport/asio/resolver.h"
#include "transport/signaling/server.h"
#include "transport/webrtc_turn_servers.h"

namespace jsp::tool {
namespace {

constexpr size_t kQueueBytes = 4 * 1024 * 1024;  // per session: what a slow reader can make us hold
constexpr size_t kWholeMessages = 256 * 1024;    // up to here messages are served whole
constexpr auto kResolveDeadline = std::chrono::seconds(3);

// For a client that moves, or sleeps a while, and restarts ICE then.
constexpr auto kRestartPatience = std::chrono::seconds(60);

struct ServeArguments {
  std::string http = "127.0.0.1:8080";
  IceArguments ice;
  std::optional<uint16_t> negotiated;
  std::string negotiated_label = "echo";
  size_t max_sessions = 1024;
  size_t max_message_size = kWholeMessages;
  size_t max_memory = 0;             // MiB
  size_t max_connection_memory = 0;  // KiB
};

bool IsLoopback(const std::string& host) {
  const auto ip = IpAddress::Parse(host);
  return host == "localhost" || (ip && ip->IsLoopback());
}

signaling::SessionHostOptions HostOptions(const ServeArguments& arguments) {
  signaling::SessionHostOptions options;
  options.peer.channels.max_queued_bytes = kQueueBytes;
  options.max_sessions = arguments.max_sessions;
  options.peer.ice.mobility.restart_patience = kRestartPatience;
  options.peer.sctp.max_message_size = arguments.max_message_size;
  options.peer.sctp.max_send_buffer = kQueueBytes;
  options.peer.memory.limit = arguments.max_connection_memory * 1024;
  const bool in_pieces = arguments.max_message_size == 0 || arguments.max_message_size > kWholeMessages;
  // An echo reads no faster than it may send, so what it has not read is what the window lets in.
  if (in_pieces) options.peer.sctp.max_receive_window = options.peer.sctp.receive_window;
  options.page = std::string(kPage);
  options.on_memory_refusal = [limit = arguments.max_memory, is_said = false](size_t sessions) mutable {
    if (std::exchange(is_said, true)) return;
    (void)Fail(
        Format("--max-memory %zu: no room for another session beside %zu; raise it, or wait until some end (more "
               "offers get 503, and this is said once)",
               limit, sessions));
  };
  options.make_service = [delivery = in_pieces ? Delivery::kPieces : Delivery::kWhole,
                          negotiated = arguments.negotiated,
                          label = arguments.negotiated_label](signaling::Session& session) {
    auto service = std::make_unique<ChannelService>(session, delivery);
    if (negotiated) service->OpenNegotiated(*negotiated, label);
    return service;
  };
  return options;
}

std::vector<transport::RelayServer> ResolveRelays(boost::asio::io_context& loop, const WebRtcConfig& config) {
  std::optional<std::vector<transport::RelayServer>> relays;
  ResolveTurnServers(loop.get_executor(), config.turn_servers, kResolveDeadline,
                     [&](std::vector<transport::RelayServer> found) { relays = std::move(found); });
  while (!relays && loop.run_one() > 0) {
  }
  loop.restart();
  return relays.value_or(std::vector<transport::RelayServer>());
}

std::vector<SocketAddress> Resolve(boost::asio::io_context& loop, const std::vector<std::string>& texts) {
  std::vector<stun::Uri> uris;
  for (const auto& text : texts) {
    if (const auto uri = stun::ParseUri(text)) uris.push_back(*uri);
  }
  std::optional<std::vector<SocketAddress>> found;
  transport::io::ResolveServers(loop.get_executor(), uris, {.deadline = kResolveDeadline},
                                [&](std::vector<SocketAddress> servers) { found = std::move(servers); });
  while (!found && loop.run_one() > 0) {
  }
  loop.restart();
  return found.value_or(std::vector<SocketAddress>());
}

// A host with IPv6 only reaches IPv4 literals, and the peer's IPv4 candidates, through the network's NAT64.
void ReachServersThroughNat64(boost::asio::io_context& loop, const transport::io::Driver& driver,
                              transport::PeerOptions& options) {
  bool is_done = false;
  driver.FindNat64(kResolveDeadline, [&](std::optional<transport::Nat64Prefix> prefix) {
    options.nat64 = prefix;
    is_done = true;
  });
  while (!is_done && loop.run_one() > 0) {
  }
  loop.restart();
  for (auto& server : options.stun_servers) server = transport::ThroughNat64(options.nat64, server);
  for (auto& relay : options.relay_servers) {
    relay.address = transport::ThroughNat64(options.nat64, relay.address);
    for (auto& other : relay.alternatives) other = transport::ThroughNat64(options.nat64, other);
  }
}

int RunServe(const ServeArguments& arguments) {
  const auto address = ParseHostPort(arguments.http);
  if (!address) {
    return Fail("--http " + arguments.http + ": write HOST:PORT, such as 127.0.0.1:8080 (port 0 picks a free one)",
                kExitUsage);
  }
  WebRtcConfig config;
  if (const auto applied = ApplyIceArguments(arguments.ice, config); !applied) {
    return Fail(applied.error(), kExitUsage);
  }
  config.driver_options.interfaces.include_loopback = IsLoopback(address->host);
  if (arguments.max_memory > 0) {
    config.driver_options.memory =
        std::make_shared<transport::io::MemoryBudget>(arguments.max_memory * size_t{1024} * 1024);
  }
  boost::asio::io_context loop(1);
  auto options = HostOptions(arguments);
  options.peer.stun_servers = Resolve(loop, config.stun_servers);
  if (options.peer.stun_servers.empty() && !config.stun_servers.empty()) {
    return Fail("--ice-server " + config.stun_servers.front() + ": the host name does not resolve; check it");
  }
  options.peer.relay_servers = ResolveRelays(loop, config);
  options.peer.ice_tcp.mode = config.ice_tcp;
  options.peer.hosts = config.peer_options.hosts;
  options.peer.ice.filters.local = config.peer_options.ice.filters.local;
  options.peer.ice.filters.remote = config.peer_options.ice.filters.remote;
  options.peer.only_relays = config.ice_transport_policy == IceTransportPolicy::kRelay;
  if (options.peer.relay_servers.empty() && !config.turn_servers.empty()) {
    return Fail("--ice-server " + config.turn_servers.front().urls.front() +
                ": the host name does not resolve; check it");
  }
  auto driver = transport::io::Driver::Open(loop.get_executor(), config.driver_options);
  if (!driver) {
    return Fail("no UDP socket: " + driver.error().message() + "; check --interface and --port-range");
  }
  ReachServersThroughNat64(loop, **driver, options.peer);
  signaling::SessionHost host(*driver, std::move(options));
  auto server = signaling::Server::Listen(loop.get_executor(), {.host = address->host, .port = address->port}, host);
  if (!server) return Fail(server.error());
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&](boost::system::error_code error, int) {
    if (!error) loop.stop();
  });
  HumanText(false).Print("listening on " + (*server)->url() + "\n");
  loop.run();
  return kExitDone;
}

}  // namespace

void AddServeCommand(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<ServeArguments>();
  auto* command = program.add_subcommand("serve", "signalling over HTTP, a web page, and a peer that serves channels");
  command->add_option("--http", arguments->http, "HOST:PORT to listen on; port 0 picks a free one")
      ->capture_default_str();
  AddIceOptions(*command, arguments->ice);
  command->add_option("--negotiated", arguments->negotiated, "open this channel id in every session, without DCEP");
  command->add_option("--negotiated-label", arguments->negotiated_label, "what that channel does: echo, sink, …")
      ->capture_default_str();
  command
      ->add_option("--max-message-size", arguments->max_message_size,
                   "octets of a message that a peer may send; 0: any; above 262144 they are served in pieces")
      ->capture_default_str();
  command->add_option("--max-sessions", arguments->max_sessions, "more offers are answered 503")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command
      ->add_option("--max-memory", arguments->max_memory,
                   "MiB that all sessions may hold together; more offers get 503, more channels and messages are "
                   "refused; 0: no limit")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  command
      ->add_option("--max-connection-memory", arguments->max_connection_memory,
                   "KiB that one session may hold, at least 256; 0: no limit but those of its queues")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  command->callback([arguments, &exit_code] { exit_code = RunServe(*arguments); });
}

}  // namespace jsp::tool
