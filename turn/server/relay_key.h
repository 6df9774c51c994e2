#pragma once
#include <cstddef>

#include "base/socket_address.h"
#include "turn/attributes.h"
namespace jsp::turn {

// A relay as the network knows it: UDP and TCP have ports of their own (RFC 8656 §7.2, RFC 6062 §5.1).
struct RelayKey {
  SocketAddress address;
  RelayProtocol protocol;
  bool operator==(const RelayKey&) const = default;
};
struct RelayKeyHash {
  size_t operator()(const RelayKey& key) const { return HashValue(key.address) + static_cast<size_t>(key.protocol); }
};

}  // namespace jsp::turn
