#include <string_view>

#include "transport/peer.h"

int main() {
  return std::string_view(jsp::transport::ToString(jsp::transport::ConnectionState::kNew)) == "new" ? 0 : 1;
}
