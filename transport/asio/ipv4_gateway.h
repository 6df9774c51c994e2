#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/socket_address.h"
namespace jsp::transport::io {

// The next hop of the default route over `interface`, of the lowest metric, in the text of Linux' /proc/net/route.
std::optional<IpAddress> FindGatewayIn(std::string_view routes, std::string_view interface);
// Of the interface that has the address `local`; nullopt also on systems without that file.
std::optional<IpAddress> FindIpv4Gateway(const IpAddress& local);

}  // namespace jsp::transport::io
