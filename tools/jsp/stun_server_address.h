#pragma once
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "stun/uri.h"
namespace jsp::tool {

// A URI that names a STUN server over UDP; the error is one line for a person.
Expected<stun::Uri, std::string> ParseStunUri(const std::string& text);
// The same for a server over UDP, TCP or TLS.
Expected<stun::Uri, std::string> ParseBindingUri(const std::string& text);
// The addresses of the server, in the order to try them; likewise.
Expected<std::vector<SocketAddress>, std::string> ResolveStunServers(boost::asio::io_context& loop,
                                                                     const stun::Uri& uri);
// The first address of the server, looked up on `loop` for at most five seconds. The loop may be used again afterwards.
Expected<SocketAddress, std::string> ResolveStunServer(boost::asio::io_context& loop, const stun::Uri& uri);

}  // namespace jsp::tool
