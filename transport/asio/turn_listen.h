#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "stun/server.h"
#include "transport/asio/train_socket.h"
#include "transport/asio/turn_server.h"
namespace jsp::transport::io {

// A listener with its socket, of one kind or the other.
struct BoundListener {
  TurnListen listen;  // with its port
  std::unique_ptr<TrainSocket> udp;
  std::optional<boost::asio::ip::tcp::acceptor> stream;
};

struct BoundListeners {
  std::vector<BoundListener> all;
  std::vector<stun::BehaviorAddresses> behavior;  // RFC 5780
};

// Binds what TurnServerOptions::listen and alternate_address say; all of it, or an error in one line.
Expected<BoundListeners, std::string> BindListeners(const boost::asio::any_io_executor& executor,
                                                    const TurnServerOptions& options);

}  // namespace jsp::transport::io
