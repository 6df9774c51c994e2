#include <array>
#include <cstdint>

#include "stun/message_view.h"

int main() {
  const std::array<std::uint8_t, 3> garbage{};
  return jsp::stun::MessageView::Parse(garbage).has_value() ? 1 : 0;
}
