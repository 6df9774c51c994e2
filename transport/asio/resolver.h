#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "stun/uri.h"
namespace jsp::transport::io {

// One server, or one service that several servers share (SRV), has no more addresses that are tried.
inline constexpr size_t kMaxServerAddresses = 4;

// The name servers that a resolv.conf(5) names, in order.
std::vector<SocketAddress> ParseNameServers(std::string_view resolv_conf);
// Those of this system. Empty where it keeps them elsewhere: then there is no SRV, and names resolve as they always
// did.
std::vector<SocketAddress> SystemNameServers();

struct ResolveOptions {
  Duration deadline;                                              // for all together
  std::vector<SocketAddress> name_servers = SystemNameServers();  // asked for SRV records
};

using ResolvedEach = std::function<void(std::vector<std::vector<SocketAddress>>)>;

// The addresses of each server in the order in which to try them, in the order of `servers`; empty where the name did
// not resolve. A name without a port is looked up as a service first (RFC 8489 §8.1, RFC 5928 §3), beside its own
// addresses, which count when it has no SRV records. Names that do not resolve before the deadline are passed over: a
// dead name server does not hold up gathering (PITFALLS P16). Literal addresses need no look-up, and with nothing to
// look up `done` is called at once, before this returns.
void ResolveEach(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers,
                 const ResolveOptions& options, ResolvedEach done);

// The same, all in one list.
void ResolveServers(const boost::asio::any_io_executor& executor, const std::vector<stun::Uri>& servers,
                    const ResolveOptions& options, std::function<void(std::vector<SocketAddress>)> done);

}  // namespace jsp::transport::io
