#pragma once
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "dtls/stream_context.h"
#include "stun/client.h"
namespace jsp::tool {

// Whom to ask: one server at its addresses, in the order to try them.
struct BindingTarget {
  enum class Kind : uint8_t { kUdp, kStream };
  std::vector<SocketAddress> servers{};
  Kind kind = Kind::kUdp;
  std::shared_ptr<const dtls::StreamContext> tls{};  // a stream with TLS
  std::string host{};                                // that its certificate must have
};

// The error is one line for a person.
using BindingOutcome = Expected<stun::event::BindingSucceeded, std::string>;

// One Binding (RFC 8489 §6.2), on `loop` until it has an outcome or the time is over. The addresses race (RFC 8305 §5).
BindingOutcome RunBinding(boost::asio::io_context& loop, const BindingTarget& target, Duration timeout);

}  // namespace jsp::tool
