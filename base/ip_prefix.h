#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/socket_address.h"
namespace jsp {

// An address and how many of its leading bits count.
struct IpPrefix {
  IpAddress ip;
  uint8_t length = 0;  // at most 32 or 128
  // "10.0.0.0/8", "2001:db8::/32", or an address alone; bits behind the length must be zero.
  static std::optional<IpPrefix> Parse(std::string_view text);
  bool Contains(const IpAddress& other) const;  // whatever its scope
  bool operator==(const IpPrefix&) const = default;
};

}  // namespace jsp
