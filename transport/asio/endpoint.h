#pragma once
#include <boost/asio/ip/udp.hpp>

#include "base/socket_address.h"
namespace jsp::transport::io {

// Between Asio's endpoints and ours; IPv4-mapped IPv6 becomes IPv4 (ATTACKS I5).
SocketAddress FromEndpoint(const boost::asio::ip::udp::endpoint& endpoint);
boost::asio::ip::udp::endpoint ToEndpoint(const SocketAddress& address);
IpAddress FromAsioAddress(const boost::asio::ip::address& address);
boost::asio::ip::address ToAsioAddress(const IpAddress& address);

}  // namespace jsp::transport::io
