#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
namespace jsp::tool {

struct HostPort {
  std::string host;  // a name, or an address without brackets
  uint16_t port = 0;
};

// "HOST:PORT"; an IPv6 address needs brackets.
std::optional<HostPort> ParseHostPort(std::string_view text);

}  // namespace jsp::tool
