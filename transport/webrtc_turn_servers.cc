#include "transport/webrtc_turn_servers.h"

#include <utility>

#include "stun/opaque_string.h"
#include "stun/uri.h"
#include "transport/asio/resolver.h"
#include "turn/client_options.h"
namespace jsp {

void ResolveTurnServers(const boost::asio::any_io_executor& executor, const std::vector<TurnServer>& servers,
                        Duration deadline, std::function<void(std::vector<transport::RelayServer>)> done) {
  std::vector<stun::Uri> uris;
  std::vector<transport::RelayServer> relays;
  for (const TurnServer& server : servers) {
    for (const std::string& url : server.urls) {
      const auto uri = stun::ParseUri(url);
      const auto username = stun::PrepareOpaqueString(server.username);
      const auto password = stun::PrepareOpaqueString(server.credential);
      const auto control = uri ? turn::ControlTransportOf(*uri) : std::nullopt;
      if (!control || !username || !password) continue;  // WebRtcConfig::Validate says which and why
      uris.push_back(*uri);
      relays.push_back(
          {.transport = *control, .host = uri->host, .username = *username, .password = *password, .tls = server.tls});
    }
  }
  transport::io::ResolveEach(executor, uris, {.deadline = deadline},
                             [relays = std::move(relays),
                              done = std::move(done)](const std::vector<std::vector<SocketAddress>>& found) mutable {
                               std::vector<transport::RelayServer> resolved;
                               for (size_t i = 0; i < found.size(); ++i) {
                                 if (found[i].empty()) continue;
                                 relays[i].address = found[i].front();
                                 relays[i].alternatives.assign(found[i].begin() + 1, found[i].end());
                                 resolved.push_back(std::move(relays[i]));
                               }
                               done(std::move(resolved));
                             });
}

}  // namespace jsp
