#include <array>
#include <cstdint>

#include "turn/channel_data.h"

int main() {
  const std::array<std::uint8_t, 3> garbage{};
  return jsp::turn::ParseChannelData(garbage).has_value() ? 1 : 0;
}
