// Requests for ufrags that nobody here has, of which the application is told.
#include <algorithm>
#include <utility>

#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

void DriverCore::SetUnknownRequestHandler(std::function<void(const UnknownRequest&)> handler) {
  helpers.unknown_handler = std::move(handler);
  if (helpers.unknown) return;
  const auto& group = mux->membership().group;
  helpers.unknown = group ? std::make_unique<UnknownRequests>(options.unknown_requests, group->unknown_limit())
                          : std::make_unique<UnknownRequests>(options.unknown_requests, rng);
}

// Those that are there now; what handlers cause is for the next round.
void DriverCore::TellUnknownRequests() {
  for (size_t left = options.unknown_requests.max_waiting; left > 0 && HasUnknownRequests(); --left) {
    const UnknownRequest request = *helpers.unknown->Poll();
    const auto handler = helpers.unknown_handler;  // a copy: it may set another
    if (handler) handler(request);
  }
}

bool DriverCore::HandleRequest(const UnknownRequest& request) {
  const auto socket = mux->FindSocket(request.local);
  if (!socket) return false;
  const UdpMux::Match match = mux->Find(*socket, request.remote, request.datagram);
  if (match.is_unknown_request || (match.peer == nullptr && !match.loop)) return false;
  if (!match.loop) {
    Deliver(Now(), match, {*socket, request.remote, request.datagram});
    return true;
  }
  HandOver(*match.loop, *socket, {request.remote, request.datagram, std::max<size_t>(request.datagram.size(), 1)});
  SendPost();
  return true;
}

}  // namespace jsp::transport::io
