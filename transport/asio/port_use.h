#pragma once
#include <cstdint>
namespace jsp::transport::io {

enum class PortUse : uint8_t {
  kExclusive,
  kShared,  // SO_REUSEPORT: with all others of the same user that have it, too
};

}  // namespace jsp::transport::io
