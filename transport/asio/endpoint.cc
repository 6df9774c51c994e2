#include "transport/asio/endpoint.h"

#include <algorithm>
#include <array>

namespace jsp::transport::io {

IpAddress FromAsioAddress(const boost::asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::V4(address.to_v4().to_uint());
  const auto octets = address.to_v6().to_bytes();
  return IpAddress::V6(std::span<const uint8_t, 16>(octets.data(), 16),
                       static_cast<uint32_t>(address.to_v6().scope_id()));
}

boost::asio::ip::address ToAsioAddress(const IpAddress& address) {
  if (address.is_v4()) return boost::asio::ip::address_v4(address.v4_host_order());
  boost::asio::ip::address_v6::bytes_type octets;
  std::ranges::copy(address.octets(), octets.begin());
  return boost::asio::ip::address_v6(octets, address.scope_id());
}

SocketAddress FromEndpoint(const boost::asio::ip::udp::endpoint& endpoint) {
  return {FromAsioAddress(endpoint.address()), endpoint.port()};
}

boost::asio::ip::udp::endpoint ToEndpoint(const SocketAddress& address) {
  return {ToAsioAddress(address.ip), address.port};
}

}  // namespace jsp::transport::io
