#include "tools/jsp/turn_server_fleet.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>
#include <utility>

#include "transport/asio/turn_workers.h"
namespace jsp::tool {

std::vector<IpAddress> DefaultRelayAddresses(std::span<const TurnListenAddress> listen,
                                             std::span<const transport::io::InterfaceAddress> interfaces) {
  std::vector<IpAddress> relays;
  const auto add = [&](const IpAddress& ip) {
    if (std::ranges::count(relays, ip) == 0) relays.push_back(ip);
  };
  for (const auto& each : listen) {
    if (!each.address.ip.IsUnspecified()) {
      add(each.address.ip);
      continue;
    }
    for (const auto& own : interfaces) {
      if (own.is_up && own.ip.family() == each.address.ip.family() && !own.ip.IsLinkLocal()) add(own.ip);
    }
  }
  for (const auto family : {IpAddress::Family::kV4, IpAddress::Family::kV6}) {
    const bool has_other =
        std::ranges::any_of(relays, [&](const IpAddress& ip) { return ip.family() == family && !ip.IsLoopback(); });
    if (has_other) {
      std::erase_if(relays, [&](const IpAddress& ip) { return ip.family() == family && ip.IsLoopback(); });
    }
  }
  return relays;
}

namespace {

namespace asio = boost::asio;
using transport::io::TurnListen;
using transport::io::TurnServer;
using transport::io::TurnServerOptions;
using transport::io::TurnWorkers;

turn::Credentials MakeCredentials(const TurnServerConfig& config) {
  turn::Credentials credentials;
  for (const auto& user : config.access.users) credentials.AddUser(user.name, config.realm, user.keys);
  for (const auto& secret : config.access.shared_secrets) credentials.AddSharedSecret(secret);
  return credentials;
}

// The part of `all` that worker `index` of `count` has: beginning with an even port, because RFC 8656 §7.2 wants pairs.
turn::PortRange PartOf(const turn::PortRange& all, size_t index, size_t count) {
  const auto begin_of = [&](size_t part) {
    const size_t ports = all.last - all.first + size_t{1};
    const size_t at = all.first + ports * part / count;
    return part == 0 || part == count ? at : at & ~size_t{1};
  };
  return {static_cast<uint16_t>(begin_of(index)), static_cast<uint16_t>(begin_of(index + 1) - 1)};
}

turn::ServerOptions CoreOptions(const TurnServerConfig& config, size_t index) {
  const size_t workers = config.operation.workers;
  turn::ServerOptions core;
  for (const auto& address : config.relaying.addresses) core.relay_addresses.push_back(address.advertised);
  if (core.relay_addresses.empty()) {
    core.relay_addresses = DefaultRelayAddresses(config.listen, transport::io::ListInterfaces());
  }
  core.relay_ports = PartOf(config.relaying.ports, index, workers);
  core.realm = config.realm;
  core.software = config.software;
  core.credentials = MakeCredentials(config);
  for (const auto& prefix : config.relaying.allowed_peers) core.policy.Allow(prefix);
  for (const auto& prefix : config.relaying.denied_peers) core.policy.Deny(prefix);
  core.lifetimes = config.lifetimes;
  core.quotas = config.quotas;
  core.limits.max_allocations = config.operation.max_allocations;
  core.limits.unauthenticated_per_second = config.operation.strangers_per_second;
  if (config.relaying.tcp) core.relay_protocols.push_back(turn::RelayProtocol::kTcp);
  if (config.relaying.mobility) core.mobility = turn::Mobility::kAllowed;
  if (config.relaying.legacy_channels) core.channels = turn::ChannelRange::kLegacy;
  return core;
}

// `shared` is set where there are several workers.
TurnServerOptions ServerOptionsOf(const TurnServerConfig& config, const std::optional<TurnCertificate>& certificate,
                                  size_t index, const std::shared_ptr<TurnWorkers>& shared) {
  TurnServerOptions options;
  options.core = CoreOptions(config, index);
  for (const auto& listen : config.listen) options.listen.push_back({listen.transport, listen.address});
  for (const auto& address : config.relaying.addresses) {
    if (address.bound != address.advertised) options.relay_mappings.push_back({address.advertised, address.bound});
  }
  if (certificate) {
    options.certificate_pem = certificate->chain_pem;
    options.key_pem = certificate->key_pem;
  }
  options.alternate_address = config.alternate_address;
  options.workers = shared;
  options.worker = turn::WorkerIndex{static_cast<uint8_t>(index)};
  return options;
}

}  // namespace

struct TurnFleet::Worker {
  // Runs `work` on the loop and waits for what it returns.
  template <class Work>
  auto Ask(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto answer = task.get_future();
    asio::post(loop, std::move(task));
    return answer.get();
  }

