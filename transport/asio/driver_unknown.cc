// Requests for ufrags that nobody here has, of which the application is told.
#include <utility>

#include "transport/asio/driver_core.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {

void DriverCore::SetUnknownRequestHandler(std::function<void(const UnknownRequest&)> handler) {
  helpers.unknown_handler = std::move(handler);
  if (!helpers.unknown) helpers.unknown = std::make_unique<UnknownRequests>(options.unknown_requests, rng);
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
  if (match.peer == nullptr || match.is_unknown_request) return false;
  Deliver(Now(), match, {*socket, request.remote, request.datagram});
  return true;
}

}  // namespace jsp::transport::io
