#include "turn/server/relay_table.h"

#include <algorithm>
namespace jsp::turn {

std::optional<uint16_t> RelayTable::PickPort(const IpAddress& ip, RelayProtocol protocol, Parity parity) const {
  // RFC 8656 §7.2: never "in the range 0 - 1023 (the Well-Known Port range)".
  const uint32_t first = std::max<uint32_t>(ports_.first, 1024);
  const uint32_t last = ports_.last;
  if (first > last) return std::nullopt;
  const uint32_t count = last - first + 1;
  const auto start = static_cast<uint32_t>(rng_->Below(count));
  const auto is_free = [&](uint32_t port) {
    return port <= last && !index_by_address_.contains(RelayKey{{ip, static_cast<uint16_t>(port)}, protocol});
  };
  for (uint32_t i = 0; i < std::min<uint32_t>(count, kMaxProbes); ++i) {
    const uint32_t port = first + (start + i) % count;
    if (parity != Parity::kAny && port % 2 != 0) continue;
    if (!is_free(port) || (parity == Parity::kEvenPair && !is_free(port + 1))) continue;
    return static_cast<uint16_t>(port);
  }
  return std::nullopt;
}

RelayHandle RelayTable::Open(const SocketAddress& address, RelayProtocol protocol, uint32_t allocation) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(relays_.size()));
    relays_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Relay& relay = relays_[index];
  relay = {address, allocation, relay.generation + 1, Relay::State::kOpening, protocol};
  index_by_address_.emplace(RelayKey{address, protocol}, index);
  return {index, relay.generation};
}

Relay* RelayTable::Find(RelayHandle handle) {
  if (handle.index >= relays_.size()) return nullptr;
  Relay& relay = relays_[handle.index];
  return relay.state == Relay::State::kFree || relay.generation != handle.generation ? nullptr : &relay;
}

void RelayTable::Close(RelayHandle handle) {
  Relay* relay = Find(handle);
  if (relay == nullptr) return;
  index_by_address_.erase(RelayKey{relay->address, relay->protocol});
  relay->state = Relay::State::kFree;
  free_.push_back(handle.index);
}

}  // namespace jsp::turn
