#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#include "base/rng.h"
namespace jsp::stun {

// RFC 8489 §5: 96 random bits that tie a response to its request.
struct TransactionId {
  std::array<uint8_t, 12> octets{};
  bool operator==(const TransactionId&) const = default;
  static TransactionId Random(Rng& rng) { return {rng.Random<std::array<uint8_t, 12>>()}; }
};

}  // namespace jsp::stun

template <>
struct std::hash<jsp::stun::TransactionId> {
  size_t operator()(const jsp::stun::TransactionId& id) const {
    size_t word = 0;  // the octets are random on our side; a peer's choice only finds nothing
    std::memcpy(&word, id.octets.data(), sizeof(word));
    return word;
  }
};
