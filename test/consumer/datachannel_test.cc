#include <string_view>

#include "datachannel/channel_set.h"

int main() {
  return std::string_view(jsp::datachannel::ToString(jsp::datachannel::ChannelState::kOpen)).empty() ? 1 : 0;
}
