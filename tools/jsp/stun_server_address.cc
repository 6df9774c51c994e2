#include "tools/jsp/stun_server_address.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "transport/asio/resolver.h"
namespace jsp::tool {
namespace {

constexpr auto kResolveDeadline = std::chrono::seconds(5);

}  // namespace

Expected<stun::Uri, std::string> ParseStunUri(const std::string& text) {
  const auto uri = stun::ParseUri(text);
  if (!uri) return Unexpected<std::string>(text + ": " + std::string(stun::Describe(uri.error().code)));
  if (uri->scheme != stun::UriScheme::kStun) {
    return Unexpected<std::string>(text + ": a Binding goes to a stun: URI, over UDP");
  }
  return *uri;
}

Expected<stun::Uri, std::string> ParseBindingUri(const std::string& text) {
  const auto uri = stun::ParseUri(text);
  if (!uri) return Unexpected<std::string>(text + ": " + std::string(stun::Describe(uri.error().code)));
  if (uri->IsTurn()) return Unexpected<std::string>(text + ": a Binding goes to a stun: or stuns: URI");
  return *uri;
}

Expected<std::vector<SocketAddress>, std::string> ResolveStunServers(boost::asio::io_context& loop,
                                                                     const stun::Uri& uri) {
  std::optional<std::vector<SocketAddress>> servers;
  transport::io::ResolveServers(loop.get_executor(), {uri}, {.deadline = kResolveDeadline},
                                [&](std::vector<SocketAddress> found) { servers = std::move(found); });
  while (!servers && loop.run_one() > 0) {
  }
  loop.restart();
  if (!servers || servers->empty()) {
    return Unexpected<std::string>(uri.host + " does not resolve; check the name and the name server");
  }
  return *servers;
}

Expected<SocketAddress, std::string> ResolveStunServer(boost::asio::io_context& loop, const stun::Uri& uri) {
  const auto servers = ResolveStunServers(loop, uri);
  if (!servers) return Unexpected<std::string>(servers.error());
  return servers->front();
}

}  // namespace jsp::tool
