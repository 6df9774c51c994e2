#include "transport/asio/resolver.h"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "transport/asio/endpoint.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

// One round of look-ups; kept alive by its handlers until the last one or the deadline came.
struct Round : std::enable_shared_from_this<Round> {
  Round(const boost::asio::any_io_executor& executor, size_t servers,
        std::function<void(std::vector<std::vector<SocketAddress>>)> on_done)
      : resolver(executor), timer(executor), found(servers), done(std::move(on_done)) {}

  void Start(size_t index, const stun::Uri& uri) {
    ++open;
    resolver.async_resolve(uri.host, std::to_string(uri.port), udp::resolver::numeric_service,
                           [self = shared_from_this(), index](error_code error, udp::resolver::results_type results) {
                             for (const auto& entry : results) {
                               if (!error) self->found[index].push_back(FromEndpoint(entry.endpoint()));
                             }
                             if (--self->open == 0) self->Finish();
                           });
  }
  void StartDeadline(Duration deadline) {
    timer.expires_after(deadline);
    timer.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->Finish();
    });
  }
  void Finish() {
    if (!done) return;
    timer.cancel();
    resolver.cancel();
    std::exchange(done, nullptr)(std::move(found));
  }

  udp::resolver resolver;
  boost::asio::steady_timer timer;
  std::vector<std::vector<SocketAddress>> found;  // by server, so that the order stays
  std::function<void(std::vector<std::vector<SocketAddress>>)> done;
  size_t open = 0;
};

}  // namespace

void ResolveServers(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers,
                    Duration deadline, std::function<void(std::vector<SocketAddress>)> done) {
  ResolveEach(executor, servers, deadline,
              [done = std::move(done)](const std::vector<std::vector<SocketAddress>>& found) {
                std::vector<SocketAddress> all;
                for (const auto& addresses : found) all.insert(all.end(), addresses.begin(), addresses.end());
                done(std::move(all));
              });
}

void ResolveEach(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers, Duration deadline,
                 std::function<void(std::vector<std::vector<SocketAddress>>)> done) {
  const auto round = std::make_shared<Round>(executor, servers.size(), std::move(done));
  for (size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].ip) {
      round->found[i].push_back({*servers[i].ip, servers[i].port});
    } else {
      round->Start(i, servers[i]);
    }
  }
  if (round->open == 0) return round->Finish();
  round->StartDeadline(deadline);
}

}  // namespace jsp::transport::io
