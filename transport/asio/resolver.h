#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "stun/uri.h"
namespace jsp::transport::io {

// Addresses of the servers, of both families, in order. Names that do not resolve before `deadline` are passed over:
// a dead name server does not hold up gathering (PITFALLS P16). Literal addresses need no look-up, and with nothing to
// look up `done` is called at once, before this returns.
void ResolveServers(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers,
                    Duration deadline, std::function<void(std::vector<SocketAddress>)> done);

// The same, apart: the addresses of each server, in the order of `servers`; empty where the name did not resolve.
void ResolveEach(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers, Duration deadline,
                 std::function<void(std::vector<std::vector<SocketAddress>>)> done);

}  // namespace jsp::transport::io
