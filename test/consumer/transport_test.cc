#include <boost/asio/io_context.hpp>

#include "transport/webrtc_transport.h"

int main() {
  boost::asio::io_context io;
  const jsp::WebRtcTransport transport(io.get_executor(), jsp::WebRtcConfig{});
  return transport.connection_state() == jsp::ConnectionState::kNew ? 0 : 1;
}
