#include "transport/asio/turn_server.h"

#include <algorithm>
#include <utility>

#include "transport/asio/turn_server_core.h"
namespace jsp::transport::io {

Expected<std::unique_ptr<TurnServer>, std::string> TurnServer::Open(boost::asio::any_io_executor executor,
                                                                    TurnServerOptions options) {
  using Error = Unexpected<std::string>;
  std::shared_ptr<const dtls::StreamContext> certificate;
  if (std::ranges::find(options.listen, turn::ControlTransport::kTls, &TurnListen::transport) != options.listen.end()) {
    if (!options.certificate_pem || !options.key_pem) return Error("a TLS listener needs a certificate and its key");
    auto context = dtls::StreamContext::ForServer(*options.certificate_pem, *options.key_pem);
    if (!context) return Error(std::move(context.error()));
    certificate = std::move(*context);
  }
  auto bound = BindListeners(executor, options);
  if (!bound) return Error(std::move(bound.error()));
  auto ready = ReadySet::Open(executor);
  if (!ready) return Error("no epoll: " + ready.error().message());
  auto core = std::make_shared<TurnServerCore>(std::move(executor), std::move(options), *bound, std::move(*ready));
  core->streams.SetCertificate(std::move(certificate));
  if (auto error = core->Start(*bound)) return Error(std::move(*error));
  return std::make_unique<TurnServer>(std::move(core));
}

TurnServer::~TurnServer() { core_->Stop(); }

std::span<const TurnListen> TurnServer::listening() const { return core_->listening; }

void TurnServer::SetCredentials(turn::Credentials credentials) { core_->server.SetCredentials(std::move(credentials)); }

Expected<void, std::string> TurnServer::SetCertificate(std::string chain_pem, std::string key_pem) {
  auto context = dtls::StreamContext::ForServer(chain_pem, key_pem);
  if (!context) return Unexpected<std::string>(std::move(context.error()));
  core_->streams.SetCertificate(std::move(*context));
  return {};
}

void TurnServer::Drain(std::vector<SocketAddress> alternates) { core_->server.StopAllocating(std::move(alternates)); }

size_t TurnServer::allocations() const { return core_->server.allocations(); }
const turn::ServerMetrics& TurnServer::metrics() const { return core_->server.metrics(); }

TurnServerStats TurnServer::stats() const {
  TurnServerStats stats = core_->stats;
  stats.datagrams = core_->datagrams.stats();
  stats.binding = core_->binding.metrics();
  stats.binding += core_->stream_binding.metrics();
  stats.streams.open = core_->streams.size();
  stats.relays_open = core_->datagrams.relays() + core_->tcp_relays.relays();
  return stats;
}

}  // namespace jsp::transport::io
