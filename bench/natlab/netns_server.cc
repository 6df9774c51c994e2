#include "bench/natlab/netns_server.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "dtls/stream_identity.h"
#include "netsim/two_sides.h"

namespace jsp::natlab {
namespace {

using Clock = PeerProcess::Clock;

constexpr auto kStartDeadline = std::chrono::seconds(20);
constexpr auto kGlanceAtStart = std::chrono::milliseconds(500);

// Whom it relays to: hosts and NATs of the lab, and, over IPv4, another of its own relays.
std::vector<std::string> Permissions(const IpAddress& address) {
  std::vector<std::string> arguments{"--relay-address", address.ToString(), "--allow-peer",
                                     address.is_v4() ? "203.0.113.0/24" : "2001:db8::/32"};
  if (address.is_v4()) arguments.insert(arguments.end(), {"--allow-peer", address.ToString() + "/32"});
  return arguments;
}

}  // namespace

std::string HostInUrl(const IpAddress& ip) { return ip.is_v4() ? ip.ToString() : "[" + ip.ToString() + "]"; }

Expected<NetnsServer, std::string> NetnsServer::Start(const NetnsOptions& netns, const CellOptions& options,
                                                      const KernelLab& lab) {
  NetnsServer server;
  const IpAddress address = netsim::ServerAddress(options.family);
  const bool has_probe = options.probe && options.probe->only_relay == turn::ControlTransport::kTls;
  if (has_probe || options.relay == RelayService::kPresent) {
    if (const auto made = server.MakeIdentity(address); !made) return Unexpected(made.error());
  }
  if (const auto ran = server.Run(netns, address, lab); !ran) return Unexpected(ran.error());
  return server;
}

Expected<void, std::string> NetnsServer::MakeIdentity(const IpAddress& address) {
  auto identity = dtls::MakeStreamIdentity({.names = {"IP:" + address.ToString()}});
  if (!identity) return Unexpected(identity.error());
  auto chain = MemoryFile::Create(identity->chain_pem);
  auto key = MemoryFile::Create(identity->key_pem);
  if (!chain || !key) return Unexpected(chain ? key.error() : chain.error());
  chain_.emplace(*std::move(chain));
  key_.emplace(*std::move(key));
  ca_pem_ = std::move(identity->chain_pem);
  return {};
}

// It says on its standard output when it is ready, which is no JSON.
Expected<void, std::string> NetnsServer::Run(const NetnsOptions& netns, const IpAddress& address,
                                             const KernelLab& lab) {
  std::vector<std::string> command = netns.turn_server;
  const std::string host = HostInUrl(address);
  command.insert(command.end(), {"--listen", "udp://" + host + ":3478", "--listen", "tcp://" + host + ":3478"});
  if (chain_) command.insert(command.end(), {"--listen", "tls://" + host + ":443"});
  if (chain_) command.insert(command.end(), {"--cert", chain_->path(), "--key", key_->path()});
  command.insert(command.end(), {"--realm", "natlab", "--user", std::string(kNetnsUser) + ":" + kNetnsUser});
  std::ranges::copy(Permissions(address), std::back_inserter(command));
  process_ = std::make_unique<PeerProcess>(lab.server_host(), command);
  process_->ReadAsText();
  const std::string ready = chain_ ? "listening on tls" : "listening on tcp";
  const auto end = Clock::now() + kStartDeadline;
  std::array<PeerProcess*, 1> only{process_.get()};
  while (process_->text().find(ready) == std::string::npos) {
    PeerProcess::WaitForSome(only, std::min(end, Clock::now() + kGlanceAtStart));
    const std::string ended = process_->Ended();
    if (!ended.empty()) return Unexpected(ended);
    if (Clock::now() >= end) return Unexpected<std::string>("it is not ready");
  }
  return {};
}

}  // namespace jsp::natlab