  asio::io_context loop{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(loop);
  std::unique_ptr<TurnServer> server;
  std::thread thread;
};

TurnFleet::TurnFleet(std::vector<std::unique_ptr<Worker>> workers) : workers_(std::move(workers)) {}

Expected<std::unique_ptr<TurnFleet>, std::string> TurnFleet::Open(const TurnServerConfig& config,
                                                                  const std::optional<TurnCertificate>& certificate) {
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<TurnListen> bound;
  std::shared_ptr<TurnWorkers> shared;
  if (config.operation.workers > 1) {
    shared = std::make_shared<TurnWorkers>(CoreOptions(config, 0), config.operation.workers);
  }
  for (size_t i = 0; i < config.operation.workers; ++i) {
    auto worker = std::make_unique<Worker>();
    auto options = ServerOptionsOf(config, certificate, i, shared);
    // Ports that the first was given; with an alternate address they are fixed (turn_server_settings_apply.cc).
    if (i > 0 && !config.alternate_address) options.listen = bound;
    auto server = TurnServer::Open(worker->loop.get_executor(), std::move(options));
    if (!server) return Unexpected<std::string>(std::move(server.error()));
    worker->server = std::move(*server);
    if (i == 0) bound.assign(worker->server->listening().begin(), worker->server->listening().end());
    workers.push_back(std::move(worker));
  }
  return std::unique_ptr<TurnFleet>(new TurnFleet(std::move(workers)));
}

TurnFleet::~TurnFleet() {
  for (const auto& worker : workers_) worker->loop.stop();
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void TurnFleet::Start() {
  for (const auto& worker : workers_) worker->thread = std::thread([loop = &worker->loop] { loop->run(); });
}

std::vector<TurnListenAddress> TurnFleet::listening() const {
  std::vector<TurnListenAddress> listening;
  for (const auto& listen : workers_.front()->server->listening()) {
    listening.push_back({listen.transport, listen.address});
  }
  return listening;
}

Expected<void, std::string> TurnFleet::Reload(const TurnServerConfig& config,
                                              const std::optional<TurnCertificate>& certificate) {
  for (const auto& worker : workers_) {
    if (!certificate) break;
    const auto set = worker->Ask([&server = *worker->server, pair = *certificate] {
      return server.SetCertificate(pair.chain_pem, pair.key_pem);
    });
    // What one refuses, all refuse, the first of them first.
    if (!set) return set;
  }
  for (const auto& worker : workers_) {
    worker->Ask([&server = *worker->server, &config] { server.SetCredentials(MakeCredentials(config)); });
  }
  return {};
}

void TurnFleet::Drain(const std::vector<SocketAddress>& alternates) {
  for (const auto& worker : workers_) {
    worker->Ask([&server = *worker->server, &alternates] { server.Drain(alternates); });
  }
}

TurnServerTotals TurnFleet::totals() {
  TurnServerTotals totals;
  totals.workers = workers_.size();
  for (const auto& worker : workers_) {
    worker->Ask([&server = *worker->server, &totals] {
      totals.allocations += server.allocations();
      Add(totals.core, server.metrics());
      Add(totals.sockets, server.stats());
    });
  }
  return totals;
}

}  // namespace jsp::tool
